import { describe, expect, test } from 'vitest';
import { type BoardLimits, boardLimits, createBoard } from '../../services/console/board.ts';
import { decode } from '../../services/core/records/codec.ts';
import type { Episode, Event } from '../../services/core/records/generated.ts';
import type { NewRecord } from '../../services/ports/log/log.ts';
import { controlOf } from '../core/flow/lane.ts';
import {
  deliveryId,
  eventId,
  frame,
  framePair,
  frameRejected,
  idAt,
  makeDelivery,
  makeDetection,
  makeEpisode,
  makeEvent,
  makeReject,
  noon,
} from './fixtures.ts';

function boardOf(records: NewRecord[], limits: Partial<BoardLimits> = {}) {
  const board = createBoard({ ...boardLimits, ...limits });
  for (const [position, record] of records.entries()) board.apply(decode(record.frame), position);
  return board;
}

const pairs = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => framePair({ seq: from + index })).flat();

const ids = (...seqs: number[]) => seqs.map(eventId);

const alertAt = (seq: number, time: number, time_basis: Event['time_basis'] = 'provider') =>
  framePair({ seq, entity: 'alert', action: 'notified', time, time_basis });

const closedEpisode = (given: Partial<Episode>) =>
  makeEpisode({ state: 'closed', closed_at: noon + 226_000, length_ms: 226_000, ended_by: 'alert', ...given });

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}

