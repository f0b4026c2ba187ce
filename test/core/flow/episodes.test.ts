/** Alert episodes by example. Minutes after the start: `open s` and `close s e`, in the order in which they are told. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { step } from '../../../services/core/flow/flow.ts';
import { createState } from '../../../services/core/flow/state.ts';
import type { Episode, Event } from '../../../services/core/records/generated.ts';
import { alertBody, iso, laneOf, startMs } from './lane.ts';

const minute = 60_000;
const at = (min: number) => iso(startMs + min * minute);

type Told = [kind: 'open' | 'close' | 'odd', start?: number | undefined, end?: number];

function run(told: Told[]): { episodes: string[]; events: Event[] } {
  const lane = laneOf();
  told.forEach(([kind, start, end], index) => {
    const trigger = {
      state: { open: 'triggered', close: 'notTriggered', odd: 'confused' }[kind],
      ...(start !== undefined && { stateStartTime: at(start) }),
      ...(end !== undefined && { stateEndTime: at(end) }),
    };
    lane.post('Alert.Notification', alertBody('ACME', 'WEB01', trigger), (20 + index) * minute);
  });
  const { outputs } = step(createState(), lane.records);
  const newest = new Map<string, Episode>();
  for (const output of outputs) if (output.kind === 'episode') newest.set(output.value.id, output.value);
  const byStart = [...newest.values()].sort((a, b) => a.opened_at - b.opened_at);
  return {
    episodes: byStart.map(describe),
    events: outputs.flatMap((output) => (output.kind === 'event' ? [output.value] : [])),
  };
}

/** `open 1`, `1-5 by alert`, with flags behind. */
function describe({ state, opened_at, closed_at, length_ms, ended_by, flags }: Episode): string {
  const from = (opened_at - startMs) / minute;
  if (state === 'open') return ['open', from, ...flags].join(' ');
  expect(length_ms).toBe(closed_at! - opened_at);
  return [`${from}-${(closed_at! - startMs) / minute}`, 'by', ended_by, ...flags].join(' ');
}

test.each<[name: string, told: Told[], episodes: string[]]>([
  ['opened', [['open', 1]], ['open 1']],
  [
    'opened and closed',
    [
      ['open', 1],
      ['close', 1, 5],
    ],
    ['1-5 by alert'],
  ],
  [
    'closed before it was opened',
    [
      ['close', 1, 5],
      ['open', 1],
    ],
    ['1-5 by alert'],
  ],
  [
    'doubled',
    [
      ['open', 1],
      ['open', 1],
      ['close', 1, 5],
      ['close', 1, 5],
    ],
    ['1-5 by alert'],
  ],
  ['opening missing', [['close', 1, 5]], ['1-5 by alert opening_missing']],
  [
    'closing missing',
    [
      ['open', 1],
      ['open', 7],
    ],
    ['1-7 by next_opening', 'open 7'],
  ],
  [
    'closing missing, the next one closed',
    [
      ['open', 1],
      ['close', 7, 9],
    ],
    ['1-7 by next_opening', '7-9 by alert opening_missing'],
  ],
  [
    'one after the other',
    [
      ['open', 1],
      ['close', 1, 5],
      ['open', 6],
      ['close', 6, 8],
    ],
    ['1-5 by alert', '6-8 by alert'],
  ],
  [
    'without a start in the closing',
    [
      ['open', 1],
      ['close', undefined, 5],
    ],
    ['1-5 by alert'],
  ],
  ['ends before it starts', [['close', 5, 1]], ['5-1 by alert opening_missing negative_length']],
  ['without any times', [['open'], ['close']], ['20-21 by alert']],
  [
    'two alerts, the closing of the first overtaken by the opening of the second',
    [
      ['open', 1],
      ['open', 6],
      ['close', 1, 5],
    ],
    ['1-5 by alert', 'open 6'],
  ],
  [
    'an older opening that comes late ended with the next one, for all that is known',
    [
      ['open', 6],
      ['open', 1],
    ],
    ['1-6 by next_opening', 'open 6'],
  ],
  ['reminders without a start are one episode', [['open'], ['open'], ['open']], ['open 20']],
  ['a closing that knows the start of an opening that did not', [['open'], ['close', 2, 9]], ['2-9 by alert']],
])('%s', (_name, told, episodes) => {
  expect(run(told).episodes).toEqual(episodes);
});

test('a state that nobody documented is flagged, not guessed', () => {
  const { episodes, events } = run([['odd', 1]]);
  expect(episodes).toEqual([]);
  expect(events.map(({ flags }) => flags)).toEqual([['alert_state_unknown']]);
});

test('several triggers are one event and an episode each', () => {
  const lane = laneOf();
  const triggers = ['cpu', 'memory', 'disk'].map((metric) => ({ metric, state: 'triggered', stateStartTime: at(0) }));
  lane.post('Alert.Notification', { accountAlias: 'ACME', serverName: 'WEB01', triggers }, minute);
  const { outputs } = step(createState(), lane.records);
  expect(outputs.filter(({ kind }) => kind === 'event')).toHaveLength(1);
  const metrics = outputs.flatMap((output) => (output.kind === 'episode' ? [output.value.metric] : []));
  expect(metrics).toEqual(['cpu', 'memory', 'disk']);
});

test('the order in which openings and closings come changes nothing that is known in the end', () => {
  const lengths = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(lengths, fc.array(fc.nat(), { minLength: 12, maxLength: 12 }), (spans, shuffle) => {
      let end = 0;
      const intervals = spans.map(([pause, length]) => {
        const start = end + pause;
        end = start + length;
        return [start, end] as const;
      });
      const told = intervals.flatMap(([start, stop]): Told[] => [
        ['open', start],
        ['close', start, stop],
      ]);
      const shuffled = told.map((entry, n) => ({ entry, key: shuffle[n]! })).sort((a, b) => a.key - b.key);
      const { episodes } = run(shuffled.map(({ entry }) => entry));
      expect(episodes).toEqual(intervals.map(([start, stop]) => `${start}-${stop} by alert`));
    }),
  );
});
