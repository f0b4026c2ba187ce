/** How episodes end whose closings were lost. Minutes after the start; what is told is told in the order of the lists. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { step } from '../../../services/core/flow/flow.ts';
import { createState, type FlowState, restoreState } from '../../../services/core/flow/state.ts';
import { summarize } from '../../../services/core/flow/summary.ts';
import { beginEpoch } from '../../../services/core/flow/takeover.ts';
import type { Episode } from '../../../services/core/records/generated.ts';
import { accountBody, alertBody, iso, type LaneBuilder, laneOf, startMs } from './lane.ts';

const minute = 60_000;
const hour = 60;
const day = 24 * hour;
/** The watermark stays that far behind a tick. */
const slackMs = 2_000;

type Told =
  /** `heard`: when it is received, else with what it tells of. */
  | { open: number | undefined; heard?: number; server?: string; metric?: string }
  | { close: number | undefined; end: number; heard?: number; server?: string; metric?: string }
  | { deleted: number; server?: string }
  | { accountDeleted: number; account?: string }
  | { tick: number };

function tell(told: Told[], lane = laneOf()): LaneBuilder {
  for (const what of told) {
    if ('tick' in what) lane.tick(what.tick * minute + slackMs);
    else if ('deleted' in what) {
      const body = { accountAlias: 'acme', name: (what.server ?? 'WEB01').toLowerCase() };
      lane.post('Server.Deleted', body, what.deleted * minute);
    } else if ('accountDeleted' in what)
      lane.post('Account.Deleted', accountBody(what.account ?? 'ACME'), what.accountDeleted * minute);
    else {
      const start = 'open' in what ? what.open : what.close;
      const end = 'end' in what ? what.end : undefined;
      const trigger = {
        metric: what.metric ?? 'cpu',
        state: 'open' in what ? 'triggered' : 'notTriggered',
        ...(start !== undefined && { stateStartTime: iso(startMs + start * minute) }),
        ...(end !== undefined && { stateEndTime: iso(startMs + end * minute) }),
      };
      const heard = what.heard ?? end ?? start ?? 0;
      lane.post('Alert.Notification', alertBody('ACME', what.server ?? 'WEB01', trigger), heard * minute);
    }
  }
  return lane;
}

function run(told: Told[]): { state: FlowState; rows: Episode[]; episodes: string[] } {
  const { state, outputs } = step(createState(), tell(told).records);
  const newest = new Map<string, Episode>();
  for (const output of outputs) if (output.kind === 'episode') newest.set(output.value.id, output.value);
  const rows = [...newest.values()].sort((a, b) => a.opened_at - b.opened_at || (a.metric < b.metric ? -1 : 1));
  return { state, rows, episodes: rows.map(describeRow) };
}

/** `open 1`, `1-5 by deletion`, with flags behind. */
function describeRow({ opened_at, closed_at, length_ms, ended_by, flags }: Episode): string {
  const from = (opened_at - startMs) / minute;
  if (closed_at === null) return ['open', from, ...flags].join(' ');
  expect(length_ms).toBe(closed_at - opened_at);
  return [`${from}-${(closed_at - startMs) / minute}`, 'by', ended_by, ...flags].join(' ');
}

describe('a deletion', () => {
  test.each<[what: string, told: Told[], episodes: string[]]>([
    ['of the server ends what is on', [{ open: 1 }, { deleted: 5 }], ['1-5 by deletion']],
    ['of the account ends what is on', [{ open: 1 }, { accountDeleted: 5 }], ['1-5 by deletion']],
    [
      'ends every metric of the server',
      [{ open: 1 }, { open: 2, metric: 'disk|/var' }, { deleted: 5 }],
      ['1-5 by deletion', '2-5 by deletion'],
    ],
    [
      'ends nothing of another server',
      [
        { open: 1, server: 'A' },
        { open: 2, server: 'B' },
        { deleted: 5, server: 'A' },
      ],
      ['1-5 by deletion', 'open 2'],
    ],
    [
      'of an account ends all of its servers',
      [{ open: 1, server: 'A' }, { open: 2, server: 'B' }, { accountDeleted: 5 }],
      ['1-5 by deletion', '2-5 by deletion'],
    ],
    ['of another account ends nothing', [{ open: 1 }, { accountDeleted: 5, account: 'OTHER' }], ['open 1']],
    [
      'changes nothing of what had ended by its own closing',
      [{ open: 1 }, { close: 1, end: 3 }, { deleted: 5 }],
      ['1-3 by alert'],
    ],
    ['gives way to a closing that comes later', [{ open: 1 }, { deleted: 5 }, { close: 1, end: 3 }], ['1-3 by alert']],
    [
      'gives way to a closing that does not say what it closes',
      [{ open: 1 }, { deleted: 5 }, { close: undefined, end: 6 }],
      ['1-6 by alert'],
    ],
    ['ends what is heard of only later', [{ deleted: 5 }, { open: 1, heard: 6 }], ['1-5 by deletion']],
    ['ends nothing that began after it: the name is used again', [{ deleted: 5 }, { open: 6 }], ['open 6']],
    [
      'that comes late ends nothing that began after it',
      [{ open: 1 }, { open: 7 }, { deleted: 5 }],
      ['1-5 by deletion', 'open 7'],
    ],
    [
      'ends what a fast clock said begins later',
      [{ open: 5.5, heard: 5 }, { deleted: 5 }],
      ['5.5-5 by deletion negative_length'],
    ],
    ['the first of several counts', [{ open: 1 }, { accountDeleted: 9 }, { deleted: 5 }], ['1-5 by deletion']],
    ['that is told again changes nothing', [{ open: 1 }, { deleted: 5 }, { deleted: 8 }], ['1-5 by deletion']],
    [
      'that comes late ends what was ended by time',
      [{ open: 1 }, { tick: day + 1 }, { deleted: 5 }],
      ['1-5 by deletion'],
    ],
  ])('%s', (_what, told, episodes) => {
    const ran = run(told);
    expect(ran.episodes).toEqual(episodes);
    const open = ran.rows.filter(({ state }) => state === 'open').length;
    expect(summarize(ran.state).openEpisodes.reduce((sum, { count }) => sum + count, 0)).toBe(open);
  });

  test('is among the events behind the episode', () => {
    const lane = tell([{ open: 1 }, { deleted: 5 }]);
    const { outputs } = step(createState(), lane.records);
    const events = outputs.flatMap((output) => (output.kind === 'event' ? [output.value.id] : []));
    expect(outputs.findLast(({ kind }) => kind === 'episode')?.value).toMatchObject({ events, state: 'closed' });
  });

  test('is remembered for as long as anything may come late, and not for longer', () => {
    const late = 2 * day;
    const kept = (told: Told[]) => run(told).state.deletions.size;
    expect(kept([{ deleted: 5 }, { tick: late + 4 }])).toBe(1);
    expect(kept([{ deleted: 5 }, { tick: late + 2 * hour }])).toBe(0);
  });
});

