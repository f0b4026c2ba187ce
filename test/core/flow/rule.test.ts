/** account-created-then-servers, by example. Times in minutes; `A` the account, digits its servers. */
import { describe, expect, test } from 'vitest';
import { step } from '../../../services/core/flow/flow.ts';
import { createState } from '../../../services/core/flow/state.ts';
import type { Detection } from '../../../services/core/records/generated.ts';
import { accountBody, iso, type LaneBuilder, laneOf, serverBody, startMs } from './lane.ts';

const minute = 60_000;

function detectionsOf(lane: LaneBuilder): Detection[] {
  const { outputs } = step(createState(), lane.records);
  const newest = new Map<string, Detection>();
  for (const output of outputs) if (output.kind === 'detection') newest.set(output.value.id, output.value);
  return [...newest.values()];
}

const account = (lane: LaneBuilder, atMin: number, alias = 'NEW') =>
  lane.post('Account.Created', accountBody(alias), atMin * minute);
const server = (lane: LaneBuilder, atMin: number, name: string, alias = 'NEW', createdMin = atMin) =>
  lane.post('Server.Created', serverBody(alias, name, createdMin * minute), atMin * minute);

test('fires on the record that crosses the threshold, with the ids of all its events', () => {
  const lane = laneOf();
  const crossing = [account(lane, 0), ...[1, 2, 3, 4, 5].map((n) => server(lane, n, `S${n}`))].at(-1)!;
  const { outputs } = step(createState(), lane.records);
  const events = outputs.flatMap((output) => (output.kind === 'event' ? [output.value.id] : []));
  const fired = outputs.filter((output) => output.kind === 'detection').map(({ value }) => value);
  expect(fired).toMatchObject([
    {
      rule: 'account-created-then-servers',
      account: 'centurylink:NEW',
      position: crossing.position,
      started_at: startMs,
      fired_at: startMs + 5 * minute,
      threshold: 5,
      window_ms: 60 * minute,
      count: 5,
      severity: 'high',
      subjects: ['S1', 'S2', 'S3', 'S4', 'S5'],
      events,
    },
  ]);
});

test('further servers amend the detection: one id, growing evidence', () => {
  const lane = laneOf();
  account(lane, 0);
  for (let n = 1; n <= 8; n++) server(lane, n, `S${n}`);
  const [detection, ...others] = detectionsOf(lane);
  expect(others).toEqual([]);
  expect(detection).toMatchObject({ count: 8, fired_at: startMs + 5 * minute });
  expect(detection?.events).toHaveLength(9);
});

describe('does not fire', () => {
  const nearMisses: [name: string, tell: (lane: LaneBuilder) => void][] = [
    ['on one server too few', (lane) => [1, 2, 3, 4].forEach((n) => void server(lane, n, `S${n}`))],
    ['on servers after the window', (lane) => [1, 2, 3, 4, 61].forEach((n) => void server(lane, n, `S${n}`))],
    ['on one server told five times', (lane) => [1, 2, 3, 4, 5].forEach((n) => void server(lane, n, 'S1', 'NEW', 1))],
    [
      'on servers of other accounts',
      (lane) => [1, 2, 3, 4, 5].forEach((n) => void server(lane, n, `S${n}`, `ACC${n}`)),
    ],
    [
      'on updates of many servers',
      (lane) =>
        [1, 2, 3, 4, 5].forEach((n) => void lane.post('Server.Updated', serverBody('NEW', `S${n}`, n), n * minute)),
    ],
  ];
  test.each(nearMisses)('%s', (_name, tell) => {
    const lane = laneOf();
    account(lane, 0);
    tell(lane);
    expect(detectionsOf(lane)).toEqual([]);
  });

  test('on an account that was only seen', () => {
    const lane = laneOf();
    lane.post('Account.Updated', accountBody('NEW'), 0);
    for (let n = 1; n <= 6; n++) server(lane, n, `S${n}`);
    expect(detectionsOf(lane)).toEqual([]);
  });

  test('on an old account whose creation is told again', () => {
    const lane = laneOf();
    account(lane, 0);
    account(lane, 300);
    for (let n = 301; n <= 306; n++) server(lane, n, `S${n}`);
    expect(detectionsOf(lane)).toEqual([]);
  });
});

test('fires although the account is told after its servers', () => {
  const lane = laneOf();
  for (let n = 1; n <= 5; n++) server(lane, n, `S${n}`);
  account(lane, 6);
  expect(detectionsOf(lane)).toMatchObject([{ count: 5, subjects: ['S1', 'S2', 'S3', 'S4', 'S5'] }]);
});

test('the thresholds are those of the settings', () => {
  const lane = laneOf({ servers: 2, within_ms: 10 * minute });
  account(lane, 0);
  server(lane, 1, 'S1');
  server(lane, 2, 'S2');
  expect(detectionsOf(lane)).toMatchObject([
    { threshold: 2, window_ms: 10 * minute, title: expect.stringContaining('10 min') },
  ]);
});

test('a server that is deleted and made again counts once within the window', () => {
  const lane = laneOf({ servers: 2 });
  account(lane, 0);
  server(lane, 1, 'S1');
  lane.post('Server.Deleted', { accountAlias: 'NEW', name: 'S1' }, 2 * minute);
  server(lane, 3, 'S1');
  expect(detectionsOf(lane)).toEqual([]);
});

test('an alias that is used again begins a new life', () => {
  const lane = laneOf({ servers: 2 });
  account(lane, 0);
  lane.post('Account.Deleted', { accountAlias: 'NEW' }, 100 * minute);
  account(lane, 200);
  server(lane, 201, 'S1');
  server(lane, 202, 'S2');
  expect(detectionsOf(lane)).toMatchObject([{ started_at: startMs + 200 * minute }]);
});

test('servers of an earlier life count towards no later one', () => {
  const lane = laneOf();
  account(lane, 0);
  for (let n = 1; n <= 4; n++) server(lane, n, `S${n}`);
  lane.post('Account.Deleted', { accountAlias: 'NEW' }, 45 * minute);
  account(lane, 50);
  server(lane, 51, 'S5');
  expect(detectionsOf(lane)).toEqual([]);
});

test('a server with a date of long ago counts when it was heard of, and says so', () => {
  const lane = laneOf({ servers: 2 });
  account(lane, 0);
  lane.post('Server.Created', serverBody('NEW', 'S1', -500 * minute), minute);
  const { outputs } = step(createState(), lane.records);
  const event = outputs.findLast((output) => output.kind === 'event')?.value;
  expect(event).toMatchObject({ time: startMs + minute, time_basis: 'received', flags: ['stale'] });
  expect(iso(startMs)).toBe('2026-01-05T09:00:00.000Z');
});