describe('joins', () => {
  test.each([
    { entity: 'account', column: 'account' },
    { entity: 'alert', column: 'alert' },
    { entity: 'user', column: 'user' },
    { entity: 'server', column: 'server' },
    { entity: 'backup', column: 'other' },
    { entity: 'rejected', column: 'other' },
  ])('an event about $entity stands under $column', ({ entity, column }) => {
    expect(boardOf(framePair({ seq: 1, entity })).state().rows).toMatchObject([{ id: eventId(1), column }]);
  });

  test.each([
    { event_name: 'User.Updated', column: 'user' },
    { event_name: 'Server.Deleted', column: 'server' },
    { event_name: 'Alert.Notification', column: 'alert' },
    { event_name: '', column: 'rejected' },
    { event_name: 'Teapot.Boiled', column: 'rejected' },
    { event_name: 'Other.Rejected', column: 'rejected' },
  ])('a reject of "$event_name" stands under $column, with its reason', ({ event_name, column }) => {
    const [row] = boardOf(frameRejected({ seq: 1, event_name, reason: 'not JSON' })).state().rows;
    expect(row).toMatchObject({ column, kind: 'reject', subject: 'not JSON', verdict: 'rejected' });
  });

  test('an event carries the verdict, the key and the flags of its delivery', () => {
    const records = framePair({ seq: 1, flags: ['stale'] }, { verdict: 'verified', key_id: 'k1', flags: ['replay'] });
    expect(boardOf(records).state().rows).toMatchObject([
      { verdict: 'verified', key_id: 'k1', flags: ['stale', 'replay'], delivery: deliveryId(1) },
    ]);
  });

  test('an event without its delivery is shown, and completed by a replay that brings both', () => {
    const event = frame('event', makeEvent({ seq: 1 }));
    expect(boardOf([event]).state().rows).toMatchObject([{ verdict: '' }]);
    const board = boardOf([event, ...framePair({ seq: 1 })]);
    expect(board.changesSince(0)?.rows).toMatchObject([{ verdict: 'verified' }]);
    expect(board.findDelivery(deliveryId(1))).toMatchObject({ event: { id: eventId(1) } });
    expect(board.state().totals.events).toBe(1);
  });

  test('a delivery that comes again with a higher version changes its row', () => {
    const board = boardOf([
      ...framePair({ seq: 1 }),
      frame('delivery', makeDelivery({ seq: 1, version: 2, flags: ['replay'] })),
    ]);
    expect(board.changesSince(1)?.rows).toMatchObject([{ id: eventId(1), flags: ['replay'] }]);
  });

  test('twins are one row with two deliveries, and both lead to the event', () => {
    const board = boardOf([
      ...framePair({ seq: 1 }),
      frame('delivery', makeDelivery({ seq: 2 })),
      frame('event', makeEvent({ seq: 1, version: 2, deliveries: [deliveryId(1), deliveryId(2)] })),
    ]);
    expect(board.state()).toMatchObject({ rows: [{ deliveries: 2 }], totals: { events: 1 } });
    for (const seq of [1, 2]) expect(board.findDelivery(deliveryId(seq))?.event?.id).toBe(eventId(1));
  });

  test('an episode marks the alerts behind it, and the higher version counts', () => {
    const board = boardOf([
      ...alertAt(1, noon),
      frame('episode', makeEpisode({ events: [eventId(1)] })),
      ...alertAt(2, noon + 226_000),
      frame('episode', closedEpisode({ version: 2, events: [eventId(1), eventId(2)] })),
      frame('episode', makeEpisode({ events: [eventId(1)] })),
    ]);
    const episode = { metric: 'cpu', state: 'closed', length_ms: 226_000 };
    expect(board.state().rows).toMatchObject([
      { episode: { ...episode, happened: 'opened' } },
      { episode: { ...episode, happened: 'closed' } },
    ]);
  });

  test.each<[name: string, records: NewRecord[], happened: (string | undefined)[]]>([
    [
      'the closing came first',
      [...alertAt(1, noon + 226_000), ...alertAt(2, noon), frame('episode', closedEpisode({ events: ids(1, 2) }))],
      ['closed', 'opened'],
    ],
    [
      'the bodies are too old for their time to count',
      [
        ...alertAt(1, noon + 1e7, 'received'),
        ...alertAt(2, noon + 1e7 + 1, 'received'),
        frame('episode', closedEpisode({ events: ids(1, 2) })),
      ],
      ['opened', 'closed'],
    ],
    [
      'a second opening ended the first episode: it tells of its own',
      [
        ...alertAt(1, noon),
        ...alertAt(2, noon + 226_000),
        frame('episode', closedEpisode({ version: 2, ended_by: 'next_opening', events: ids(1, 2) })),
        frame('episode', makeEpisode({ id: idAt(noon, 'e2'), opened_at: noon + 226_000, events: ids(2) })),
      ],
      ['opened', 'opened'],
    ],
    [
      'a deletion ended it: it tells of the server',
      [
        ...alertAt(1, noon),
        ...framePair({ seq: 2, entity: 'server', action: 'deleted', time: noon + 226_000 }),
        frame('episode', closedEpisode({ version: 2, ended_by: 'deletion', events: ids(1, 2) })),
      ],
      ['opened', undefined],
    ],
    [
      'one alert on two metrics shows the first',
      [
        ...alertAt(1, noon),
        frame('episode', makeEpisode({ events: ids(1) })),
        frame('episode', closedEpisode({ id: idAt(noon, 'e2'), metric: 'disk', version: 9, events: ids(1) })),
      ],
      ['opened'],
    ],
  ])('what happened to an episode: %s', (_name, records, happened) => {
    const { rows } = boardOf(records).state();
    expect(rows.map(({ episode }) => episode?.happened)).toEqual(happened);
    expect(rows.map(({ episode }) => episode?.metric)).toEqual(happened.map((what) => what && 'cpu'));
  });

  test('a detection keeps what is known of its events, also when they have left the page', () => {
    const records = [
      ...pairs(2),
      frame('detection', makeDetection({ events: [eventId(0), eventId(1), 'unmet'] })),
      ...pairs(5, 10),
    ];
    const board = boardOf(records, { rowsPerColumn: 1 });
    expect(board.state().rows.map(({ id }) => id)).not.toContain(eventId(1));
    expect(board.findDetection(makeDetection({}).id)?.evidence).toMatchObject([
      { event: eventId(0), delivery: '' },
      { event: eventId(1), delivery: deliveryId(1), name: 'Server.Updated', subject: 'WA1NWNDWEB01' },
      { event: 'unmet', delivery: '' },
    ]);
  });
});

