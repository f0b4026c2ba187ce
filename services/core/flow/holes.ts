/**
 * Which numbers of a producer are missing, once it is known that they may never come.
 *
 *   worked on     0 … 4       7 8     11         last number seen: 11
 *   holes                5 6      9 10           [[5, 6], [9, 10]]
 */

/** First and last missing numbers, ascending and apart from each other. */
export type Holes = readonly (readonly [number, number])[];

/** Adds the numbers from `first` to `last`, all above those in the holes. */
export function extend(holes: Holes, first: number, last: number): Holes {
  if (first > last) return holes;
  const end = holes.at(-1);
  return end && end[1] === first - 1 ? [...holes.slice(0, -1), [end[0], last]] : [...holes, [first, last]];
}

/** The holes without a number; undefined where it was in none. */
export function fill(holes: Holes, number: number): Holes | undefined {
  const index = holes.findIndex(([first, last]) => number >= first && number <= last);
  if (index < 0) return undefined;
  const [first, last] = holes[index]!;
  const rest: [number, number][] = [
    [first, number - 1],
    [number + 1, last],
  ];
  return [...holes.slice(0, index), ...rest.filter(([from, to]) => from <= to), ...holes.slice(index + 1)];
}

/** How many numbers are missing. */
export function missing(holes: Holes): number {
  return holes.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}
