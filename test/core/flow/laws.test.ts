/** The laws of flow.ts, over random lanes. A failing seed is printed by fast-check with its counterexample. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Output } from '../../../services/core/flow/context.ts';
import { type LaneRecord, step } from '../../../services/core/flow/flow.ts';
import { findOpenings } from '../../../services/core/flow/openings.ts';
import { createState, type FlowState, restoreState } from '../../../services/core/flow/state.ts';
import { summarize } from '../../../services/core/flow/summary.ts';
import { decoders } from '../../../services/core/providers/providers.ts';
import type { Delivery } from '../../../services/core/records/generated.ts';
import { endpointsOf } from './identity.ts';
import { accountBody, alertBody, iso, type LaneBuilder, laneOf, serverBody, startMs } from './lane.ts';

type Act =
  | { do: 'account'; verb: 'Created' | 'Updated' | 'Deleted'; account: string }
  | { do: 'server'; verb: 'Created' | 'Updated'; account: string; server: string; agoMs: number }
  | { do: 'delete'; account: string; server: string }
  | { do: 'alert'; account: string; server: string; state: string; agoMs: number; length: number }
  | { do: 'broken'; body: string }
  | { do: 'unverified' }
  | { do: 'tick' }
  /** An account is below another one, known or not. */
  | { do: 'move'; account: string; parent: string }
  /** A server of one of three snapshots, told at one of two endpoints, by a URL with or without the action, or fetched. */
  | { do: 'told'; way: 'ACME' | 'AAA' | 'unnamed' | 'fetched'; account: string; version: number; gone: boolean };

/** What only some laws allow for: a second edge whose records come in any order or not at all, and another flow. */
type Trouble =
  | { do: 'other'; seq: number }
  | { do: 'gap' }
  | { do: 'takeover'; epoch: number; flow: string; previous: string };

const account = fc.constantFrom('AAA', 'BBB');
const server = fc.constantFrom('S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7');
const agoMs = fc.integer({ min: -90_000, max: 7_200_000 });
const flow = fc.constantFrom('a', 'b');
const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('other' as const), seq: fc.integer({ min: 0, max: 9 }) }) },
  fc.record({ do: fc.constant('gap' as const) }),
  fc.record({ do: fc.constant('takeover' as const), epoch: fc.integer({ min: 1, max: 4 }), flow, previous: flow }),
);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('account' as const),
      verb: fc.constantFrom('Created' as const, 'Updated' as const, 'Deleted' as const),
      account,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('server' as const),
      verb: fc.constantFrom('Created' as const, 'Created' as const, 'Updated' as const),
      account,
      server,
      agoMs,
    }),
  },
  fc.record({ do: fc.constant('delete' as const), account, server }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('alert' as const),
      account,
      server,
      state: fc.constantFrom('triggered', 'notTriggered', 'odd'),
      agoMs,
      length: fc.integer({ min: -1_000, max: 600_000 }),
    }),
  },
  fc.record({
    do: fc.constant('broken' as const),
    body: fc.constantFrom('', '{', '[]', 'null', '{"name":"x"}', '{"__proto__":{"accountAlias":"AAA"}}'),
  }),
  fc.record({ do: fc.constant('unverified' as const) }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('move' as const),
      account: fc.constantFrom('AAA', 'BBB', 'CCC', 'DDD'),
      parent: fc.constantFrom('ACME', 'AAA', 'CCC', 'RIVAL', ''),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('told' as const),
      way: fc.constantFrom('ACME' as const, 'AAA' as const, 'AAA' as const, 'unnamed' as const, 'fetched' as const),
      account: fc.constantFrom('AAA', 'CCC', 'DDD'),
      version: fc.integer({ min: 0, max: 2 }),
      gone: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('tick' as const) }) },
);
/** Acts with the time that passes before each: seconds as a rule, now and then hours or days. */
const storyOf = <T>(what: fc.Arbitrary<T>, pauseMsMax: number) =>
  fc.array(
    fc.tuple(
      what,
      fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 120_000 }) }, fc.integer({ min: 0, max: pauseMsMax })),
    ),
    { maxLength: 60 },
  );

const story = storyOf(act, 200_000_000);
/** Ends within the seven days for which a deleted server is remembered. */
const shortStory = storyOf(act, 10_000_000);
const troubledStory = storyOf(fc.oneof({ weight: 2, arbitrary: act }, { weight: 1, arbitrary: trouble }), 200_000_000);

