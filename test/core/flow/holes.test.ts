import { expect, test } from 'vitest';
import { extend, fill, type Holes, missing } from '../../../services/core/flow/holes.ts';

/** '2-4 6-6' and back. */
const holesOf = (text: string) => text.split(' ').map((hole) => hole.split('-').map(Number)) as [number, number][];
const textOf = (holes: Holes | undefined) => holes?.map((hole) => hole.join('-')).join(' ');

const holes = holesOf('2-4 6-6');

test.each([
  { number: 2, left: '3-4 6-6' },
  { number: 3, left: '2-2 4-4 6-6' },
  { number: 4, left: '2-3 6-6' },
  { number: 6, left: '2-4' },
  { number: 1, left: undefined },
  { number: 5, left: undefined },
  { number: 7, left: undefined },
])('2-4 6-6 without $number: $left', ({ number, left }) => {
  expect(textOf(fill(holes, number))).toBe(left);
});

test.each([
  { first: 7, last: 9, extended: '2-4 6-9' },
  { first: 8, last: 9, extended: '2-4 6-6 8-9' },
  { first: 8, last: 7, extended: '2-4 6-6' },
])('2-4 6-6 with $first to $last: $extended', ({ first, last, extended }) => {
  expect(textOf(extend(holes, first, last))).toBe(extended);
});

test('the numbers in holes are counted', () => {
  expect([missing([]), missing(holes)]).toEqual([0, 4]);
});
