/** Health of backups. Times in hours after the start; a report comes an hour after its own time unless a test says else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { silenceOf } from '../../../services/core/flow/backups.ts';
import type { Output } from '../../../services/core/flow/context.ts';
import { type FlowState, restoreState } from '../../../services/core/flow/state.ts';
import type { BackupReport } from '../../../services/core/providers/provider.ts';
import type { Backup } from '../../../services/core/records/generated.ts';
import { type LaneBuilder, laneOf, startMs } from './lane.ts';
import { plain, rowsOf, work } from './watched.ts';

const hour = 3_600_000;
const day = 24;
const at = (hours: number) => startMs + hours * hour;

interface Told extends Partial<BackupReport> {
  /** The backup's own time. */
  at: number;
  /** When the report was received. */
  heard?: number;
}

function report(lane: LaneBuilder, { at: own, heard = own + 1, ...parts }: Told): void {
  const told: BackupReport = {
    server: 'WEB01',
    policy: 'Nightly',
    policyId: '',
    region: '',
    result: 'success',
    ...parts,
  };
  const time = told.result === 'missed' ? { expectedAt: at(own) } : { finishedAt: at(own) };
  const body = {
    entity: 'backup',
    action: 'reported',
    account: 'plain:TEST',
    subject: told.server,
    data: '{}',
    backup: { ...told, ...time },
  };
  lane.post('', body, heard * hour, { provider: plain, endpoint: 'backup', account: 'plain:TEST' });
}

/** Ticks of an idle edge: they must be so close for the lane to have no outage. */
const tickMs = 15_000;
function tickUntil(lane: LaneBuilder, from: number, to: number, everyMs = tickMs): void {
  for (let time = from * hour; time <= to * hour; time += everyMs) lane.tick(time);
}

function tell(told: Told[], more: (lane: LaneBuilder) => void = () => {}): Backup[] {
  const lane = laneOf();
  for (const each of told) report(lane, each);
  more(lane);
  return rowsOf(work(lane.records).outputs, 'backup');
}

/** What a lane comes to as it grows: each time what is new of it is worked on. */
function following(lane: LaneBuilder): () => Output[] {
  const outputs: Output[] = [];
  let state: FlowState | undefined;
  let done = 0;
  return () => {
    const result = work(lane.records.slice(done), state);
    state = result.state;
    done = lane.records.length;
    outputs.push(...result.outputs);
    return outputs;
  };
}

const only = (rows: Backup[]) => {
  expect(rows).toHaveLength(1);
  return rows[0]!;
};

