/** Which deliveries are one event, and what is lost at one of two endpoints. ACME is the root, SUB is below it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { minuteOf } from '../../../services/core/flow/durations.ts';
import { step } from '../../../services/core/flow/flow.ts';
import { createState, type FlowState } from '../../../services/core/flow/state.ts';
import { summarize } from '../../../services/core/flow/summary.ts';
import type { Delivery } from '../../../services/core/records/generated.ts';
import { at, day, endpointsOf, hour, laneOfTwo, minute, newest, run, settle } from './identity.ts';
import { type LaneBuilder, laneOf, serverBody, startMs } from './lane.ts';

const body = (n: number) => serverBody('SUB', `S${n}`, 0);
const post = (lane: LaneBuilder, atMs: number, account: string, n = 1, more: Partial<Delivery> = {}) =>
  lane.post('Server.Updated', body(n), atMs, { ...at(account), ...more });
const idOf = (record: ReturnType<LaneBuilder['post']>) => (record.record.value as Delivery).id;
/** Of servers, as "endpoints flags". */
const events = (lane: LaneBuilder) =>
  run(lane)
    .rows('event')
    .filter(({ entity }) => entity === 'server')
    .map(({ endpoints, flags }) => [endpoints.join('+'), ...flags].join(' '));

describe('a copy at the endpoint of another account', () => {
  test('is the same event: its row lists both, and nothing else of it changes', () => {
    const lane = laneOfTwo();
    const first = post(lane, 1_000, 'ACME');
    const second = post(lane, 3_000, 'SUB');
    const { outputs, rows, summary } = run(lane);
    const versions = outputs.flatMap(({ kind, value }) =>
      kind === 'event' && value.entity === 'server' ? [value] : [],
    );
    expect(rows('event').at(-1)).toEqual({
      ...versions[0],
      version: versions[0]!.version + 1,
      position: second.position,
      received_at: startMs + 3_000,
      deliveries: [idOf(first), idOf(second)],
      endpoints: ['root', 'sub'],
    });
    expect(summary.ledger).toEqual({ journaled: 3, events: 2, twins: 1, rejects: 0, pending: 0 });
  });

  test.each<[when: string, atMs: number, expected: string[]]>([
    ['at the end of ten minutes', 10 * minute, ['root+sub']],
    ['later, is an event of its own that came before', 10 * minute + 1, ['root', 'sub replay']],
  ])('%s', (_when, atMs, expected) => {
    const lane = laneOfTwo();
    post(lane, 0, 'ACME');
    post(lane, atMs, 'SUB');
    expect(events(lane)).toEqual(expected);
  });

  test('is none where the bytes, the event or the account differ', () => {
    const lane = laneOfTwo();
    post(lane, 0, 'ACME');
    post(lane, 1, 'SUB', 2);
    lane.post('Server.Created', body(1), 2, at('SUB'));
    expect(run(lane).summary.ledger).toMatchObject({ events: 4, twins: 0 });
  });

  test('that an edge was late to tell of is still one', () => {
    const lane = laneOfTwo();
    post(lane, 0, 'ACME');
    lane.tick(47 * hour);
    post(lane, 5_000, 'SUB');
    expect(events(lane)).toEqual(['root+sub']);
  });

  test('of deliveries that waited for their account is one, too', () => {
    const lane = laneOfTwo();
    for (const owner of ['ACME', 'SUB']) lane.post('Server.Updated', serverBody('NEW', 'S', 0), 0, at(owner));
    expect(run(lane).summary.ledger).toMatchObject({ twins: 0, pending: 2 });
    lane.post('Account.Updated', { accountAlias: 'NEW', parentAlias: 'SUB' }, minute);
    expect(events(lane)).toEqual(['root+sub waited']);
  });
});