test('the page is the same in whatever order the kinds of record come', () => {
  const open = makeEpisode({ events: [eventId(1)] });
  const closed = closedEpisode({ version: 2, events: [eventId(1), eventId(2)] });
  const alerts = [...alertAt(1, noon), ...alertAt(2, noon + 226_000)];
  const isOf = (kind: string) => (record: NewRecord) => decode(record.frame).kind === kind;
  const kinds = [
    [...alerts, ...frameRejected({ seq: 3 })].filter(isOf('delivery')),
    alerts.filter(isOf('event')),
    frameRejected({ seq: 3 }).filter(isOf('reject')),
    [frame('episode', open), frame('episode', closed)],
    [frame('detection', makeDetection({ events: [eventId(1), eventId(2)] }))],
  ];
  const shown = (records: NewRecord[]) => {
    const board = boardOf(records);
    const { rows, detections, totals } = board.state();
    const withoutOrder = rows.map(({ order, ...row }) => row).sort((a, b) => a.received_at - b.received_at);
    return {
      rows: withoutOrder,
      detections: detections.length,
      totals,
      evidence: board.findDetection(makeDetection({}).id)?.evidence,
    };
  };
  const expected = shown(kinds.flat());
  expect(expected.rows.map(({ episode }) => episode?.happened)).toEqual(['opened', 'closed', undefined]);
  for (const order of permutations(kinds)) expect(shown(order.flat())).toEqual(expected);
});

test('what waits for an event that never comes is bounded', () => {
  const unmet = Array.from({ length: 50 }, (_, seq) =>
    frame('episode', makeEpisode({ id: `e${seq}`, events: [eventId(seq)] })),
  );
  const alerts = Array.from({ length: 50 }, (_, seq) => framePair({ seq, entity: 'alert', action: 'notified' }));
  const board = boardOf([...unmet, ...alerts.flat()], { waiting: 10 });
  const marked = board.state().rows.filter(({ episode }) => episode);
  expect(marked.map(({ id }) => id).sort()).toEqual(ids(40, 41, 42, 43, 44, 45, 46, 47, 48, 49));
});

test('what the page shows nothing of moves no reader', () => {
  const board = boardOf([...framePair({ seq: 1 }), frame('control', controlOf({ kind: 'tick' }))]);
  expect(board.position()).toBe(1);
});

describe('versions', () => {
  test.each([
    { name: 'a repeat changes nothing', version: 1, subject: 'first' },
    { name: 'a higher version replaces', version: 2, subject: 'second' },
    { name: 'a lower version changes nothing', version: 0, subject: 'first' },
  ])('$name', ({ version, subject }) => {
    const board = boardOf([
      ...framePair({ seq: 1, subject: 'first' }),
      frame('event', makeEvent({ seq: 1, version, subject: 'second' })),
    ]);
    expect(board.state()).toMatchObject({ rows: [{ subject }], totals: { events: 1 } });
    expect(board.changesSince(1)?.rows).toHaveLength(version > 1 ? 1 : 0);
  });

  test.each([
    { what: 'event', id: eventId(1), first: makeEvent({ seq: 1 }) },
    { what: 'reject', id: makeReject({ seq: 1 }).id, first: makeReject({ seq: 1 }) },
    { what: 'detection', id: makeDetection({}).id, first: makeDetection({}) },
  ] as const)('a withdrawn $what goes, is announced, and does not come back by a replay', ({ what, id, first }) => {
    const write = (given: { version: number; withdrawn: boolean }) => frame(what, { ...first, ...given } as never);
    const board = boardOf([
      write({ version: 1, withdrawn: false }),
      write({ version: 2, withdrawn: true }),
      write({ version: 1, withdrawn: false }),
    ]);
    expect(board.state()).toMatchObject({ rows: [], detections: [] });
    expect(board.changesSince(0)?.withdrawn).toEqual([id]);
    expect(board.changesSince(1)?.withdrawn).toEqual([]);
  });

  test('a reject that is taken back gives its delivery to the event that is made of it', () => {
    const reject = makeReject({ seq: 1 });
    const board = boardOf([
      ...frameRejected({ seq: 1 }),
      frame('reject', { ...reject, version: 2, withdrawn: true }),
      frame('event', makeEvent({ seq: 1 })),
    ]);
    expect(board.findDelivery(deliveryId(1))).toMatchObject({ event: { id: eventId(1) } });
    expect(board.findDelivery(deliveryId(1))).not.toHaveProperty('reject');
  });
});