const otherBoot = 'b000000000000002';

const endpoints = endpointsOf(
  ...['Server.Updated', 'Server.Deleted'].flatMap((event) => [
    { name: `root-${event.toLowerCase()}`, event, account: 'ACME' },
    { name: `sub-${event.toLowerCase()}`, event, account: 'AAA' },
  ]),
);

const settings = { endpoints, accounts: ['centurylink:BBB'], pending_max: 8 };

function tell(acts: [Act | Trouble, number][]): LaneRecord[] {
  const lane = laneOf({ servers: 3 }, settings);
  let at = 0;
  for (const [what, passesMs] of acts) {
    at += passesMs;
    const now = { received_at: startMs + at };
    if (what.do === 'account') lane.post(`Account.${what.verb}`, accountBody(what.account), at);
    else if (what.do === 'server')
      lane.post(`Server.${what.verb}`, serverBody(what.account, what.server, at - what.agoMs), at);
    else if (what.do === 'delete') lane.post('Server.Deleted', { accountAlias: what.account, name: what.server }, at);
    else if (what.do === 'alert') {
      const start = startMs + at - what.agoMs;
      const trigger = {
        state: what.state,
        stateStartTime: iso(start),
        ...(what.state === 'notTriggered' && { stateEndTime: iso(start + what.length) }),
      };
      lane.post('Alert.Notification', alertBody(what.account, what.server, trigger), at);
    } else if (what.do === 'broken') lane.post('Server.Updated', what.body, at);
    else if (what.do === 'unverified')
      lane.post('Server.Updated', '{}', at, { verdict: 'rejected', verdict_reason: 'signature mismatch' });
    else if (what.do === 'other') tellOther(lane, what.seq, at);
    else if (what.do === 'move') {
      const event = what.parent === '' ? 'Account.Deleted' : 'Account.Updated';
      lane.post(event, accountBody(what.account, { parentAlias: what.parent || undefined }), at);
    } else if (what.do === 'told') tellServer(lane, what, at);
    else if (what.do === 'gap')
      lane.control({ ...now, kind: 'gap', document: JSON.stringify({ boot: otherBoot, edge: 'edge-2' }) });
    else if (what.do === 'takeover') {
      const { do: _, ...document } = what;
      lane.control({ ...now, kind: 'takeover', document: JSON.stringify(document) });
    } else lane.tick(at);
  }
  lane.tick(at + 5_000);
  return lane.records;
}

function tellServer(lane: LaneBuilder, { way, account, version, gone }: Act & { do: 'told' }, at: number): void {
  const name = `W${version}`;
  const body = gone ? { accountAlias: account, name } : serverBody(account, name, version * 1_000);
  const named = gone ? 'Server.Deleted' : 'Server.Updated';
  const event = way === 'unnamed' ? 'Server' : named;
  if (way === 'fetched') {
    const parts = { origin: 'reconcile', endpoint: 'reconcile', account: `centurylink:${account}` } as const;
    return void lane.post(event, JSON.stringify(body, null, 1), at, parts);
  }
  const owner = way === 'ACME' ? 'ACME' : 'AAA';
  const endpoint = `${owner === 'ACME' ? 'root' : 'sub'}-${event.toLowerCase()}`;
  lane.post(event, body, at, { account: `centurylink:${owner}`, endpoint });
}

/** A record of the second edge: its boot, a tick, or what follows from its number. */
function tellOther(lane: LaneBuilder, seq: number, at: number): void {
  const parts = { boot: otherBoot, seq, received_at: startMs + at };
  if (seq === 0) lane.control({ ...parts, kind: 'boot', edge: 'edge-2' });
  else if (seq % 3 === 0) lane.control({ ...parts, kind: 'tick', time: startMs + at });
  else lane.post('Server.Created', serverBody('AAA', `O${seq}`, at), at, parts);
}

/** The state's entries, without their order. */
function entriesOf(state: FlowState): string[] {
  return [...state.tables.snapshot()].flatMap((chunk) => Buffer.from(chunk).toString().split('\n')).sort();
}

function run(records: readonly LaneRecord[], sizes: readonly number[] = [records.length], state = createState()) {
  const outputs: Output[] = [];
  for (let from = 0, turn = 0; from < records.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? records.length);
    const result = step(state, records.slice(from, from + size));
    state = result.state;
    outputs.push(...result.outputs);
    from += size;
  }
  return { state, outputs };
}

