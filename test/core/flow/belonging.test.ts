/** Whose a delivery is. Roots: ACME. Times in minutes. */
import { describe, expect, test } from 'vitest';
import { step } from '../../../services/core/flow/flow.ts';
import { createState, restoreState } from '../../../services/core/flow/state.ts';
import { summarize } from '../../../services/core/flow/summary.ts';
import { beginEpoch } from '../../../services/core/flow/takeover.ts';
import { decoders } from '../../../services/core/providers/providers.ts';
import { day, endpointsOf, genesisOf, hour, minute, newest, run, settle } from './identity.ts';
import type { LaneBuilder } from './lane.ts';
import { accountBody, laneOf, serverBody, startMs } from './lane.ts';

const server = (lane: LaneBuilder, atMin: number, name: string, alias: string) =>
  lane.post('Server.Created', serverBody(alias, name, atMin * minute), atMin * minute);
const account = (lane: LaneBuilder, atMin: number, alias: string, parentAlias: string, event = 'Account.Updated') =>
  lane.post(event, accountBody(alias, { parentAlias }), atMin * minute);
const subjects = (lane: LaneBuilder) =>
  run(lane).outputs.flatMap(({ kind, value }) => (kind === 'event' ? [value.subject] : []));
const ledger = (lane: LaneBuilder) => run(lane).summary.ledger;

describe('an account belongs', () => {
  test.each<[why: string, tell: (lane: LaneBuilder) => void]>([
    ['as a root', (lane) => void server(lane, 1, 'S', 'ACME')],
    ['in whatever case it is written', (lane) => void server(lane, 1, 'S', 'acme')],
    [
      'below a root',
      (lane) => {
        account(lane, 0, 'SUB', 'ACME');
        server(lane, 1, 'S', 'SUB');
      },
    ],
    [
      'below one that is below a root',
      (lane) => {
        account(lane, 0, 'SUB', 'ACME');
        account(lane, 0, 'SUBSUB', 'SUB');
        server(lane, 1, 'S', 'SUBSUB');
      },
    ],
    [
      'as the settings say',
      (lane) => {
        settle(lane, { accounts: ['centurylink:OLD'] });
        server(lane, 1, 'S', 'OLD');
      },
    ],
    [
      'as the owner of an endpoint',
      (lane) => {
        settle(lane, { endpoints: endpointsOf({ name: 'own', event: 'User.Created', account: 'OWN' }) });
        server(lane, 1, 'S', 'OWN');
      },
    ],
    [
      'wherever no root of its provider is known',
      (lane) => {
        settle(lane, { roots: ['citrix:acme'] });
        server(lane, 1, 'S', 'ANY');
      },
    ],
    [
      'once a reconciliation found it',
      (lane) => {
        lane.post('Server.Updated', serverBody('FOUND', 'R', 0), 0, { origin: 'reconcile' });
        server(lane, 1, 'S', 'FOUND');
      },
    ],
  ])('%s', (_why, tell) => {
    const lane = laneOf();
    tell(lane);
    expect(subjects(lane).at(-1)).toBe('S');
    expect(ledger(lane).pending).toBe(0);
  });
});

