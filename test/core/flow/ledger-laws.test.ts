/**
 * The laws of flow.ts for what watches a lane beside its events, over random lanes of two edges: backups, coverage,
 * comparisons, changes. A failing seed is printed by fast-check with its counterexample.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Output } from '../../../services/core/flow/context.ts';
import type { LaneRecord } from '../../../services/core/flow/flow.ts';
import { createState, type FlowState, restoreState } from '../../../services/core/flow/state.ts';
import { summarize } from '../../../services/core/flow/summary.ts';
import type { Reconciliation } from '../../../services/core/records/generated.ts';
import { iso, laneOf, serverBody, settingsDocument, startMs } from './lane.ts';
import { plain, rowsOf, work } from './watched.ts';

const second = 1_000;
const account = fc.constantFrom('plain:ACME', 'plain:SUB');
const run = fc.constantFrom('r1', 'r2');

type Act =
  | { do: 'report'; account: string; server: string; result: string; agoMs: number }
  | { do: 'changed'; account: string; fields: string[] }
  | { do: 'suspect'; account: string }
  | { do: 'recovered'; run: string; server: string; event: string; agoMs: number }
  | { do: 'webhook'; server: string; agoMs: number }
  | { do: 'compare'; run: string; phase: string; bootstrap: boolean }
  | { do: 'other'; seq: number }
  | { do: 'gap' }
  | { do: 'tick' };

const agoMs = fc.integer({ min: -120_000, max: 100 * 3_600_000 });
const server = fc.constantFrom('S1', 'S2');
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('report' as const),
      account,
      server,
      result: fc.constantFrom('success', 'failed', 'partial_success', 'missed'),
      agoMs,
    }),
  },
  fc.record({
    do: fc.constant('changed' as const),
    account,
    fields: fc.array(fc.constantFrom('a', 'b'), { maxLength: 3 }),
  }),
  fc.record({ do: fc.constant('suspect' as const), account }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('recovered' as const),
      run,
      server,
      event: fc.constantFrom('Created', 'Updated', 'Deleted'),
      agoMs,
    }),
  },
  fc.record({ do: fc.constant('webhook' as const), server, agoMs }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('compare' as const),
      run,
      phase: fc.constantFrom('begin', 'begin', 'complete', 'failed'),
      bootstrap: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('other' as const), seq: fc.integer({ min: 0, max: 9 }) }) },
  fc.record({ do: fc.constant('gap' as const) }),
  { weight: 8, arbitrary: fc.record({ do: fc.constant('tick' as const) }) },
);

/** Seconds pass between acts as a rule, so that the lane is mostly heard; now and then hours or days. */
const pause = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 20 * second }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 20 * 3_600_000 }) },
  fc.integer({ min: 0, max: 10 * 86_400_000 }),
);
const story = fc.array(fc.tuple(act, pause), { maxLength: 60 });

const otherBoot = 'b000000000000002';
const endpoints = ['Server.Created', 'Server.Updated', 'Server.Deleted'].map((event) => ({
  name: event.toLowerCase().replace('.', '-'),
  provider: 'centurylink',
  event,
  account: 'ACME',
  recursive: true,
}));