/** LAW_RUNS makes a longer search of it. */
const numRuns = Number(process.env.LAW_RUNS ?? 150);
const holds = <T>(arbitrary: fc.Arbitrary<T>, law: (value: T) => void) =>
  fc.assert(fc.property(arbitrary, law), { numRuns });

test('batch invariance: how records are batched changes neither outputs nor state', () => {
  holds(
    fc.tuple(troubledStory, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 })),
    ([acts, sizes]) => {
      const records = tell(acts);
      const whole = run(records);
      const parts = run(records, sizes);
      expect(parts.outputs).toEqual(whole.outputs);
      expect(entriesOf(parts.state)).toEqual(entriesOf(whole.state));
    },
  );
});

test('a state restored at any point goes on exactly as the one that was saved', () => {
  holds(fc.tuple(troubledStory, fc.nat()), ([acts, cut]) => {
    const records = tell(acts);
    const at = cut % (records.length + 1);
    const whole = run(records);
    const before = run(records.slice(0, at));
    const restored = restoreState([...before.state.tables.snapshot()]);
    const after = run(records.slice(at), [3], restored);
    expect([...before.outputs, ...after.outputs]).toEqual(whole.outputs);
    expect(entriesOf(after.state)).toEqual(entriesOf(whole.state));
  });
});

test('a snapshot that is written while the flow goes on is of the moment at which it began', () => {
  holds(fc.tuple(troubledStory, fc.nat()), ([acts, cut]) => {
    const records = tell(acts);
    const at = cut % (records.length + 1);
    const { state } = run(records.slice(0, at));
    const frozen = entriesOf(state);
    const snapshot = state.tables.snapshot();
    const chunks: Uint8Array[] = [];
    for (const record of records.slice(at)) {
      const next = snapshot.next();
      if (!next.done) chunks.push(next.value);
      step(state, [record]);
    }
    chunks.push(...snapshot);
    expect(
      chunks
        .flatMap((chunk) => Buffer.from(chunk).toString().split('\n'))
        .sort()
        .filter(Boolean),
    ).toEqual(frozen.filter(Boolean));
  });
});

test('records that come again from the same producer have no effect', () => {
  holds(fc.tuple(story, fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 20 })), ([acts, again]) => {
    const records = tell(acts);
    const doubled = [...records];
    for (const [which, where] of again) {
      const original = records[which % records.length]!;
      const after = doubled.indexOf(original) + 1;
      doubled.splice(after + (where % (doubled.length - after + 1)), 0, original);
    }
    const renumbered = doubled.map((entry, position) => ({ ...entry, position }));
    const firsts = renumbered.filter((_, index) => doubled.indexOf(doubled[index]!) === index);
    expect(run(renumbered).outputs).toEqual(run(firsts).outputs);
  });
});

test('a delivery on which the flow throws becomes the reject `internal`; all others go on as if it had said nothing', () => {
  holds(fc.tuple(story, fc.nat()), ([acts, nth]) => {
    const records = tell(acts);
    const victims = records.filter(({ record }) => record.kind === 'delivery');
    fc.pre(victims.length > 0);
    const victim = victims[nth % victims.length]!;
    const victimId = (victim.record.value as Delivery).id;
    const throwing = new Map(
      [...decoders].map(([name, decode]) => [
        name,
        (delivery: Parameters<typeof decode>[0]) => {
          if (delivery.id === victimId) throw new Error('broken decoder');
          return decode(delivery);
        },
      ]),
    );
    fc.pre(victim.record.kind === 'delivery' && victim.record.value.verdict !== 'rejected');
    const unverified = records.map((entry) =>
      entry !== victim
        ? entry
        : {
            ...entry,
            record: {
              kind: 'delivery' as const,
              value: {
                ...(entry.record.value as never as Record<string, never>),
                verdict: 'rejected',
                verdict_reason: 'signature mismatch',
              } as never,
            },
          },
    );
    const failed = step(createState(), records, throwing);
    const silent = step(createState(), unverified);
    const others = (outputs: Output[]) =>
      outputs.filter((output) => !('position' in output.value && output.value.position === victim.position));
    expect(others(failed.outputs)).toEqual(others(silent.outputs));
    const reject = failed.outputs.find((output) => output.kind === 'reject' && output.value.delivery === victimId);
    expect(reject?.value).toMatchObject({ reason: 'internal', detail: 'the flow failed on it: broken decoder' });
  });
});