describe('the same bytes at the same endpoint', () => {
  test.each<[when: string, atMs: number, flags: string[]]>([
    ['within ten minutes are a repeat', 10 * minute, ['repeat']],
    ['after that a replay', 10 * minute + 1, ['replay']],
    ['on the seventh day, too', 7 * day, ['replay']],
    ['and then they are forgotten', 7 * day + 1, []],
  ])('%s', (_when, atMs, flags) => {
    const lane = laneOf();
    lane.post('User.Updated', { accountAlias: 'ACME', userName: 'ada' }, 0);
    lane.tick(atMs - 1);
    lane.post('User.Updated', { accountAlias: 'ACME', userName: 'ada' }, atMs);
    expect(
      run(lane)
        .rows('event')
        .map((row) => row.flags),
    ).toEqual([[], flags]);
  });

  test('are two events that are paired with the two copies, the first with the first', () => {
    const lane = laneOfTwo();
    const told = [
      post(lane, 0, 'ACME'),
      post(lane, 60_000, 'ACME'),
      post(lane, 61_000, 'SUB'),
      post(lane, 62_000, 'SUB'),
    ];
    const pairs = run(lane)
      .rows('event')
      .slice(-2)
      .map(({ deliveries }) => deliveries);
    expect(pairs).toEqual([
      [idOf(told[0]!), idOf(told[2]!)],
      [idOf(told[1]!), idOf(told[3]!)],
    ]);
    expect(events(lane)).toEqual(['root+sub', 'root+sub repeat']);
  });

  test('are all listed up to a limit that the row tells of', () => {
    const lane = laneOf();
    for (let n = 0; n < 70; n++) post(lane, n, `OWNER${n}`, 1, { account: `centurylink:OWNER${n}`, endpoint: `e${n}` });
    lane.post('Account.Updated', { accountAlias: 'SUB', parentAlias: 'ACME' }, minute);
    const [event] = run(lane).rows('event');
    expect(event).toMatchObject({ flags: ['waited', 'deliveries_unlisted'] });
    expect(event!.deliveries).toHaveLength(64);
    expect(run(lane).summary.ledger).toMatchObject({ events: 2, twins: 69 });
  });
});

test('a sample listener and a named endpoint tell of one event', () => {
  const lane = laneOfTwo('Server.Created');
  const fresh = serverBody('SUB', 'S1', 0);
  lane.post('Server.Created', fresh, 1_000, at('ACME'));
  lane.post('Server', fresh, 2_000, at('SUB'));
  lane.post('Server', serverBody('SUB', 'S2', 0), 3_000, at('SUB'));
  lane.post('Server.Created', serverBody('SUB', 'S2', 0), 4_000, at('ACME'));
  expect(events(lane)).toEqual(['root+sub', 'sub+root']);
});

describe('deliveries in any order, at three accounts, are grouped as the definition says', () => {
  interface Told {
    owner: string;
    n: number;
    at: number;
  }

  /** Straight from the definition, over the whole list, without anything forgotten. */
  function group(told: readonly Told[]): number[][] {
    const groups: number[][] = [];
    for (const [index, { owner, n, at: time }] of told.entries()) {
      const open = groups.filter((members) => {
        const first = told[members[0]!]!;
        return (
          first.n === n &&
          Math.abs(first.at - time) <= 10 * minute &&
          members.every((member) => told[member]!.owner !== owner)
        );
      });
      open.sort((a, b) => told[a[0]!]!.at - told[b[0]!]!.at || a[0]! - b[0]!);
      if (open[0]) open[0].push(index);
      else groups.push([index]);
    }
    return groups;
  }

  const told: fc.Arbitrary<Told> = fc.record({
    owner: fc.constantFrom('ACME', 'SUB', 'OTHER'),
    n: fc.integer({ min: 1, max: 2 }),
    at: fc.integer({ min: 0, max: 40 }).map((half) => half * 30_000 * 1.7),
  });

  test.each([
    ['in order', true],
    ['late', false],
  ])('%s', (_order, sorted) => {
    fc.assert(
      fc.property(fc.array(told, { maxLength: 40 }), fc.boolean(), (list, ticking) => {
        if (sorted) list.sort((a, b) => a.at - b.at);
        const lane = laneOfTwo();
        const ids = list.map(({ owner, n, at: time }) => {
          const record = post(lane, time, owner, n);
          if (ticking && sorted) lane.tick(time);
          return idOf(record);
        });
        const flow = run(lane)
          .rows('event')
          .filter(({ entity }) => entity === 'server')
          .map(({ deliveries }) => deliveries.map((id) => ids.indexOf(id)));
        const byFirst = (a: number[], b: number[]) => a[0]! - b[0]!;
        expect(flow.sort(byFirst)).toEqual(group(list).sort(byFirst));
      }),
      { numRuns: Number(process.env.LAW_RUNS ?? 150) },
    );
  });
});