describe('bounds', () => {
  test('a column keeps the newest rows by received time, whatever the order in which they come', () => {
    const order = [3, 1, 5, 2, 4];
    const board = boardOf(
      order.flatMap((seq) => framePair({ seq })),
      { rowsPerColumn: 2 },
    );
    expect(
      board
        .state()
        .rows.map(({ id }) => id)
        .sort(),
    ).toEqual([eventId(4), eventId(5)]);
  });

  test('a replay of what was pushed out neither returns nor counts', () => {
    const board = boardOf([...pairs(5), ...pairs(2)], { rowsPerColumn: 2 });
    expect(board.state()).toMatchObject({ rows: [{ id: eventId(3) }, { id: eventId(4) }], totals: { events: 5 } });
  });

  test('the default limits hold: 200 rows a column, 50 detections', () => {
    const detections = Array.from({ length: 60 }, (_, index) =>
      frame('detection', makeDetection({ id: idAt(noon, `d${index}`), fired_at: noon + index })),
    );
    const state = boardOf([...pairs(300), ...detections]).state();
    expect(state.rows).toHaveLength(200);
    expect(state.detections).toHaveLength(50);
    expect(state.totals).toMatchObject({ events: 300, detections: 60 });
  });

  test('a rare column is not emptied by a busy one', () => {
    const board = boardOf([...framePair({ seq: 1, entity: 'account' }), ...pairs(50, 10)], {
      rowsPerColumn: 5,
      deliveriesUnjoined: 5,
    });
    expect(board.findDelivery(deliveryId(1))).toMatchObject({ event: { entity: 'account' } });
  });

  test('bodies beyond the limit are dropped, oldest first; their rows stay', () => {
    const body = Buffer.alloc(100);
    const records = [1, 2, 3].flatMap((seq) => framePair({ seq }, { body }));
    const board = boardOf(records, { bodyBytes: 250 });
    expect(board.findDelivery(deliveryId(1))).toBeUndefined();
    expect(board.findDelivery(deliveryId(2))).toBeDefined();
    expect(board.state().rows).toHaveLength(3);
  });

  test('deliveries of which nothing was made are bounded', () => {
    const records = Array.from({ length: 10 }, (_, seq) => frame('delivery', makeDelivery({ seq })));
    const board = boardOf(records, { deliveriesUnjoined: 3 });
    const held = Array.from({ length: 10 }, (_, seq) => board.findDelivery(deliveryId(seq)) !== undefined);
    expect(held.lastIndexOf(false)).toBe(6);
  });

  test('what a row shows is cut to size', () => {
    const long = 'x'.repeat(100_000);
    const event = { subject: long, account: long, location: long, flags: Array(1000).fill(long) };
    const [row] = boardOf(framePair({ seq: 1, ...event })).state().rows;
    expect(JSON.stringify(row).length).toBeLessThan(4_000);
  });
});

describe('changes', () => {
  test('after a position: only what changed since', () => {
    const board = boardOf(pairs(3));
    expect(board.changesSince(3)?.rows.map(({ id }) => id)).toEqual([eventId(2)]);
    expect(board.changesSince(5)).toMatchObject({ rows: [], withdrawn: [], totals: { events: 3 } });
  });

  test.each([
    { name: 'ahead of the log, which was replaced', cursor: 100 },
    { name: 'before what was skipped', cursor: 1 },
  ])('$name: undefined', ({ cursor }) => {
    const board = boardOf([]);
    board.skipTo(9);
    board.apply(decode(frame('event', makeEvent({ seq: 1 })).frame), 10);
    expect(board.changesSince(cursor)).toBeUndefined();
    expect(board.changesSince(9)?.rows).toHaveLength(1);
  });

  test('before withdrawals that are forgotten: undefined', () => {
    const records = [1, 2, 3].map((seq) => frame('event', makeEvent({ seq, withdrawn: true })));
    const board = boardOf(records, { withdrawn: 2 });
    expect(board.changesSince(-1)).toBeUndefined();
    expect(board.changesSince(0)?.withdrawn).toEqual([eventId(2), eventId(3)]);
  });
});
