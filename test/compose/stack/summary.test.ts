import { expect, test } from 'vitest';
import { formatSummary } from '../../../services/simulator/summary.ts';
import type { Counts } from '../../../services/simulator/tally.ts';
import { factsOf, readChecks } from './summary.ts';

const counts: Counts = {
  sent: 3,
  accepted: 3,
  outcomes: new Map([['202', 3]]),
  unsubscribed: 0,
  deliveries: new Map([
    ['Account.Created', 1],
    ['Server.Created', 2],
  ]),
  twins: 0,
  pending: 0,
  copies: new Map(),
  events: new Map([
    ['Account.Created', 1],
    ['Server.Created', 2],
  ]),
  accounts: new Set(['R1A']),
  serversCreated: new Set(['WA1', 'WA2']),
  alerts: { opened: 0, closed: 0 },
  fraud: undefined,
  nearMisses: new Map(),
  detections: new Map(),
};

test('what the simulator prints is read as it was meant', () => {
  const checks = readChecks(
    formatSummary({
      counts,
      endpoints: { root: new Map(), branch: new Map() },
      runTag: 'R1',
      seconds: 1,
      lateMsMax: 0,
      clickhouseUrl: 'http://a',
    }),
  );
  expect(checks.map(({ what, expected }) => [what, expected])).toEqual([
    ['deliveries by event', ['account.created', '1', 'server.created', '2']],
    ['events by type', ['account.created', '1', 'server.created', '2']],
    ['copies of an event at another endpoint', []],
    ['deliveries that wait, of an account that is not known', []],
    ['accounts', ['1']],
    ['distinct servers created', ['2']],
    ['alert episodes', []],
    ['detections', []],
  ]);
  expect(checks[4]!.sql).toBe("SELECT uniqExact(account) FROM hookwatch.events WHERE account LIKE 'centurylink:R1%'");
});

test.each([
  ['Server.Created 3, User.Created 1', 'centurylink.server.created\t3\ncenturylink.user.created\t1\n'],
  ['closed 2, open 0', 'closed\t2\n'],
  ['centurylink:R1ABC, count 8', 'centurylink:R1ABC\t8\n'],
])('%s is %j', (expected, rows) => {
  expect(factsOf(expected.replaceAll(/[,;]|\bcount\b/g, ' '))).toEqual(factsOf(rows));
});

test('another count is another fact', () => {
  expect(factsOf('open\t1\n')).not.toEqual(factsOf('open 2'));
});