describe('the loss meter', () => {
  /** As "endpoint by other: both alone", by name. */
  const losses = (lane: LaneBuilder) =>
    run(lane)
      .rows('loss')
      .map(({ endpoint, other_endpoint: other, both, alone }) => `${endpoint} by ${other}: ${both} ${alone}`)
      .sort();

  test('counts, ten minutes after, what came to one of two endpoints only', () => {
    const lane = laneOfTwo();
    post(lane, 0, 'ACME', 1);
    post(lane, 1, 'SUB', 1);
    post(lane, 2, 'ACME', 2);
    post(lane, 3, 'SUB', 3);
    post(lane, 4, 'SUB', 4);
    lane.tick(10 * minute + 2_000);
    expect(losses(lane)).toEqual([]);
    lane.tick(11 * minute + 2_000);
    expect(losses(lane)).toEqual(['root by sub: 1 2', 'sub by root: 1 1']);
    const { rows, summary } = run(lane);
    expect(rows('loss')).toMatchObject([
      { hour: startMs, first_received_at: startMs, account: expect.stringMatching(/^centurylink:(ACME|SUB)$/) },
      { hour: startMs },
    ]);
    expect(summary.losses).toEqual([
      { endpoint: 'root', other: 'sub', both: 1, alone: 2 },
      { endpoint: 'sub', other: 'root', both: 1, alone: 1 },
    ]);
  });

  test('takes back what comes late, and is silent where nothing changed', () => {
    const lane = laneOfTwo();
    post(lane, 0, 'ACME');
    lane.tick(12 * minute);
    expect(losses(lane)).toEqual(['sub by root: 0 1']);
    post(lane, 10, 'SUB');
    lane.tick(13 * minute);
    lane.tick(14 * minute);
    expect(losses(lane)).toEqual(['root by sub: 1 0', 'sub by root: 1 0']);
    expect(run(lane).outputs.filter(({ kind }) => kind === 'loss')).toHaveLength(3);
    expect(run(lane).summary.losses.map(({ alone }) => alone)).toEqual([0, 0]);
  });

  test.each<[where: string, endpoints: Parameters<typeof endpointsOf>]>([
    ['there is but one endpoint', [{ name: 'root', event: 'Server.Updated', account: 'ACME' }]],
    [
      'the parent is not told of accounts below it',
      [
        { name: 'root', event: 'Server.Updated', account: 'ACME', recursive: false },
        { name: 'sub', event: 'Server.Updated', account: 'SUB' },
      ],
    ],
    [
      'the other is told of another event',
      [
        { name: 'root', event: 'Server.Updated', account: 'ACME' },
        { name: 'sub', event: 'Server.Created', account: 'SUB' },
      ],
    ],
    [
      'the other is of an account beside it',
      [
        { name: 'root', event: 'Server.Updated', account: 'ACME' },
        { name: 'side', event: 'Server.Updated', account: 'SIDE' },
      ],
    ],
    [
      'both are of one account',
      [
        { name: 'root', event: 'Server.Updated', account: 'ACME' },
        { name: 'root-2', event: 'Server.Updated', account: 'ACME' },
      ],
    ],
  ])('measures nothing where %s', (_where, endpoints) => {
    const lane = laneOfTwo('Server.Updated', { endpoints: endpointsOf(...endpoints) });
    post(lane, 0, 'ACME');
    lane.tick(20 * minute);
    expect(losses(lane)).toEqual([]);
  });

  test('is what the definition says, however often and late deliveries come', () => {
    const delivery = fc.record({
      n: fc.integer({ min: 1, max: 30 }),
      owner: fc.constantFrom('ACME', 'SUB'),
      afterMs: fc.integer({ min: 0, max: 20 * minute }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(delivery, { maxLength: 40, selector: ({ n, owner }) => `${n} ${owner}` }), (list) => {
        const lane = laneOfTwo();
        let passed = 0;
        for (const { n, owner, afterMs } of list) {
          passed += afterMs / 4;
          // Both copies are of one moment, however late one of them comes.
          post(lane, n * 1_000, owner, n);
          lane.tick(passed + 60_000);
        }
        lane.tick(passed + 12 * minute);
        const came = (owner: string) => new Set(list.filter((one) => one.owner === owner).map(({ n }) => n));
        const [root, sub] = [came('ACME'), came('SUB')];
        const both = [...root].filter((n) => sub.has(n)).length;
        const expected = [
          { endpoint: 'root', other: 'sub', both, alone: sub.size - both },
          { endpoint: 'sub', other: 'root', both, alone: root.size - both },
        ].filter((row) => row.both + row.alone > 0);
        expect(run(lane).summary.losses).toEqual(expected);
        const rows = run(lane)
          .rows('loss')
          .map(({ endpoint, other_endpoint: other, both, alone }) => ({ endpoint, other, both, alone }));
        expect(rows.sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1))).toEqual(expected);
      }),
      { numRuns: Number(process.env.LAW_RUNS ?? 100) },
    );
  });
});