describe('a delivery of an unknown account', () => {
  test('waits: nothing is said of it but that it came', () => {
    const lane = laneOf();
    server(lane, 0, 'S', 'NEW');
    const { outputs, summary } = run(lane);
    expect(outputs.slice(2).map(({ kind }) => kind)).toEqual(['delivery']);
    expect(summary.ledger).toEqual({ journaled: 1, events: 0, twins: 0, rejects: 0, pending: 1 });
    expect(summary.remembered.waiting).toBe(1);
  });

  test('is an event once the account is known, with its own id and time, and says that it waited', () => {
    const lane = laneOf();
    const waiting = server(lane, 0, 'S', 'NEW');
    const freeing = account(lane, 30, 'NEW', 'ACME', 'Account.Created');
    const { rows, summary } = run(lane);
    expect(rows('event')).toMatchObject([
      {
        subject: 'S',
        received_at: startMs,
        first_received_at: startMs,
        deliveries: [(waiting.record.value as { id: string }).id],
        position: freeing.position,
        flags: ['waited'],
        novelty: 'created',
      },
      { subject: 'NEW', flags: [] },
    ]);
    expect(summary.ledger).toMatchObject({ events: 2, pending: 0 });
  });

  test('comes in the order of the lane, whatever it waited for', () => {
    const lane = laneOf();
    server(lane, 0, 'S1', 'LEAF');
    server(lane, 1, 'S2', 'MID');
    account(lane, 2, 'LEAF', 'MID');
    server(lane, 3, 'S3', 'LEAF');
    account(lane, 4, 'MID', 'ACME');
    // What MID makes known comes first in its order, then what that makes known.
    expect(subjects(lane)).toEqual(['MID', 'S2', 'LEAF', 'S1', 'S3']);
    expect(ledger(lane)).toMatchObject({ events: 5, pending: 0 });
  });

  test("an account's own body waits for what is above it, and is ours once the account is known otherwise", () => {
    const lane = laneOf();
    account(lane, 0, 'NEW', 'ELSEWHERE');
    expect(ledger(lane).pending).toBe(1);
    account(lane, 1, 'NEW', 'ACME');
    expect(ledger(lane)).toMatchObject({ events: 2, pending: 0 });
  });

  test('is freed by settings that name its account, and by no others', () => {
    const lane = laneOf();
    server(lane, 0, 'S', 'OLD');
    const second = settle(lane, { accounts: ['centurylink:OTHER'] }, genesisOf(lane), 1);
    expect(ledger(lane).pending).toBe(1);
    settle(lane, { accounts: ['centurylink:old'] }, second, 2);
    expect(ledger(lane)).toMatchObject({ events: 1, pending: 0 });
  });

  test('is refused when nothing late can tell of its account any more, within the hour', () => {
    const lane = laneOf();
    server(lane, 0, 'S', 'STRANGER');
    lane.tick(48 * hour + 2_000 - 1);
    expect(ledger(lane)).toMatchObject({ rejects: 0, pending: 1 });
    lane.tick(49 * hour + 2_000);
    const { rows, summary } = run(lane);
    expect(rows('reject')).toMatchObject([
      {
        reason: 'foreign account',
        endpoint: 'server-created',
        detail: expect.stringContaining('centurylink:STRANGER is not known to belong to the tenant'),
      },
    ]);
    expect(summary.ledger).toMatchObject({ rejects: 1, pending: 0, events: 0 });
    expect(summary.remembered).toMatchObject({ waiting: 0, refused: 1 });
  });

  test('is taken after all within a week of that: the reject is withdrawn in favour of the event', () => {
    const lane = laneOf();
    server(lane, 0, 'S', 'LATE');
    lane.tick(49 * hour + 2_000);
    account(lane, 100 * 60, 'LATE', 'ACME');
    const { rows, outputs, summary } = run(lane);
    const event = rows('event').find(({ subject }) => subject === 'S');
    expect(event?.flags).toEqual(['waited', 'too_late']);
    expect(rows('reject')).toEqual([]);
    expect(outputs.findLast(({ kind }) => kind === 'reject')?.value).toMatchObject({
      withdrawn: true,
      replaced_by: event!.id,
    });
    expect(summary.ledger).toMatchObject({ events: 2, rejects: 0, pending: 0 });
    expect(summary.remembered).toMatchObject({ waiting: 0, refused: 0 });
  });

  test('is forgotten after that week, and stays a reject', () => {
    const lane = laneOf();
    server(lane, 0, 'S', 'LATE');
    lane.tick(49 * hour + 2_000);
    lane.tick(10 * day);
    account(lane, 10 * 24 * 60 + 1, 'LATE', 'ACME');
    const { state, rows, summary } = run(lane);
    expect(rows('reject')).toHaveLength(1);
    expect(summary.ledger).toMatchObject({ events: 1, rejects: 1, pending: 0 });
    expect([state.pending.size, state.pendingEnds.size, state.awaits.size]).toEqual([0, 0, 0]);
  });
});