describe('the row of a server and policy', () => {
  test.each<[what: string, told: Told[], row: Partial<Backup>]>([
    [
      'is ok after a success',
      [{ at: 0 }],
      { state: 'ok', last_result: 'success', last_report_at: at(0), last_success_at: at(0), consecutive_failures: 0 },
    ],
    [
      'is failing after a failure, and knows no success',
      [{ at: 0, result: 'failed' }],
      { state: 'failing', last_success_at: null, consecutive_failures: 1 },
    ],
    [
      'takes a success in part for none',
      [{ at: 0 }, { at: 24, result: 'partial_success' }, { at: 48, result: 'failed' }],
      { state: 'failing', last_result: 'failed', last_success_at: at(0), consecutive_failures: 2 },
    ],
    [
      'is well again after a success',
      [{ at: 0, result: 'failed' }, { at: 24 }],
      { state: 'ok', last_success_at: at(24), consecutive_failures: 0 },
    ],
    [
      'counts missed ones in a row, which are no failures and end none',
      [
        { at: 0, result: 'failed' },
        { at: 24, result: 'missed' },
        { at: 48, result: 'missed' },
      ],
      { state: 'missed', last_result: 'missed', last_missed_at: at(48), missed: 2, consecutive_failures: 1 },
    ],
    [
      'has missed none any more once the server reports',
      [{ at: 0, result: 'missed' }, { at: 24 }],
      { state: 'ok', missed: 0, last_missed_at: at(0) },
    ],
    [
      'follows the own times of reports that come in another order',
      [
        { at: 48, heard: 50 },
        { at: 24, heard: 51, result: 'failed' },
        { at: 0, heard: 52, result: 'missed' },
      ],
      { state: 'ok', last_report_at: at(48), last_success_at: at(48), consecutive_failures: 0, last_missed_at: at(0) },
    ],
    [
      'is the same where a report comes twice',
      [
        { at: 0, result: 'failed' },
        { at: 0, result: 'failed', heard: 3 },
      ],
      { consecutive_failures: 1, version: 2 ** 32 + 1 },
    ],
    ['does not believe a time that is still to come', [{ at: 900, heard: 2 }], { last_report_at: at(2) }],
    [
      'keeps the id of a policy that some reports do not tell',
      [{ at: 0, policyId: 'p-1' }, { at: 24 }],
      { policy_id: 'p-1', events: [expect.any(String), expect.any(String)] as never },
    ],
  ])('%s', (_what, told, row) => {
    expect(only(tell(told))).toMatchObject({ account: 'plain:TEST', server: 'WEB01', policy: 'Nightly', ...row });
  });

  test('is one for each server and each policy', () => {
    const rows = tell([{ at: 0 }, { at: 1, policy: 'Weekly' }, { at: 2, server: 'WEB02', policy: 'Nightly' }]);
    expect(rows.map(({ server, policy }) => `${server} ${policy}`).sort()).toEqual([
      'WEB01 Nightly',
      'WEB01 Weekly',
      'WEB02 Nightly',
    ]);
  });

  test('sums up what it no longer lists', () => {
    const told = Array.from({ length: 60 }, (_, n) => ({ at: n * day, result: 'failed' as const }));
    const row = only(tell([{ at: -day }, ...told]));
    expect(row).toMatchObject({ consecutive_failures: 60, last_success_at: at(-day) });
    expect(row.events).toHaveLength(20);
  });
});

describe('a server is silent', () => {
  const nightly: Told[] = [{ at: 0 }, { at: 24 }, { at: 48 }];

  test('after twice its usual interval, by the watermark; its next report ends it', () => {
    const lane = laneOf();
    for (const each of nightly) report(lane, each);
    tickUntil(lane, 0, 96);
    const worked = following(lane);
    const health = () => only(rowsOf(worked(), 'backup'));
    expect(health()).toMatchObject({ state: 'ok', usual_interval_ms: 24 * hour, silent_since: null });
    lane.tick(96 * hour + 2_000);
    expect(health()).toMatchObject({ state: 'silent', silent_since: at(72), last_result: 'success' });
    report(lane, { at: 97, result: 'failed' });
    expect(health()).toMatchObject({ state: 'failing', silent_since: null });
  });

  test('at least six hours after its usual interval', () => {
    const health = (hours: number) =>
      only(tell([{ at: 0 }, { at: 1 }, { at: 2 }], (lane) => tickUntil(lane, 0, hours))).state;
    expect(health(8)).toBe('ok');
    expect(health(10)).toBe('silent');
  });

  test('though the provider says that backups are missed: that is not the server speaking', () => {
    const missed: Told[] = [
      { at: 72, result: 'missed' },
      { at: 96, result: 'missed' },
    ];
    const row = only(tell([...nightly, ...missed], (lane) => tickUntil(lane, 0, 100)));
    expect(row).toMatchObject({ state: 'silent', last_result: 'missed', missed: 2, silent_since: at(72) });
  });

  test('never where fewer than three reports tell what is usual', () => {
    const row = only(tell(nightly.slice(0, 2), (lane) => tickUntil(lane, 0, 120)));
    expect(row).toMatchObject({ state: 'ok', usual_interval_ms: null });
  });

  test('only for as long as somebody could hear: an outage is no silence', () => {
    const lane = laneOf();
    for (const each of nightly) report(lane, each);
    const worked = following(lane);
    const health = () => only(rowsOf(worked(), 'backup')).state;
    tickUntil(lane, 0, 60);
    tickUntil(lane, 80, 97);
    expect(health()).toBe('ok');
    tickUntil(lane, 97, 115.9);
    expect(health()).toBe('ok');
    tickUntil(lane, 115.9, 116.1);
    expect(health()).toBe('silent');
  });

  test('and forgotten after 90 days: its row is withdrawn', () => {
    const lane = laneOf();
    for (const each of nightly) report(lane, each);
    tickUntil(lane, 48, 48 + 90 * day + 1, hour);
    const { outputs, state } = work(lane.records);
    expect(rowsOf(outputs, 'backup')).toEqual([]);
    expect(state.backups.size + state.alarms.size + state.alarmClock.size).toBe(0);
    expect(state.counts.sortedEntries('backups').filter(([, count]) => count !== 0)).toEqual([]);
  });

  test.each([
    { what: 'every night', pauses: [24, 24, 24, 24], silent: 48 },
    { what: 'nights but weekends, once seen', pauses: [24, 24, 24, 24, 72], silent: 48 },
    { what: 'nights but weekends, twice seen', pauses: [24, 24, 24, 24, 72, 24, 24, 24, 24, 72], silent: 78 },
    { what: 'with one long fault', pauses: [24, 24, 400, 24, 24], silent: 48 },
    { what: 'every hour', pauses: [1, 1, 1], silent: 7 },
    { what: 'weekly', pauses: [168, 168], silent: 336 },
  ])('$what: after $silent hours', ({ pauses, silent }) => {
    const times = [0];
    for (const pause of pauses) times.push(times.at(-1)! + pause * hour);
    expect(silenceOf(times)!.silentMs).toBe(silent * hour);
  });
});