test('what is remembered for twins and replays is forgotten in the end', () => {
  const lane = laneOfTwo();
  for (let n = 0; n < 20; n++) post(lane, n * hour, n % 2 ? 'ACME' : 'SUB', n);
  lane.tick(20 * hour);
  expect(run(lane).summary.remembered).toMatchObject({ twins: 20, bodies: 21 });
  lane.tick(9 * day);
  const { state, summary } = run(lane);
  expect(summary.remembered).toEqual({ waiting: 0, refused: 0, bodies: 0, twins: 0 });
  const left = [
    state.twins,
    state.twinMinutes,
    state.unjudged,
    state.bodies,
    state.snapshots,
    state.losses,
    state.dirtyLosses,
  ];
  expect(left.map((table) => table.size)).toEqual([0, 0, 0, 0, 0, 0, 0]);
});

test('where only one account is told nothing is remembered for twins', () => {
  const lane = laneOf();
  settle(lane, { endpoints: endpointsOf({ name: 'root', event: 'Server.Updated', account: 'ACME' }) });
  lane.post('Server.Updated', serverBody('ACME', 'S1', 0), 0, at('ACME'));
  expect(run(lane).summary.remembered).toMatchObject({ twins: 0, bodies: 1 });
});

describe('where too much would have to be remembered', () => {
  /** A lane that goes on from a state in which so many entries are there already. */
  function goOn(fill: (state: FlowState) => void, atMs: readonly number[]) {
    const lane = laneOfTwo();
    const { state } = step(createState(), lane.records);
    fill(state);
    const known = lane.records.length;
    for (const time of atMs) post(lane, time, 'ACME');
    return step(state, lane.records.slice(known));
  }

  test('events of the oldest minute are forgotten for their twins, and counted', () => {
    const { state } = goOn(
      (full) => {
        for (let n = 0; n < 100_000; n++)
          full.twinMinutes.set(minuteOf(startMs + (n < 10 ? 0 : minute)), `e${n}`, `i${n}`);
      },
      [2 * minute],
    );
    expect(state.twinMinutes.size).toBe(100_000 - 10 + 1);
    expect(summarize(state).forgotten).toEqual({ waiting: 0, bodies: 0, twins: 10 });
  });

  test('further bodies are not remembered, are counted, and come again unflagged', () => {
    const { state, outputs } = goOn(
      (full) => {
        // One is there already.
        for (let n = 1; n < 500_000; n++) full.bodies.set('020458', `b${n}`, startMs);
      },
      [0, hour],
    );
    expect(state.bodies.size).toBe(500_000);
    expect(summarize(state).forgotten).toEqual({ waiting: 0, bodies: 2, twins: 0 });
    expect(newest(outputs, 'event').map(({ flags }) => flags)).toEqual([[], []]);
  });
});