describe('time', () => {
  test.each<[what: string, told: Told[], episodes: string[]]>([
    ['ends nothing before a day is over', [{ open: 1 }, { tick: day + 0.999 }], ['open 1']],
    ['ends what was on for a day', [{ open: 1 }, { tick: day + 1 }], [`1-${day + 1} by expiry`]],
    [
      'ends what was on for a day by its beginning, when it is seen much later',
      [{ open: 1 }, { tick: 5 * day }],
      [`1-${day + 1} by expiry`],
    ],
    ['has no say while it stands still', [{ open: 1 }, { open: 3 * day, server: 'B' }], ['open 1', `open ${3 * day}`]],
    [
      'came first where the next opening is told days later',
      [{ open: 1 }, { open: 2 * day }],
      [`1-${day + 1} by expiry`, `open ${2 * day}`],
    ],
    [
      'came first where the next opening was told before',
      [{ open: 2 * day }, { open: 1, heard: 2 * day }],
      [`1-${day + 1} by expiry`, `open ${2 * day}`],
    ],
    [
      'gives way to a closing that comes later',
      [{ open: 1 }, { tick: day + 1 }, { close: 1, end: 2 * day }],
      [`1-${2 * day} by alert`],
    ],
    [
      'gives way to a closing that comes days later',
      [{ open: 1 }, { tick: day + 1 }, { tick: 7 * day }, { close: 1, end: 7 * day }],
      [`1-${7 * day} by alert`],
    ],
    [
      'gives way to a closing that does not say what it closes',
      [{ open: 1 }, { tick: day + 1 }, { close: undefined, end: 2 * day }],
      [`1-${2 * day} by alert`],
    ],
    [
      'and then a new opening: another episode',
      [{ open: 1 }, { tick: day + 1 }, { open: 2 * day }],
      [`1-${day + 1} by expiry`, `open ${2 * day}`],
    ],
    [
      'a closing without a start is not that of an older episode',
      [
        { open: 1 },
        { tick: day + 1 },
        { open: 2 * day },
        { close: 2 * day, end: 2 * day + 5 },
        { close: undefined, end: 2 * day + 5 },
      ],
      [
        `1-${day + 1} by expiry`,
        `${2 * day}-${2 * day + 5} by alert`,
        `${2 * day + 5}-${2 * day + 5} by alert opening_missing`,
      ],
    ],
    [
      'goes by when it was heard of where the start lies far ahead',
      [{ open: 900 * day, heard: 0 }, { tick: day + 1 }],
      [`${900 * day}-${day + 1} by expiry negative_length`],
    ],
  ])('%s', (_what, told, episodes) => {
    expect(run(told).episodes).toEqual(episodes);
  });

  test('leaves nothing behind of an episode that is forgotten', () => {
    const { state } = run([
      { open: 1 },
      { close: 1, end: 5 },
      { open: 2, server: 'B' },
      { tick: 30 * day },
      { tick: 60 * day },
    ]);
    for (const table of ['episodes', 'openings', 'deadlines', 'alerted'] as const) expect(state[table].size).toBe(0);
  });
});

