import { expect, test } from 'vitest';
import { step } from '../../services/core/flow/flow.ts';
import { createState, type FlowState } from '../../services/core/flow/state.ts';
import { summarize } from '../../services/core/flow/summary.ts';
import { createRegistry, workerMetrics } from '../../services/telemetry.ts';
import { forgetLane, reportLane } from '../../services/worker/report.ts';
import { at, laneOfTwo } from '../core/flow/identity.ts';
import { accountBody, alertBody, iso, type LaneBuilder, laneOf, serverBody, startMs } from '../core/flow/lane.ts';

const minute = 60_000;

/** What a worker exports of a lane, minute by minute. */
function exporting(lane: LaneBuilder) {
  const registry = createRegistry('test');
  const metrics = workerMetrics(registry);
  let state: FlowState = createState();
  return {
    metrics,
    /** Works on what was added to the lane, and reports at that time. */
    report(atMs: number) {
      state = step(state, lane.records.splice(0)).state;
      reportLane(metrics, 'acme', summarize(state), startMs + atMs);
    },
    /** Series of the metric: labels but tenant and service → value. */
    async series(name: string) {
      const metric = (await registry.getMetricsAsJSON()).find((found) => found.name === name)!;
      return (metric.values as { value: number; labels: Record<string, string> }[]).map(({ value, labels }) => {
        const { tenant: _, service: __, ...rest } = labels;
        return [Object.values(rest).join(' '), value];
      });
    },
  };
}

/** Its positions go on where those of the lane so far have ended. */
function alert(lane: LaneBuilder, state: string, receivedMs: number, position: number, ended?: number): void {
  const trigger = {
    state,
    stateStartTime: iso(startMs),
    ...(ended !== undefined && { stateEndTime: iso(startMs + ended) }),
  };
  lane.post('Alert.Notification', alertBody('ACME', 'WEB01', trigger), receivedMs);
  lane.records.at(-1)!.position = position;
}

test('an alert that is on ages while nothing arrives, and is 0 once it has ended', async () => {
  const lane = laneOf();
  alert(lane, 'triggered', minute, 100);
  const { report, series } = exporting(lane);
  report(minute);
  expect(await series('hookwatch_open_episode_oldest_seconds')).toEqual([['cpu', 60]]);
  report(30 * minute);
  expect(await series('hookwatch_open_episode_oldest_seconds')).toEqual([['cpu', 1800]]);
  alert(lane, 'notTriggered', 31 * minute, 200, 31 * minute);
  report(40 * minute);
  expect(await series('hookwatch_open_episode_oldest_seconds')).toEqual([['cpu', 0]]);
  expect(await series('hookwatch_open_episodes')).toEqual([['cpu', 0]]);
});

test('an alert that is on for an hour is counted for good, and shown as open until it ends', async () => {
  const lane = laneOf();
  alert(lane, 'triggered', minute, 100);
  const { report, series } = exporting(lane);
  const counts = async () => [await series('hookwatch_open_long_episodes'), await series('hookwatch_long_episodes')];
  report(90 * minute);
  expect(await counts()).toEqual([[['cpu', 0]], [['cpu', 0]]]);
  lane.tick(61 * minute).position = 200;
  report(61 * minute);
  expect(await counts()).toEqual([[['cpu', 1]], [['cpu', 1]]]);
  lane.post('Server.Deleted', { accountAlias: 'ACME', name: 'WEB01' }, 62 * minute).position = 300;
  report(62 * minute);
  expect(await counts()).toEqual([[['cpu', 0]], [['cpu', 1]]]);
});