const result = fc.constantFrom('success' as const, 'partial_success' as const, 'failed' as const, 'missed' as const);
/** Up to as many reports as are kept, within the lateness. */
const reports = fc.uniqueArray(fc.record({ at: fc.integer({ min: 0, max: 46 }), result }), {
  selector: ({ at: own }) => own,
  minLength: 1,
  maxLength: 24,
});

test('in whatever order reports come, the row says the same', () => {
  fc.assert(
    fc.property(reports, fc.infiniteStream(fc.nat()), fc.integer({ min: 48, max: 60 }), (told, random, until) => {
      const row = (order: Told[]) => {
        const lane = laneOf();
        order.forEach((each, n) => {
          report(lane, { ...each, heard: 47 + n / 1_000 });
        });
        tickUntil(lane, 48, until);
        const {
          version: _v,
          id: _i,
          first_received_at: _f,
          position: _p,
          events: _e,
          ...rest
        } = only(rowsOf(work(lane.records).outputs, 'backup'));
        return rest;
      };
      const shuffled = told.map((each) => ({ each, by: random.next().value })).sort((a, b) => a.by - b.by);
      const sorted = told.toSorted((a, b) => a.at - b.at);
      expect(row(shuffled.map(({ each }) => each))).toEqual(row(sorted));
    }),
    { numRuns: 40 },
  );
});

test('the row is what a reader of all reports would say', () => {
  fc.assert(
    fc.property(reports, (told) => {
      const sorted = told.toSorted((a, b) => a.at - b.at);
      const runs = sorted.filter((each) => each.result !== 'missed');
      const row = only(tell(told.map((each) => ({ ...each, heard: 47 }))));
      const bad = runs.slice(runs.findLastIndex((each) => each.result === 'success') + 1);
      const missed = sorted.slice(sorted.findLastIndex((each) => each.result !== 'missed') + 1);
      expect(row).toMatchObject({
        last_result: sorted.at(-1)!.result,
        consecutive_failures: bad.length,
        missed: missed.length,
        last_success_at: runs.some((each) => each.result === 'success')
          ? at(runs.findLast((each) => each.result === 'success')!.at)
          : null,
      });
    }),
  );
});

test('a restored state goes on as the one that was saved', () => {
  const lane = laneOf();
  for (const each of [{ at: 0 }, { at: 24 }, { at: 48 }]) report(lane, each);
  tickUntil(lane, 49, 100);
  const cut = lane.records.length - 20;
  const whole = work(lane.records);
  const before = work(lane.records.slice(0, cut));
  const after = work(lane.records.slice(cut), restoreState([...before.state.tables.snapshot()]));
  expect([...before.outputs, ...after.outputs]).toEqual(whole.outputs);
  expect(rowsOf(whole.outputs, 'backup')[0]!.state).toBe('silent');
});
