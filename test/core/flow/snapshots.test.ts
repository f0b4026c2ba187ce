/** What a reconciliation fetched and the webhook of the same: one event. */
import { describe, expect, test } from 'vitest';
import { at, beginComparison, hour, laneOfTwo, minute, run } from './identity.ts';
import { type LaneBuilder, laneOf, serverBody } from './lane.ts';

const fetched = { origin: 'reconcile' as const, endpoint: 'reconcile' };
/** The API's body of a server: the same snapshot in other bytes. */
const body = (cpu: number, modifiedMin: number, more: object = {}) =>
  serverBody('ACME', 'S', modifiedMin * minute, { details: { cpu, powerState: 'started' }, ...more });
const api = (cpu: number, modifiedMin: number) => JSON.stringify(body(cpu, modifiedMin), null, 2);
/** As "origin: endpoints flags". */
const events = (lane: LaneBuilder) =>
  run(lane)
    .rows('event')
    .filter(({ entity }) => entity !== 'account')
    .map(({ origin, endpoints, flags }) => [`${origin}:`, endpoints.join('+'), ...flags].join(' '));

describe('a webhook, then what was fetched', () => {
  test('of the same snapshot is one event, and nothing was missed', () => {
    const lane = laneOf();
    beginComparison(lane);
    lane.post('Server.Updated', body(2, 0), 0);
    lane.post('Server.Updated', api(2, 0), minute, fetched);
    expect(events(lane)).toEqual(['webhook: server-updated+reconcile']);
    expect(run(lane).summary.ledger).toMatchObject({ events: 1, twins: 1 });
  });

  test('of another one under the same modifiedDate was missed', () => {
    const lane = laneOf();
    beginComparison(lane);
    lane.post('Server.Updated', body(2, 0), 0);
    lane.post('Server.Updated', api(4, 0), minute, fetched);
    expect(events(lane)).toEqual(['webhook: server-updated', 'reconcile: reconcile']);
  });

  test('of a deletion is one event', () => {
    const lane = laneOf();
    beginComparison(lane);
    lane.post('Server.Updated', body(2, 0), 0);
    lane.post('Server.Deleted', { accountAlias: 'ACME', name: 'S' }, 1);
    lane.post('Server.Deleted', '{"accountAlias":"ACME", "name":"S"}', minute, fetched);
    expect(events(lane)).toEqual(['webhook: server-updated', 'webhook: server-deleted+reconcile']);
  });

  test('and its twin at the other endpoint are one event, in whatever order', () => {
    const lane = laneOfTwo();
    beginComparison(lane);
    const sub = serverBody('SUB', 'S', 0);
    lane.post('Server.Updated', sub, 0, at('ACME'));
    lane.post('Server.Updated', JSON.stringify(sub, null, 2), 1, fetched);
    lane.post('Server.Updated', sub, 2, at('SUB'));
    expect(events(lane)).toEqual(['webhook: root+reconcile+sub']);
    lane.tick(20 * minute);
    expect(run(lane).summary.losses.map(({ both, alone }) => [both, alone])).toEqual([
      [1, 0],
      [1, 0],
    ]);
  });
});

describe('what was fetched, then its webhook', () => {
  test.each<[when: string, afterMs: number, expected: string[]]>([
    ['at once', 1, ['reconcile: reconcile+server-updated']],
    ['after two days', 48 * hour, ['reconcile: reconcile+server-updated']],
    ['after more is an event of its own', 48 * hour + 1, ['reconcile: reconcile', 'webhook: server-updated']],
  ])('%s', (_when, afterMs, expected) => {
    const lane = laneOf();
    lane.post('Server.Updated', api(2, 0), 0, fetched);
    lane.post('Server.Updated', body(2, 0), afterMs);
    expect(events(lane).map((event) => event.replace(/ (stale|replay|older_snapshot)/g, ''))).toEqual(expected);
  });

  test('and the twins of that are still one event; the same bytes once more are another', () => {
    const lane = laneOfTwo();
    const sub = serverBody('SUB', 'S', 0);
    lane.post('Server.Updated', JSON.stringify(sub, null, 2), 0, fetched);
    lane.post('Server.Updated', sub, 1, at('ACME'));
    lane.post('Server.Updated', sub, 2, at('SUB'));
    lane.post('Server.Updated', sub, 3, at('SUB'));
    expect(events(lane)).toEqual(['reconcile: reconcile+root+sub', 'webhook: sub repeat']);
  });

  test('and a second run that fetches the same changes nothing', () => {
    const lane = laneOf();
    lane.post('Server.Updated', api(2, 0), 0, fetched);
    lane.post('Server.Updated', api(2, 0), hour, fetched);
    expect(events(lane)).toEqual(['reconcile: reconcile+reconcile']);
  });

  test('of a deletion counts once, and a later life under the name is deleted anew', () => {
    const lane = laneOf();
    const gone = { accountAlias: 'ACME', name: 'S' };
    lane.post('Server.Updated', body(2, 0), 0);
    lane.post('Server.Deleted', gone, minute, fetched);
    lane.post('Server.Deleted', gone, 2 * minute);
    lane.post('Server.Created', body(2, 3), 3 * minute);
    lane.post('Server.Deleted', gone, 20 * minute);
    expect(events(lane)).toEqual([
      'webhook: server-updated',
      'reconcile: reconcile+server-deleted',
      'webhook: server-created',
      'webhook: server-deleted replay',
    ]);
  });
});

test('an account that is again as it was is another event: only the newest snapshot is meant', () => {
  const lane = laneOf();
  const account = (status: string, space = 0) =>
    JSON.stringify({ accountAlias: 'SUB', parentAlias: 'ACME', status }, null, space);
  lane.post('Account.Updated', account('Active', 1), 0, fetched);
  lane.post('Account.Updated', account('Disabled'), 1);
  lane.post('Account.Updated', account('Active', 2), 2, fetched);
  lane.post('Account.Updated', account('Active'), 3);
  const rows = run(lane).rows('event');
  expect(rows.map(({ endpoints }) => endpoints.join('+'))).toEqual([
    'reconcile',
    'account-updated',
    'reconcile+account-updated',
  ]);
});

test('before a first comparison nothing is remembered for one', () => {
  const lane = laneOf();
  lane.post('Server.Updated', body(2, 0), 0);
  expect(run(lane).state.snapshots.size).toBe(0);
  beginComparison(lane);
  lane.post('Server.Updated', body(4, 1), minute);
  expect(run(lane).state.snapshots.size).toBe(1);
});
