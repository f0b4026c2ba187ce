/** When a lane was heard. Times in seconds. */
import { expect, test } from 'vitest';
import { deafMs, gapsOf, noteAlive } from '../../../services/core/flow/outages.ts';
import { createState } from '../../../services/core/flow/state.ts';

/** Each sign of life, with whether it was news of a gap. */
function hear(...signs: [at: number, news: boolean][]) {
  const state = createState();
  for (const [at, news] of signs) expect([at, noteAlive(state, at * 1_000)]).toEqual([at, news]);
  return { state, gaps: gapsOf(state).map(({ from, to }) => [from / 1_000, to / 1_000]) };
}

test.each<[what: string, signs: [number, boolean][], gaps: number[][]]>([
  [
    'no gap up to 15 s',
    [
      [0, true],
      [15, false],
      [30, false],
    ],
    [],
  ],
  [
    'a gap beyond it',
    [
      [0, true],
      [15.001, true],
    ],
    [[0, 15.001]],
  ],
  [
    'less than a second is not noted',
    [
      [0, true],
      [0.9, false],
      [15.5, true],
    ],
    [[0, 15.5]],
  ],
  [
    'a gap that is filled in the end',
    [
      [0, true],
      [40, true],
      [14, true],
      [27, true],
    ],
    [],
  ],
  [
    'a gap that becomes two',
    [
      [0, true],
      [60, true],
      [30, true],
    ],
    [
      [0, 30],
      [30, 60],
    ],
  ],
  [
    'one before all others',
    [
      [60, true],
      [0, true],
    ],
    [[0, 60]],
  ],
  [
    'one within what was heard',
    [
      [0, true],
      [10, false],
      [60, true],
      [5, false],
    ],
    [[10, 60]],
  ],
])('%s', (_what, signs, gaps) => {
  // prettier-ignore
  expect(hear(...signs).gaps).toEqual(gaps);
});

test('the time in which nobody could hear is that of the gaps between', () => {
  const { state } = hear([0, true], [100, true], [110, false], [200, true]);
  const deaf = (from: number, to: number) => deafMs(state, from * 1_000, to * 1_000) / 1_000;
  expect([deaf(0, 200), deaf(50, 60), deaf(50, 105), deaf(100, 110), deaf(90, 150), deaf(200, 900)]).toEqual([
    190, 10, 50, 0, 50, 0,
  ]);
});

test('of gaps, 500 are remembered, and those of 40 days', () => {
  const state = createState();
  for (let n = 0; n < 700; n++) noteAlive(state, n * 60_000);
  expect(gapsOf(state)).toHaveLength(499);
  expect(noteAlive(state, 30_000)).toBe(false);
  noteAlive(state, 41 * 86_400_000);
  noteAlive(state, 41 * 86_400_000 + 60_000);
  expect(gapsOf(state)).toHaveLength(1);
});
