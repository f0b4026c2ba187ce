/** What a lane says of what is open. Times in minutes after the start. */
import { describe, expect, test } from 'vitest';
import { step } from '../../../services/core/flow/flow.ts';
import { createState, restoreState } from '../../../services/core/flow/state.ts';
import { summarize } from '../../../services/core/flow/summary.ts';
import { beginEpoch } from '../../../services/core/flow/takeover.ts';
import { accountBody, alertBody, iso, type LaneBuilder, laneOf, serverBody, startMs } from './lane.ts';

const minute = 60_000;
/** The watermark stays that far behind a tick. */
const slackMs = 2_000;

const stateOf = (lane: LaneBuilder) => step(createState(), lane.records).state;
const summaryOf = (lane: LaneBuilder) => summarize(stateOf(lane));

/** An account that is created, and a server in it. */
function fire(lane: LaneBuilder, atMin: number, alias = 'NEW'): void {
  lane.post('Account.Created', accountBody(alias), atMin * minute);
  lane.post('Server.Created', serverBody(alias, `${alias}1`, atMin * minute), atMin * minute);
}

describe('a detection is open', () => {
  const within = 10;
  const burst = () => laneOf({ servers: 1, within_ms: within * minute });
  const openOf = (lane: LaneBuilder) => summaryOf(lane).detections.map(({ open }) => open);

  test('from the record that makes it fire', () => {
    const lane = burst();
    expect(openOf(lane)).toEqual([]);
    fire(lane, 0);
    expect(summaryOf(lane).detections).toEqual([
      { rule: 'account-created-then-servers', severity: 'high', count: 1, open: 1 },
    ]);
  });

  test.each([
    { after: 'just within the window', atMs: within * minute + slackMs - 1, open: 1 },
    { after: 'at its end', atMs: within * minute + slackMs, open: 0 },
  ])('$after, by the watermark: $open', ({ atMs, open }) => {
    const lane = burst();
    fire(lane, 0);
    lane.tick(atMs);
    expect(openOf(lane)).toEqual([open]);
  });

  test('for a whole window even where what made it fire came after the window', () => {
    const lane = burst();
    lane.post('Account.Created', accountBody('NEW'), 0);
    lane.tick(49 * minute);
    lane.post('Server.Created', serverBody('NEW', 'NEW1', within * minute), 50 * minute);
    lane.tick(50 * minute + slackMs + minute);
    expect(openOf(lane)).toEqual([1]);
    lane.tick((50 + within) * minute + slackMs);
    expect(openOf(lane)).toEqual([0]);
  });

  test('no longer because more servers follow', () => {
    const lane = burst();
    fire(lane, 0);
    lane.post('Server.Created', serverBody('NEW', 'NEW2', 9 * minute), 9 * minute);
    lane.tick(within * minute + slackMs);
    expect(openOf(lane)).toEqual([0]);
  });

  test('no longer once its account is deleted', () => {
    const lane = burst();
    fire(lane, 0);
    lane.post('Account.Deleted', { accountAlias: 'NEW' }, minute);
    expect(openOf(lane)).toEqual([0]);
  });

  test('each for itself', () => {
    const lane = burst();
    fire(lane, 0);
    fire(lane, 5, 'NEWER');
    lane.tick(within * minute + slackMs);
    expect(summaryOf(lane).detections).toMatchObject([{ count: 2, open: 1 }]);
  });

  test('until its end where it fires as late as it can', () => {
    const within = 50;
    const lane = laneOf({ servers: 2, within_ms: within * minute });
    const latest = 48 * 60 + within - 1;
    const origin = 'reconcile' as const;
    fire(lane, 0);
    lane.tick((latest - 1) * minute);
    lane.post('Server.Created', serverBody('NEW', 'NEW2', within * minute), latest * minute, { origin });
    // The burst itself would be forgotten in the hour after 48 h and the window.
    lane.tick((latest + within) * minute + slackMs - 1);
    expect(openOf(lane)).toEqual([1]);
  });
});

describe('the alert that has been on for longest', () => {
  type Told = [server: string, state: 'triggered' | 'notTriggered', startMin: number, endMin?: number];
  function tell(told: Told[], metric = 'cpu'): LaneBuilder {
    const lane = laneOf();
    told.forEach(([server, state, start, end], index) => {
      const trigger = {
        metric,
        state,
        stateStartTime: iso(startMs + start * minute),
        ...(end !== undefined && { stateEndTime: iso(startMs + end * minute) }),
      };
      lane.post('Alert.Notification', alertBody('ACME', server, trigger), (20 + index) * minute);
    });
    return lane;
  }

  test.each<[what: string, told: Told[], count: number, oldestMin: number | null]>([
    ['alone', [['A', 'triggered', 3]], 1, 3],
    [
      'told last',
      [
        ['A', 'triggered', 3],
        ['B', 'triggered', 1],
      ],
      2,
      1,
    ], // prettier-ignore
    [
      'began with another one, which ended',
      [
        ['A', 'triggered', 3],
        ['B', 'triggered', 3],
        ['A', 'notTriggered', 3, 5],
      ],
      1,
      3,
    ], // prettier-ignore
    [
      'is the next one once the oldest has ended',
      [
        ['A', 'triggered', 1],
        ['B', 'triggered', 3],
        ['A', 'notTriggered', 1, 5],
      ],
      1,
      3,
    ], // prettier-ignore
    [
      'is the later one where its closing was lost',
      [
        ['A', 'triggered', 1],
        ['A', 'triggered', 7],
      ],
      1,
      7,
    ],
    [
      'is none once all have ended',
      [
        ['A', 'triggered', 1],
        ['A', 'notTriggered', 1, 5],
      ],
      0,
      null,
    ], // prettier-ignore
  ])('%s', (_what, told, count, oldestMin) => {
    const oldestAt = oldestMin === null ? null : startMs + oldestMin * minute;
    expect(summaryOf(tell(told)).openEpisodes).toMatchObject([{ metric: 'cpu', count, oldestAt }]);
  });

  test('is told by the name that its provider gives the metric', () => {
    const lane = tell([['A', 'triggered', 3]], 'disk|/var');
    expect(summaryOf(lane).openEpisodes).toMatchObject([
      { metric: 'disk|/var', count: 1, oldestAt: startMs + 3 * minute },
    ]);
  });

  test('is found in the state of a version that did not note it, once this one takes over', () => {
    const lane = tell([
      ['A', 'triggered', 3],
      ['B', 'triggered', 1],
      ['B', 'notTriggered', 1, 5],
    ]); // prettier-ignore
    const chunks = [...stateOf(lane).tables.snapshot()].map((chunk) => Buffer.from(chunk).toString());
    const kept = chunks.join('').replaceAll(/^\["openings".*\n/gm, '');
    expect(kept).not.toBe(chunks.join(''));
    const state = restoreState([Buffer.from(kept)]);
    beginEpoch(state, 2, 'b');
    expect(summarize(state)).toMatchObject({ openEpisodes: summaryOf(lane).openEpisodes });
  });
});