function tell(acts: [Act, number][]): LaneRecord[] {
  const lane = laneOf();
  const predecessor = (lane.records[0]!.record.value as { id: string }).id;
  lane.control({ kind: 'settings', predecessor, document: JSON.stringify({ ...settingsDocument, endpoints }) });
  const post = (parts: object, at: number, of: string, more: object = {}) =>
    lane.post('', { entity: 'backup', action: 'reported', account: of, subject: 'x', data: '{}', ...parts }, at, {
      provider: plain,
      endpoint: 'things',
      account: of,
      ...more,
    });
  const reconciled = (id: string) => ({
    origin: 'reconcile' as const,
    endpoint: 'reconcile',
    headers: { 'hookwatch-run': id },
  });
  let at = 0;
  for (const [what, passesMs] of acts) {
    at += passesMs;
    const now = { received_at: startMs + at };
    const own = 'agoMs' in what ? at - what.agoMs : at;
    if (what.do === 'report') {
      const time = what.result === 'missed' ? { expectedAt: startMs + own } : { finishedAt: startMs + own };
      const names = { server: what.server, policy: 'p', policyId: '', region: '' };
      post({ backup: { ...names, result: what.result, ...time } }, at, what.account);
    } else if (what.do === 'changed') {
      post({ changes: what.fields.map((field) => ({ field, before: '', after: '1' })) }, at, what.account);
    } else if (what.do === 'suspect') post({}, at, what.account, { flags: ['clock_suspect'] });
    else if (what.do === 'recovered') {
      const body = what.event === 'Deleted' ? { accountAlias: 'ACME', name: what.server } : bodyOf(what.server, own);
      lane.post(`Server.${what.event}`, body, at, reconciled(what.run));
    } else if (what.do === 'webhook') lane.post('Server.Updated', bodyOf(what.server, own), at);
    else if (what.do === 'compare') {
      const { phase, bootstrap, run: id } = what;
      const accounts = ['ACME', 'SUB'].map((alias) => ({
        account: `plain:${alias}`,
        servers: 2,
        complete: phase === 'complete',
      }));
      const document = JSON.stringify({
        ...{ run: id, provider: plain, host: '', phase, bootstrap, scope: 'all', reason: '' },
        started_at: startMs + at,
        accounts: phase === 'begin' ? [] : accounts,
      });
      lane.control({ ...now, kind: 'reconciliation', document });
    } else if (what.do === 'other') {
      const kind = what.seq === 0 ? 'boot' : 'tick';
      lane.control({ ...now, boot: otherBoot, seq: what.seq, kind, edge: 'edge-2', time: startMs + at });
    } else if (what.do === 'gap') {
      lane.control({ ...now, kind: 'gap', document: JSON.stringify({ boot: otherBoot, edge: 'edge-2' }) });
    } else lane.tick(at);
  }
  lane.tick(at + 5 * second);
  return lane.records;
}

function bodyOf(name: string, modifiedMs: number) {
  return serverBody('ACME', name, -1_000_000, {
    changeInfo: { createdDate: iso(startMs - 1_000_000), modifiedDate: iso(startMs + modifiedMs) },
  });
}

function entriesOf(state: FlowState): string[] {
  return [...state.tables.snapshot()].flatMap((chunk) => Buffer.from(chunk).toString().split('\n')).sort();
}

function inBatches(records: readonly LaneRecord[], size: number, state = createState()) {
  const outputs: Output[] = [];
  for (let from = 0; from < records.length; from += size) {
    const result = work(records.slice(from, from + size), state);
    state = result.state;
    outputs.push(...result.outputs);
  }
  return { state, outputs };
}

/** LAW_RUNS makes a longer search of it. */
const numRuns = Number(process.env.LAW_RUNS ?? 150);
const holds = <T>(arbitrary: fc.Arbitrary<T>, law: (value: T) => void) =>
  fc.assert(fc.property(arbitrary, law), { numRuns });

test('neither how records are batched nor where a state is restored changes anything; nothing fails', () => {
  holds(fc.tuple(story, fc.integer({ min: 1, max: 9 }), fc.nat()), ([acts, size, cut]) => {
    const records = tell(acts);
    const at = cut % (records.length + 1);
    const whole = work(records);
    const parts = inBatches(records, size);
    expect(parts.outputs).toEqual(whole.outputs);
    const before = work(records.slice(0, at));
    const after = inBatches(records.slice(at), 3, restoreState([...before.state.tables.snapshot()]));
    expect([...before.outputs, ...after.outputs]).toEqual(whole.outputs);
    expect(entriesOf(after.state)).toEqual(entriesOf(whole.state));
    expect(whole.outputs.filter(({ kind, value }) => kind === 'reject' && value.reason === 'internal')).toEqual([]);
  });
});

test('versions of an id only grow, and what follows from the id never changes', () => {
  holds(story, (acts) => {
    const seen = new Map<string, { version: number; fixed: unknown[] }>();
    for (const { kind, value } of work(tell(acts)).outputs) {
      if (kind === 'delivery' || kind === 'control') continue;
      const fixed = [kind, value.first_received_at, ...(kind === 'coverage' ? [value.account, value.started_at] : [])];
      const before = seen.get(value.id);
      if (before) expect(value.version).toBeGreaterThan(before.version);
      if (before) expect(fixed).toEqual(before.fixed);
      seen.set(value.id, { version: value.version, fixed });
    }
  });
});

