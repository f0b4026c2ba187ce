/** The coverage ledger. Times in minutes after the start. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Output, StepContext } from '../../../services/core/flow/context.ts';
import {
  addCause,
  type CauseSpan,
  emitCoverage,
  everyAccount,
  noteAccount,
  noteCause,
  noteLoss,
  noteMeasured,
  type Reason,
} from '../../../services/core/flow/coverage.ts';
import { createState, metaOf } from '../../../services/core/flow/state.ts';
import type { Coverage } from '../../../services/core/records/generated.ts';
import { type LaneBuilder, laneOf, settingsDocument, startMs } from './lane.ts';
import { plain, rowsOf, work } from './watched.ts';

const minute = 60_000;
const hour = 60 * minute;
const at = (minutes: number) => startMs + minutes * minute;
const account = 'plain:ACME';
const other = 'b000000000000002';

/** Ticks of an idle edge, so close that there is no outage. */
function alive(lane: LaneBuilder, from: number, to: number, parts: { boot?: string; seqFrom?: number } = {}): void {
  let seq = parts.seqFrom;
  for (let ms = from * minute; ms <= to * minute; ms += 10_000) {
    const time = startMs + ms;
    lane.control({ kind: 'tick', received_at: time, time, ...(parts.boot && { boot: parts.boot, seq: seq! }) });
    if (seq !== undefined) seq += 1;
  }
}

const tell = (rows: readonly Coverage[], of: string) =>
  rows
    .filter((row) => row.account === of)
    .map(({ state, reasons, started_at, ended_at }) =>
      [
        state,
        (started_at - startMs) / minute,
        ended_at === null ? 'on' : (ended_at - startMs) / minute,
        ...reasons,
      ].join(' '),
    );
const ledger = (lane: LaneBuilder, of = everyAccount) => tell(rowsOf(work(lane.records).outputs, 'coverage'), of);