test('what twins show of losses, and what the lane remembers, are its series', async () => {
  const lane = laneOfTwo();
  lane.post('Server.Updated', serverBody('SUB', 'S1', 0), 0, at('ACME'));
  lane.post('Server.Updated', serverBody('SUB', 'S1', 0), 1, at('SUB'));
  lane.post('Server.Updated', serverBody('SUB', 'S2', 0), 2, at('SUB'));
  lane.post('Server.Updated', serverBody('STRANGER', 'S3', 0), 3, at('ACME'));
  lane.tick(12 * minute);
  const { report, series } = exporting(lane);
  report(12 * minute);
  expect(await series('hookwatch_twin_losses')).toEqual([
    ['root sub', 1],
    ['sub root', 0],
  ]);
  expect(await series('hookwatch_twins_measured')).toEqual([
    ['root sub', 2],
    ['sub root', 1],
  ]);
  expect(Object.fromEntries(await series('hookwatch_ledger_deliveries'))).toEqual({
    ...{ journaled: 5, events: 3, twins: 1, rejects: 0, pending: 1 },
  });
  expect(Object.fromEntries(await series('hookwatch_lane_remembered'))).toEqual({
    ...{ waiting: 1, refused: 0, bodies: 3, twins: 2 },
  });
});

test('an alert that begins after our clock has no negative age', async () => {
  const lane = laneOf();
  alert(lane, 'triggered', 0, 100);
  const { report, series } = exporting(lane);
  report(-1);
  expect(await series('hookwatch_open_episode_oldest_seconds')).toEqual([['cpu', 0]]);
});

test('a detection is open at first and falls to 0, while it holds', async () => {
  const lane = laneOf({ servers: 1, within_ms: 10 * minute });
  const { report, series } = exporting(lane);
  lane.post('Account.Created', accountBody('NEW'), 0);
  lane.post('Server.Created', serverBody('NEW', 'S1', 0), 0);
  report(0);
  const labels = 'account-created-then-servers high';
  expect(await series('hookwatch_open_detections')).toEqual([[labels, 1]]);
  lane.tick(11 * minute).position = 100;
  report(11 * minute);
  expect(await series('hookwatch_open_detections')).toEqual([[labels, 0]]);
  expect(await series('hookwatch_detections')).toEqual([[labels, 1]]);
});

test('nothing is left of a lane that another worker exports', async () => {
  const lane = laneOf({ servers: 1 });
  alert(lane, 'triggered', minute, 100);
  const { report, series, metrics } = exporting(lane);
  report(minute);
  await forgetLane(metrics, 'acme');
  expect(await series('hookwatch_open_episode_oldest_seconds')).toEqual([]);
});

test('a failing backup, an outage and an account that nothing measures are exported, and gone once they are', async () => {
  const lane = laneOf();
  const account = 'backup:TEST';
  const backup = (status: string, atMs: number) => {
    const time = `2026-01-05 09:${String(atMs / minute).padStart(2, '0')}:00 UTC`;
    const body = {
      text: '',
      status,
      account: 'TEST',
      server: 'WEB01',
      accountPolicyName: 'Nightly',
      finishedDate: time,
    };
    lane.post('', body, atMs, { provider: 'backup', endpoint: 'backups', account, verdict: 'unauthenticated' });
  };
  backup('FAILED', 0);
  lane.tick(0);
  lane.tick(2 * minute);
  const { report, series } = exporting(lane);
  report(2 * minute);
  expect(await series('hookwatch_backups')).toEqual([
    ['failing', 1],
    ['ok', 0],
  ]);
  expect(await series('hookwatch_coverage_accounts')).toEqual([['backup unknown', 1]]);
  expect(await series('hookwatch_lane_blind_seconds')).toEqual([['', 120]]);
  expect(await series('hookwatch_lane_blind_until_seconds')).toEqual([['', (startMs + 2 * minute) / 1000]]);
  expect(await series('hookwatch_endpoint_silent')).toEqual([['backups', 0]]);
  backup('SUCCESS', 3 * minute);
  lane.records.at(-1)!.position = 100;
  report(3 * minute);
  expect(await series('hookwatch_backups')).toEqual([
    ['failing', 0],
    ['ok', 1],
  ]);
});
