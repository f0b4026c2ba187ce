import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../services/simulator/sender.ts';
import { createTally } from '../../services/simulator/tally.ts';
import { itemOf, scenarioOf } from './fixtures.ts';

const accepted: Outcome = { kind: 'answered', status: 202, id: 'x' };
const rule = { servers: 2, within_ms: 1_000 };

test('counts every outcome, and facts only of what was accepted', () => {
  const tally = createTally(rule, ['A']);
  tally.add(itemOf({ subject: 'A1' }), accepted);
  tally.add(itemOf({ subject: 'A2' }), { kind: 'answered', status: 503, id: '' });
  tally.add(itemOf({ subject: 'A3' }), { kind: 'failed', code: 'ECONNRESET' });
  tally.skip();
  expect(tally.totals()).toEqual({ sent: 3, accepted: 1 });
  expect(tally.counts()).toMatchObject({
    sent: 3,
    accepted: 1,
    unsubscribed: 1,
    outcomes: new Map([
      ['202', 1],
      ['503', 1],
      ['ECONNRESET', 1],
    ]),
    events: new Map([['Server.Created', 1]]),
    serversCreated: new Set(['A1']),
  });
});

const created = itemOf({ event: 'Account.Created', atMs: 100 });
const server = (subject: string, atMs: number) => itemOf({ subject, atMs });

test.each([
  { what: 'distinct servers after the creation', items: [created, server('1', 200), server('2', 1_100)], detected: 2 },
  { what: 'whatever order the answers come in', items: [server('2', 300), server('1', 200), created], detected: 2 },
  { what: 'not one server twice', items: [created, server('1', 200), server('1', 300)], detected: undefined },
  { what: 'not beyond the window', items: [created, server('1', 200), server('2', 1_101)], detected: undefined },
  { what: 'not before the creation', items: [server('1', 50), created, server('2', 200)], detected: undefined },
  { what: 'not in an old account', items: [server('1', 200), server('2', 300)], detected: undefined },
])('expects a detection of $what', ({ items, detected }) => {
  const tally = createTally(rule, ['A']);
  for (const item of items) tally.add(item, accepted);
  expect(tally.counts().detections.get('A')).toBe(detected);
});

test('a whole scenario: the fraud alone is expected, and the alerts add up', () => {
  const tally = createTally({ servers: 5, within_ms: 3_600_000 }, ['NWND']);
  const items = scenarioOf();
  for (const item of items) tally.add(item, accepted);
  const { fraud, detections, nearMisses, alerts, events } = tally.counts();
  expect(fraud).toMatchObject({ servers: 8 });
  expect([...detections]).toEqual([[fraud!.account, 8]]);
  expect(nearMisses.size).toBe(4);
  expect(alerts.opened + alerts.closed).toBe(events.get('Alert.Notification'));
  expect(alerts.opened - alerts.closed).toBe(items.filter(({ label }) => label === 'alert-never-closed').length);
});

describe('accounts of which nothing says whose they are', () => {
  const below = (account: string, parent: string) => itemOf({ event: 'Account.Updated', account, parent });

  test('have deliveries that wait, and no facts', () => {
    const tally = createTally(rule, ['ROOT']);
    for (const item of [below('X', 'ELSEWHERE'), itemOf({ account: 'X' }), itemOf({ account: 'Y' })])
      tally.add(item, accepted);
    expect(tally.counts()).toMatchObject({ pending: 3, accepted: 3, events: new Map(), accounts: new Set() });
  });

  test('are known by what is told of them and of those above, in whatever order', () => {
    const tally = createTally(rule, ['ROOT']);
    for (const item of [itemOf({ account: 'X' }), below('X', 'Y'), below('Y', 'ROOT')]) tally.add(item, accepted);
    expect(tally.counts()).toMatchObject({ pending: 0, accounts: new Set(['X', 'Y']) });
  });
});

test('copies count once, by where they came', () => {
  const tally = createTally(rule, ['A']);
  const told = (unit: number, ...ways: ('root' | 'branch')[]) => {
    for (const way of ways) {
      const copy = itemOf({ event: 'Server.Updated', unit, ...(way === 'branch' && { to: way }) });
      tally.add(copy, accepted);
    }
  };
  told(1, 'root', 'branch');
  told(2, 'branch', 'root');
  told(3, 'root');
  told(4, 'branch');
  expect(tally.counts()).toMatchObject({
    deliveries: new Map([['Server.Updated', 6]]),
    events: new Map([['Server.Updated', 4]]),
    twins: 2,
    copies: new Map([['Server.Updated', { both: 2, rootOnly: 1, branchOnly: 1 }]]),
  });
});