describe('the lane as a whole', () => {
  test('is blind while no edge is alive, from the last sign of life to the next', () => {
    const lane = laneOf();
    alive(lane, 0, 10);
    alive(lane, 30, 31);
    expect(ledger(lane)).toEqual(['good 0 10', 'blind 10 30 no_edge', 'good 30 on']);
  });

  test('is not blind between the ticks of an idle edge', () => {
    const lane = laneOf();
    for (const ms of [0, 15_000, 30_000]) lane.tick(ms);
    expect(ledger(lane)).toEqual(['good 0 on']);
    lane.tick(45_001);
    expect(ledger(lane)).toHaveLength(3);
  });

  test('is as good as its best edge: what another one sends late takes a blindness back', () => {
    const lane = laneOf();
    alive(lane, 0, 10);
    alive(lane, 30, 31);
    expect(ledger(lane)).toHaveLength(3);
    lane.control({ kind: 'boot', boot: other, seq: 0, edge: 'edge-2', received_at: at(10) });
    alive(lane, 10, 20, { boot: other, seqFrom: 1 });
    const next = { boot: 'b000000000000003', seq: 0, edge: 'edge-2', predecessor: other, received_at: at(31) };
    lane.control({ kind: 'boot', ...next });
    alive(lane, 31.1, 31.5);
    expect(ledger(lane)).toEqual(['good 0 20', 'blind 20 30 no_edge', 'good 30 on']);
  });

  test('is degraded while an edge has told less than it has', () => {
    const lane = laneOf();
    lane.control({ kind: 'boot', boot: other, seq: 0, edge: 'edge-2' });
    alive(lane, 0, 2, { boot: other, seqFrom: 1 });
    alive(lane, 0, 2);
    lane.control({ kind: 'tick', boot: other, seq: 20, received_at: at(2.1), time: at(2.1) });
    alive(lane, 2.1, 3);
    expect(ledger(lane)).toEqual(['good 0 2', 'degraded 2 on producer_behind']);
    // What was missing comes: nothing of that time is missing any more.
    for (let seq = 14; seq <= 20; seq++) {
      lane.control({ kind: 'tick', boot: other, seq, received_at: at(2.1), time: at(2.1) });
    }
    lane.control({ kind: 'tick', boot: other, seq: 21, received_at: at(3), time: at(3) });
    alive(lane, 3.1, 4);
    expect(ledger(lane)).toEqual(['good 0 on']);
  });

  test('is degraded while an edge is a minute behind the others', () => {
    const lane = laneOf();
    lane.control({ kind: 'boot', boot: other, seq: 0, edge: 'edge-2' });
    alive(lane, 0, 1.5);
    expect(ledger(lane)).toEqual(['degraded 0 on producer_behind']);
  });

  test('is blind where a lost edge may have taken something in that nobody else has', () => {
    const lane = laneOf();
    lane.control({ kind: 'boot', boot: other, seq: 0, edge: 'edge-2' });
    alive(lane, 0, 2, { boot: other, seqFrom: 1 });
    alive(lane, 0, 5);
    const document = JSON.stringify({ boot: other, edge: 'edge-2' });
    lane.control({ kind: 'gap', received_at: at(5), document });
    alive(lane, 5.1, 6);
    expect(ledger(lane)).toEqual(['good 0 2', 'blind 2 5 records_lost', 'good 5 on']);
  });

  test('until its next start, where one was heard of before it was declared lost', () => {
    const lane = laneOf();
    lane.control({ kind: 'boot', boot: other, seq: 0, edge: 'edge-2' });
    alive(lane, 0, 2, { boot: other, seqFrom: 1 });
    alive(lane, 0, 3);
    lane.control({ kind: 'boot', boot: 'b000000000000003', seq: 0, edge: 'edge-2', received_at: at(3) });
    alive(lane, 3.1, 9);
    lane.control({ kind: 'gap', received_at: at(9), document: JSON.stringify({ boot: other, edge: 'edge-2' }) });
    alive(lane, 9.1, 10);
    expect(ledger(lane)[1]).toBe('blind 2 3 records_lost');
  });

  test('and nothing is remembered of that edge once this can be amended no longer', () => {
    const lane = laneOf();
    lane.control({ kind: 'boot', boot: other, seq: 0, edge: 'edge-2' });
    alive(lane, 0, 2, { boot: other, seqFrom: 1 });
    alive(lane, 0, 5);
    lane.control({ kind: 'gap', received_at: at(5), document: JSON.stringify({ boot: other, edge: 'edge-2' }) });
    alive(lane, 5.1, 6);
    expect(work(lane.records).state.lostProducers.size).toBe(1);
    // Outages make new rows, and with them the old ones are closed.
    for (const hours of [60, 120]) alive(lane, hours * 60, hours * 60 + 1);
    expect(work(lane.records).state.lostProducers.size).toBe(0);
    expect(ledger(lane).slice(0, 2)).toEqual(['good 0 2', 'blind 2 5 records_lost']);
  });

  test('but not once that edge has told everything after all', () => {
    const lane = laneOf();
    lane.control({ kind: 'boot', boot: other, seq: 0, edge: 'edge-2' });
    alive(lane, 0, 2, { boot: other, seqFrom: 1 });
    alive(lane, 0, 5);
    lane.control({ kind: 'gap', received_at: at(5), document: JSON.stringify({ boot: other, edge: 'edge-2' }) });
    lane.control({ kind: 'tick', boot: other, seq: 14, received_at: at(2.1), time: at(2.1) });
    const next = { boot: 'b000000000000003', seq: 0, edge: 'edge-2', predecessor: other, received_at: at(5.5) };
    lane.control({ kind: 'boot', ...next });
    alive(lane, 5.1, 6);
    expect(ledger(lane)).toEqual(['good 0 on']);
  });

  test('is degraded in the minutes in which a clock was not believed', () => {
    const lane = laneOf();
    alive(lane, 0, 2);
    const parts = { provider: plain, account, flags: ['clock_suspect'] };
    lane.post('', { entity: 'thing', action: 'told', account, subject: 'a', data: '{}' }, 2.2 * minute, parts);
    alive(lane, 2.3, 4);
    expect(ledger(lane)).toEqual(['good 0 2', 'degraded 2 3 clock_suspect', 'good 3 on']);
  });
});

test('a delivery of no account says nothing of the lane as a whole', () => {
  const lane = laneOf();
  const body = { entity: 'thing', action: 'told', account: '', subject: 'a', data: '{}' };
  lane.post('', body, 0, { provider: plain, account: '' });
  alive(lane, 0, 1);
  expect(ledger(lane)).toEqual(['good 0 on']);
  expect(rowsOf(work(lane.records).outputs, 'coverage')).toHaveLength(1);
});