describe('where too many wait', () => {
  const tell = (more: (lane: LaneBuilder) => void) => {
    const lane = laneOf();
    settle(lane, { pending_max: 2 });
    more(lane);
    return lane;
  };

  test('the next is refused at once, and says why', () => {
    const lane = tell((told) => [1, 2, 3].forEach((n) => void server(told, n, `S${n}`, 'STRANGER')));
    const { rows, summary } = run(lane);
    expect(summary.ledger).toMatchObject({ pending: 2, rejects: 1 });
    expect(rows('reject')).toMatchObject([{ reason: 'foreign account', detail: expect.stringContaining('2 others') }]);
    expect(summary.forgotten.waiting).toBe(1);
  });

  test('those that were refused make room', () => {
    const lane = tell((told) => {
      for (const n of [1, 2]) server(told, n, `S${n}`, 'STRANGER');
      told.tick(50 * hour);
      server(told, 50 * 60 + 1, 'S3', 'NEW');
      account(told, 50 * 60 + 2, 'STRANGER', 'ACME');
      account(told, 50 * 60 + 3, 'NEW', 'ACME');
    });
    const { summary } = run(lane);
    expect(summary.ledger).toMatchObject({ events: 3, rejects: 2, pending: 0 });
    expect(summary.forgotten.waiting).toBe(2);
  });
});

test('an account that moved away: the move is ours to know, what follows waits', () => {
  const lane = laneOf();
  account(lane, 0, 'SUB', 'ACME');
  account(lane, 10, 'SUB', 'RIVAL');
  server(lane, 11, 'S', 'SUB');
  expect(ledger(lane)).toMatchObject({ events: 2, pending: 1 });
  account(lane, 12, 'SUB', 'ACME');
  // At its own time it was below the rival.
  expect(ledger(lane)).toMatchObject({ events: 3, pending: 1 });
  account(lane, 13, 'RIVAL', 'ACME');
  expect(ledger(lane)).toMatchObject({ events: 5, pending: 0 });
});

test('accounts above each other in a circle belong to nobody', () => {
  const lane = laneOf();
  account(lane, 0, 'A', 'B');
  account(lane, 0, 'B', 'A');
  account(lane, 0, 'C', 'C');
  expect(ledger(lane)).toMatchObject({ events: 0, pending: 3 });
});

test('a delivery on which the flow fails when it is freed is a reject of its own, and the others are freed', () => {
  const lane = laneOf();
  const { id } = server(lane, 0, 'S1', 'NEW').record.value as { id: string };
  server(lane, 1, 'S2', 'NEW');
  account(lane, 2, 'NEW', 'ACME');
  const decode = decoders.get('centurylink')!;
  let times = 0;
  const failing: typeof decode = (delivery) => {
    if (delivery.id === id && ++times === 2) throw new Error('broken');
    return decode(delivery);
  };
  const { state, outputs } = step(createState(), lane.records, new Map([['centurylink', failing]]));
  expect(newest(outputs, 'event').map(({ subject }) => subject)).toEqual(['S2', 'NEW']);
  expect(newest(outputs, 'reject')).toMatchObject([{ delivery: id, reason: 'internal' }]);
  expect(summarize(state).ledger).toEqual({ journaled: 3, events: 2, twins: 0, rejects: 1, pending: 0 });
});

test('accounts that an earlier version had taken, which asked of none whose it is, stay ours', () => {
  const before = laneOf();
  account(before, 0, 'SUB', 'ACME');
  server(before, 1, 'S1', 'SUB');
  const chunks = [...run(before).state.tables.snapshot()].map((chunk) => Buffer.from(chunk).toString()).join('');
  const kept = chunks.replaceAll(/^\["parents".*\n/gm, '');
  expect(kept).not.toBe(chunks);
  const state = restoreState([Buffer.from(kept)]);
  beginEpoch(state, 2, 'b');
  server(before, 2, 'S2', 'SUB');
  server(before, 3, 'S3', 'STRANGER');
  const { outputs } = step(state, before.records.slice(-2));
  expect(newest(outputs, 'event').map(({ subject }) => subject)).toEqual(['S2']);
  expect(summarize(state).ledger).toMatchObject({ events: 3, pending: 1 });
});