test('what is known in the end does not depend on the order in which it came to be known', () => {
  const start = fc.integer({ min: 0, max: 50 });
  const told: fc.Arbitrary<Told> = fc.oneof(
    { weight: 3, arbitrary: start.map((open) => ({ open, heard: 60 })) },
    fc
      .tuple(start, fc.integer({ min: 1, max: 9 }))
      .map(([close, length]) => ({ close, end: close + length, heard: 60 })),
    start.map((deleted) => ({ deleted })),
    start.map((accountDeleted) => ({ accountDeleted })),
  );
  // Of one start one closing: two that contradict each other are settled by the later one.
  const stories = fc.uniqueArray(told, {
    maxLength: 8,
    selector: (what) => ('close' in what ? what.close : JSON.stringify(what)),
  });
  fc.assert(
    fc.property(stories, fc.array(fc.nat(), { minLength: 8, maxLength: 8 }), (known, keys) => {
      const shuffled = known.map((what, n) => ({ what, key: keys[n]! })).sort((a, b) => a.key - b.key);
      const ends = (order: Told[]) =>
        run([...order, { tick: 2 * day }]).rows.map(({ opened_at, closed_at, ended_by }) => [
          opened_at,
          closed_at,
          ended_by,
        ]);
      expect(ends(shuffled.map(({ what }) => what))).toEqual(ends(known));
    }),
    { numRuns: 300 },
  );
});

describe('a state that another version has saved', () => {
  const old = (told: Told[]): FlowState => {
    const chunks = [...run(told).state.tables.snapshot()].map((chunk) => Buffer.from(chunk).toString());
    const kept = chunks
      .join('')
      .replaceAll(/^\["(deadlines|alerted|deletions)".*\n|^\["counts","longEpisodes".*\n/gm, '');
    expect(kept).not.toBe(chunks.join(''));
    return restoreState([Buffer.from(kept)]);
  };
  /** What becomes of it once this version takes over and is told more. */
  const goOn = (state: FlowState, told: Told[]) => {
    beginEpoch(state, 2, 'b');
    const lane = laneOf();
    for (let seq = lane.records.length; seq < 90; seq++) lane.tick(0);
    const from = lane.records.length;
    const records = tell(told, lane).records.slice(from);
    const { outputs } = step(
      state,
      records.map(({ record }, n) => ({ record, position: 1_000 + n })),
    );
    return outputs.flatMap((output) => (output.kind === 'episode' ? [describeRow(output.value)] : []));
  };
  /** Numbers of records dense up to where the other story goes on. */
  const filled = (told: Told[]): Told[] => [...told, ...Array.from({ length: 88 - told.length }, () => ({ tick: 0 }))];

  test('knows which episodes time ends', () => {
    expect(goOn(old(filled([{ open: 1 }])), [{ tick: day + 1 }])).toEqual([`1-${day + 1} by expiry`]);
  });
  test('ends at once what was left open long ago', () => {
    expect(goOn(old(filled([{ open: 1 }, { tick: day }])), [{ tick: 40 * day }])).toEqual([`1-${day + 1} by expiry`]);
  });
  test('knows which episodes a deletion ends', () => {
    expect(goOn(old(filled([{ open: 1 }])), [{ deleted: 5 }])).toEqual(['1-5 by deletion']);
  });
  test('has counted those that are on for long', () => {
    const state = old(filled([{ open: 1 }, { open: 50, metric: 'disk' }, { tick: 70 }]));
    beginEpoch(state, 2, 'b');
    expect(summarize(state).openEpisodes).toMatchObject([
      { metric: 'cpu', openLong: 1, long: 1 },
      { metric: 'disk', openLong: 0, long: 0 },
    ]);
  });
});

describe('an alert is on for long', () => {
  const longOf = (told: Told[]) =>
    summarize(run(told).state).openEpisodes.map(({ openLong, long }) => ({ openLong, long }));

  test.each<[what: string, told: Told[], openLong: number, long: number]>([
    ['not before an hour is over', [{ open: 1 }, { tick: hour + 0.999 }], 0, 0],
    ['once an hour is over', [{ open: 1 }, { tick: hour + 1 }], 1, 1],
    ['and is counted once', [{ open: 1 }, { tick: hour + 1 }, { tick: hour + 2 }, { open: 1, heard: 70 }], 1, 1],
    ['until it ends; that it was is still counted', [{ open: 1 }, { tick: hour + 1 }, { close: 1, end: 70 }], 0, 1],
    ['until time ends it', [{ open: 1 }, { tick: hour + 1 }, { tick: day + 1 }], 0, 1],
    ['as soon as it is heard of, where it began long ago', [{ tick: 3 * hour }, { open: 1, heard: 3 * hour }], 1, 1],
    [
      'beside another one',
      [{ open: 1, server: 'A' }, { open: 9, server: 'B' }, { tick: hour + 1 }, { tick: hour + 9 }],
      2,
      2,
    ],
    [
      'after another one has ended',
      [{ open: 1, server: 'A' }, { tick: 70 }, { deleted: 71, server: 'A' }, { open: 72, server: 'B' }, { tick: 140 }],
      1,
      2,
    ],
  ])('%s', (_what, told, openLong, long) => {
    expect(longOf(told)).toEqual([{ openLong, long }]);
  });
});