test('the ledger balances after every record', () => {
  holds(troubledStory, (acts) => {
    let state = createState();
    for (const record of tell(acts)) {
      state = step(state, [record]).state;
      const { journaled, events, twins, rejects, pending } = summarize(state).ledger;
      expect(journaled).toBe(events + twins + rejects + pending);
    }
  });
});

test('open episodes as counted, and the oldest of them, are those that the rows show', () => {
  holds(troubledStory, (acts) => {
    const { state, outputs } = run(tell(acts));
    const rows = new Map(
      outputs.flatMap((output) => (output.kind === 'episode' ? [[output.value.id, output.value]] : [])),
    );
    const open = [...rows.values()].filter((row) => row.state === 'open');
    const { openEpisodes, watermark } = summarize(state);
    expect(openEpisodes.reduce((sum, { count }) => sum + count, 0)).toBe(open.length);
    for (const { metric, oldestAt, openLong, long } of openEpisodes) {
      const began = open.filter((row) => row.metric === metric).map((row) => row.opened_at);
      expect(oldestAt).toBe(began.length === 0 ? null : Math.min(...began));
      expect(openLong).toBe(began.filter((openedAt) => openedAt + 3_600_000 <= watermark).length);
      expect(long).toBeGreaterThanOrEqual(openLong);
    }
    for (const { opened_at, first_received_at } of open) {
      expect(Math.min(opened_at, first_received_at + 60_000) + 86_400_000).toBeGreaterThan(watermark);
    }
  });
});

test('where episodes are is found in a state that did not note it as in one that did', () => {
  holds(troubledStory, (acts) => {
    const { state } = run(tell(acts));
    const noted = /^\["(openings|deadlines|alerted)"/;
    const before = entriesOf(state);
    const kept = before.filter((line) => line !== '' && !noted.test(line));
    const restored = restoreState([Buffer.from(kept.map((line) => `${line}\n`).join(''))]);
    findOpenings(restored);
    const where = (lines: string[]) => lines.filter((line) => noted.test(line));
    expect(where(entriesOf(restored))).toEqual(where(before));
  });
});

test('versions of an id only grow, and its first received time never changes', () => {
  holds(troubledStory, (acts) => {
    const seen = new Map<string, { version: number; first: number }>();
    for (const output of run(tell(acts)).outputs) {
      if (!('first_received_at' in output.value)) continue;
      const { id, version, first_received_at: first } = output.value;
      const before = seen.get(id);
      if (before) expect(version).toBeGreaterThan(before.version);
      if (before) expect(first).toBe(before.first);
      seen.set(id, { version, first });
    }
  });
});

const receivedAt = (record: LaneRecord['record']) => ('received_at' in record.value ? record.value.received_at : 0);

test('bodies that come again, by whatever endpoint delivery, raise neither a pane nor a detection', () => {
  holds(fc.tuple(shortStory, fc.array(fc.nat(), { minLength: 1, maxLength: 30 })), ([acts, again]) => {
    const honest = tell(acts);
    const replayed = laneOf({ servers: 3 }, settings);
    for (const { record } of honest.slice(2)) {
      if (record.kind === 'control') replayed.control({ ...record.value, seq: replayed.records.length });
      else if (record.kind === 'delivery') replayed.post('', '', 0, { ...record.value, seq: replayed.records.length });
    }
    const last = Math.max(...honest.map(({ record }) => receivedAt(record))) - startMs;
    const bodies = honest.flatMap(({ record }) =>
      record.kind === 'delivery' && record.value.event_name === 'Server.Created' ? [record.value] : [],
    );
    fc.pre(bodies.length > 0);
    for (const which of again) {
      const { id: _id, seq: _seq, ...body } = bodies[which % bodies.length]!;
      replayed.post('', '', 0, {
        ...body,
        seq: replayed.records.length,
        received_at: startMs + last + 1,
        id: `again-${replayed.records.length}`,
      });
    }
    replayed.tick(last + 10_000);
    const total = (outputs: Output[]) => {
      const panes = new Map(
        outputs.flatMap((output) => (output.kind === 'pane' ? [[output.value.id, output.value.value]] : [])),
      );
      const detections = new Map(
        outputs.flatMap((output) => (output.kind === 'detection' ? [[output.value.id, output.value.count]] : [])),
      );
      const sum = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0);
      return { panes: sum(panes.values()), detections: detections.size, counted: sum(detections.values()) };
    };
    expect(total(run(replayed.records).outputs)).toEqual(total(run(honest).outputs));
  });
});