test('the coverage of each account, and of the lane, has no hole and no overlap', () => {
  holds(story, (acts) => {
    const rows = Map.groupBy(rowsOf(work(tell(acts)).outputs, 'coverage'), (row) => row.account);
    for (const [, ledger] of rows) {
      const sorted = ledger.sort((a, b) => a.started_at - b.started_at);
      sorted.forEach((row, n) => {
        expect(row.ended_at).toBe(sorted[n + 1]?.started_at ?? null);
        expect(row.ended_at ?? Number.POSITIVE_INFINITY).toBeGreaterThan(row.started_at);
      });
    }
  });
});

/** Where nobody gave a sign of life for over 15 s: signs within a second of another one are not noted. */
function gapsBetween(signs: readonly number[]): [number, number][] {
  const gaps: [number, number][] = [];
  let last = signs[0] ?? 0;
  for (const at of signs) {
    if (at < last + second) continue;
    const before = gaps.at(-1);
    if (at - last > 15 * second && before?.[1] === last) before[1] = at;
    else if (at - last > 15 * second) gaps.push([last, at]);
    last = at;
  }
  return gaps;
}

test('the lane is blind exactly where nobody gave a sign of life', () => {
  holds(story, (acts) => {
    // A lane of one edge, whose time does not go back, and without other reasons: a row that one of them has ended can be
    // amended no longer by what comes two days later.
    const records = tell(acts.filter(([{ do: what }]) => what !== 'other' && what !== 'gap' && what !== 'suspect'));
    const signs = records.flatMap(({ record }) =>
      record.kind === 'delivery' || (record.kind === 'control' && record.value.kind === 'tick')
        ? [record.value.received_at]
        : [],
    );
    const blind = rowsOf(work(records).outputs, 'coverage')
      .filter((row) => row.account === '' && row.reasons.includes('no_edge'))
      .sort((a, b) => a.started_at - b.started_at);
    const spans: [number, number][] = [];
    for (const { started_at, ended_at } of blind) {
      // One that was closed before the next outage began where it ends.
      if (spans.at(-1)?.[1] === started_at) spans.at(-1)![1] = ended_at!;
      else spans.push([started_at, ended_at!]);
    }
    expect(spans).toEqual(gapsBetween(signs));
  });
});

test('what a lane says of itself in sums is what its rows show', () => {
  holds(story, (acts) => {
    const { state, outputs } = work(tell(acts));
    const shown = new Map<string, number>();
    const add = (name: string) => shown.set(name, (shown.get(name) ?? 0) + 1);
    for (const row of rowsOf(outputs, 'backup')) add(`backups ${row.state}`);
    const rows = rowsOf(outputs, 'coverage');
    for (const row of rows) {
      if (row.account !== '' && row.ended_at === null) add(`coverage ${row.provider} ${row.state}`);
    }
    const summary = summarize(state);
    const counted = [
      ...summary.backups.map(({ state: health, count }) => [`backups ${health}`, count] as const),
      ...summary.coverage.map(({ provider, state: level, count }) => [`coverage ${provider} ${level}`, count] as const),
    ].filter(([, count]) => count !== 0);
    expect(new Map(counted)).toEqual(shown);
    const until = rows.filter((row) => row.account === '' && row.state === 'blind').map((row) => row.ended_at!);
    // What was blind before is forgotten, and may be as well as it is.
    expect([0, ...until]).toContain(summary.blind.until);
    if (summary.blind.until > 0) expect(summary.blind.until).toBe(Math.max(...until));
  });
});

test('what runs are said to have missed is what their events say', () => {
  holds(story, (acts) => {
    const { state, outputs } = work(tell(acts));
    const rows = rowsOf(outputs, 'reconciliation');
    const missedOf = (row: Reconciliation) => [row.missed_creations, row.missed_changes, row.missed_deletions];
    expect(Math.min(0, ...rows.flatMap(missedOf))).toBe(0);
    for (const isWhole of [true, false]) {
      const missed = rows.filter((row) => (row.account === '') === isWhole).flatMap(missedOf);
      // Those that are older than the lateness are forgotten, and stay counted.
      expect(missed.reduce((sum, n) => sum + n, 0)).toBeGreaterThanOrEqual(state.recovered.size);
    }
  });
});
