/** What happened, where the URL says only what it is about. */
import { expect, test } from 'vitest';
import { minute, run } from './identity.ts';
import { accountBody, type LaneBuilder, laneOf, serverBody } from './lane.ts';

const told = (lane: LaneBuilder) =>
  run(lane).outputs.flatMap(({ kind, value }) => (kind === 'event' ? [`${value.action} ${value.novelty}`] : []));

test.each<[what: string, tell: (lane: LaneBuilder) => void, expected: string]>([
  [
    'an unknown server that was created within the hour is created',
    (lane) => void lane.post('Server', serverBody('ACME', 'S', 0), 60 * minute),
    'created created',
  ],
  [
    'one that was created before is seen',
    (lane) => void lane.post('Server', serverBody('ACME', 'S', 0), 60 * minute + 1),
    'updated seen',
  ],
  [
    'one that is created only a minute from now is by a clock that is a little off',
    (lane) => void lane.post('Server', serverBody('ACME', 'S', minute), 0),
    'created created',
  ],
  [
    'one that will be created later is seen',
    (lane) => void lane.post('Server', serverBody('ACME', 'S', minute + 1), 0),
    'updated seen',
  ],
  [
    'a known one is updated',
    (lane) => {
      lane.post('Server.Created', serverBody('ACME', 'S', 0), 0);
      lane.post('Server', serverBody('ACME', 'S', 0, { status: 'archived' }), minute);
    },
    'updated known',
  ],
  [
    'one whose name is used again is created',
    (lane) => {
      lane.post('Server.Created', serverBody('ACME', 'S', 0), 0);
      lane.post('Server', serverBody('ACME', 'S', 2 * minute), 2 * minute);
    },
    'created created',
  ],
  [
    'a body of an account and a name alone is a deletion',
    (lane) => {
      lane.post('Server.Created', serverBody('ACME', 'S', 0), 0);
      lane.post('Server', { accountAlias: 'ACME', name: 'S' }, minute);
    },
    'deleted known',
  ],
  ['an account says no date: it is seen', (lane) => void lane.post('Account', accountBody('NEW'), 0), 'updated seen'],
  [
    'a status that says Deleted is a deletion',
    (lane) => void lane.post('Account', accountBody('ACME', { status: 'Deleted' }), 0),
    'deleted seen',
  ],
  [
    'what a first reconciliation finds was there before',
    (lane) =>
      void lane.post('Server.Created', serverBody('ACME', 'S', 0), 0, {
        origin: 'reconcile',
        headers: { 'hookwatch-bootstrap': 'true' },
      }),
    'updated seen',
  ],
  [
    'what a later one finds may be new',
    (lane) => void lane.post('Server.Created', serverBody('ACME', 'S', 0), 0, { origin: 'reconcile' }),
    'created created',
  ],
])('%s', (_what, tell, expected) => {
  const lane = laneOf();
  tell(lane);
  expect(told(lane).at(-1)).toBe(expected);
});