describe('an account', () => {
  const settings = { ...settingsDocument, accounts: [], twin_ms: 600_000, replay_ms: 7 * 24 * hour, pending_max: 100 };

  /** A context whose outputs are kept; the watermark is where the test wants it. */
  function begun() {
    const outputs: Output[] = [];
    const state = createState();
    const context = {
      state,
      settings,
      tenant: 'acme',
      position: 0,
      epoch: 1,
      emit: (kind: string, value: unknown) => void outputs.push({ kind, value } as never),
    } as unknown as StepContext;
    const goTo = (minutes: number) => {
      state.meta.set('', '', { ...metaOf(state), watermark: at(minutes) });
      emitCoverage(context);
    };
    return { context, outputs, state, goTo, ledger: () => tell(rowsOf(outputs, 'coverage'), account) };
  }

  test('is unknown from its first record on, good once it is measured, and worse while there are causes', () => {
    const { context, goTo, ledger } = begun();
    noteAccount(context, account, at(0));
    goTo(1);
    expect(ledger()).toEqual(['unknown 0 on not_measured']);
    noteMeasured(context, account, at(60));
    noteLoss(context, { account, endpoint: 'e1', hour: at(120), alone: 2 });
    addCause(context, account, 'endpoint_silent:e2', { from: at(150), to: null });
    goTo(200);
    expect(ledger()).toEqual([
      'unknown 0 60 not_measured',
      'good 60 120',
      'degraded 120 150 twins_lost:e1',
      'blind 150 180 endpoint_silent:e2 twins_lost:e1',
      'blind 180 on endpoint_silent:e2',
    ]);
  });

  test('a loss that is taken back was none, whatever hours are beside it', () => {
    const { context, goTo, ledger } = begun();
    noteMeasured(context, account, at(0));
    for (const hours of [1, 2, 3]) noteLoss(context, { account, endpoint: 'e1', hour: at(60 * hours), alone: 1 });
    goTo(300);
    expect(ledger()).toEqual(['good 0 60', 'degraded 60 240 twins_lost:e1', 'good 240 on']);
    noteLoss(context, { account, endpoint: 'e1', hour: at(120), alone: 0 });
    goTo(300);
    expect(ledger()).toEqual([
      'good 0 60',
      'degraded 60 120 twins_lost:e1',
      'good 120 180',
      'degraded 180 240 twins_lost:e1',
      'good 240 on',
    ]);
  });

  test('what is taken back and comes again has a higher version than its tombstone', () => {
    const { context, outputs, goTo, ledger } = begun();
    noteMeasured(context, account, at(0));
    for (const alone of [1, 0, 1]) {
      noteLoss(context, { account, endpoint: 'e1', hour: at(60), alone });
      goTo(200);
    }
    expect(ledger()).toEqual(['good 0 60', 'degraded 60 120 twins_lost:e1', 'good 120 on']);
    const versions = outputs.flatMap(({ kind, value }) =>
      kind === 'coverage' && value.started_at === at(60) ? [[value.version - 2 ** 32, value.withdrawn]] : [],
    );
    expect(versions.map(([, withdrawn]) => withdrawn)).toEqual([false, true, false]);
    expect(versions.map(([version]) => version)).toEqual(
      [...versions.map(([version]) => version as number)].sort((a, b) => a - b),
    );
    const tombstone = outputs.find(({ kind, value }) => kind === 'coverage' && value.withdrawn);
    expect(tombstone?.value).toMatchObject({ replaced_by: expect.stringMatching(/^[0-9a-f]{12}-/) });
  });

  test('behind the lateness nothing is amended', () => {
    const { context, goTo, ledger, state } = begun();
    noteMeasured(context, account, at(0));
    noteLoss(context, { account, endpoint: 'e1', hour: at(60), alone: 1 });
    goTo(120);
    goTo(120 + 49 * 60);
    noteMeasured(context, account, at(-60));
    addCause(context, account, 'reconciled', { from: at(49 * 60), to: at(50 * 60) });
    goTo(120 + 49 * 60);
    expect(state.coverage.get('', account)?.floor).toBe(at(120));
    noteLoss(context, { account, endpoint: 'e1', hour: at(60), alone: 0 });
    addCause(context, account, 'reconciled', { from: at(0), to: at(60) });
    goTo(120 + 49 * 60);
    expect(ledger()).toEqual([
      'good 0 60',
      'degraded 60 120 twins_lost:e1',
      `good 120 ${49 * 60}`,
      `degraded ${49 * 60} ${50 * 60} reconciled`,
      `good ${50 * 60} on`,
    ]);
  });

  test('its rows that can be amended are bounded, and so are its causes', () => {
    const { context, goTo, state } = begun();
    noteMeasured(context, account, at(0));
    for (let n = 0; n < 400; n++) {
      addCause(context, account, 'clock_suspect', { from: at(n), to: at(n) + 1_000 });
      goTo(n);
    }
    const entry = state.coverage.get('', account)!;
    expect(entry.rows.length).toBeLessThanOrEqual(256);
    expect(Object.values(entry.causes).flat().length).toBeLessThanOrEqual(256);
  });

  test('what time has closed is closed before anything else is said of it', () => {
    const { context, goTo, ledger, state } = begun();
    noteMeasured(context, account, at(0));
    noteLoss(context, { account, endpoint: 'e1', hour: at(60), alone: 1 });
    goTo(120);
    state.meta.set('', '', { ...metaOf(state), watermark: at(121 + 48 * 60) });
    noteLoss(context, { account, endpoint: 'e1', hour: at(60), alone: 0 });
    goTo(121 + 48 * 60);
    expect(ledger()).toEqual(['good 0 60', 'degraded 60 120 twins_lost:e1', 'good 120 on']);
  });

  test('one to whose endpoint nothing comes at all has a ledger by what is lost there', () => {
    const { context, goTo, ledger } = begun();
    noteLoss(context, { account, endpoint: 'e1', hour: at(60), alone: 0 });
    goTo(90);
    expect(ledger()).toEqual([]);
    noteLoss(context, { account, endpoint: 'e1', hour: at(60), alone: 3 });
    goTo(130);
    expect(ledger()).toEqual(['degraded 60 120 twins_lost:e1', 'unknown 120 on not_measured']);
  });

  test('one that nobody has heard of has no ledger', () => {
    const { context, goTo, ledger } = begun();
    addCause(context, account, 'reconciled', { from: at(0), to: at(60) });
    goTo(100);
    expect(ledger()).toEqual([]);
  });

  const reasons: Reason[] = ['twins_lost:e1', 'reconciled', 'endpoint_silent:e2', 'clock_suspect'];
  const span = fc
    .record({
      from: fc.integer({ min: 0, max: 40 }),
      length: fc.option(fc.integer({ min: 1, max: 10 }), { nil: null }),
    })
    .map(({ from, length }): CauseSpan => ({ from: at(from), to: length === null ? null : at(from + length) }));
  const act = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ reason: fc.constantFrom(...reasons), spans: fc.array(span, { maxLength: 4 }) }),
    },
    fc.record({ heard: fc.integer({ min: 0, max: 30 }) }),
    fc.record({ measured: fc.integer({ min: 0, max: 40 }) }),
    { weight: 3, arbitrary: fc.constant('tick' as const) },
  );

  test('rows meet, never overlap, go on to now, and say of each minute what an oracle says', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
        const { context, outputs, goTo } = begun();
        noteAccount(context, account, at(20));
        let since = 20;
        let measured = Number.POSITIVE_INFINITY;
        const causes = new Map<Reason, readonly CauseSpan[]>();
        for (const each of acts) {
          if (each === 'tick') goTo(50);
          else if ('heard' in each) {
            noteAccount(context, account, at(each.heard));
            since = Math.min(since, each.heard);
          } else if ('measured' in each) {
            noteMeasured(context, account, at(each.measured));
            measured = Math.min(measured, each.measured);
            since = Math.min(since, each.measured);
          } else {
            noteCause(context, account, each.reason, each.spans);
            causes.set(each.reason, each.spans);
          }
        }
        goTo(50);
        const rows = rowsOf(outputs, 'coverage').sort((a, b) => a.started_at - b.started_at);
        expect(rows[0]!.started_at).toBe(at(since));
        rows.forEach((row, n) => {
          expect(row.ended_at).toBe(rows[n + 1]?.started_at ?? null);
        });
        for (let now = since; now < 60; now++) {
          const holding = [...causes]
            .filter(([, spans]) => spans.some(({ from, to }) => from <= at(now) && (to === null || at(now) < to)))
            .map(([reason]) => reason)
            .sort();
          const row = rows.findLast(({ started_at }) => started_at <= at(now))!;
          const blind = holding.includes('endpoint_silent:e2');
          const level = blind ? 'blind' : holding.length > 0 ? 'degraded' : now >= measured ? 'good' : 'unknown';
          expect([now, row.state, row.reasons]).toEqual([now, level, level === 'unknown' ? ['not_measured'] : holding]);
        }
      }),
    );
  });
});
