/** Which account was directly below which, and from when until when. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { day, hour, minute, run } from './identity.ts';
import { type LaneBuilder, laneOf, startMs } from './lane.ts';

const told = (lane: LaneBuilder, atMin: number, parentAlias: string, accountAlias = 'SUB') =>
  lane.post(
    parentAlias === '' ? 'Account.Deleted' : 'Account.Updated',
    { accountAlias, ...(parentAlias && { parentAlias }) },
    atMin * minute,
  );
const minutes = (time: number | null) => (time === null ? '' : (time - startMs) / minute);
/** As "account < parent from-to", by when they begin. */
const spans = (lane: LaneBuilder) =>
  run(lane)
    .rows('hierarchy')
    .filter(({ account }) => account === 'centurylink:SUB')
    .sort((a, b) => a.valid_from - b.valid_from)
    .map(
      (row) =>
        `${row.account.slice(12)} < ${row.parent_account.slice(12)} ${minutes(row.valid_from)}-${minutes(row.valid_to)}`,
    );

describe('a span', () => {
  test.each<[what: string, acts: [atMin: number, parent: string][], expected: string[]]>([
    [
      'goes on while the same is said',
      [
        [0, 'ACME'],
        [5, 'ACME'],
      ],
      ['SUB < ACME 0-'],
    ],
    [
      'ends where another parent is said',
      [
        [0, 'ACME'],
        [5, 'OTHER'],
      ],
      ['SUB < ACME 0-5', 'SUB < OTHER 5-'],
    ],
    [
      'ends with its account',
      [
        [0, 'ACME'],
        [5, ''],
      ],
      ['SUB < ACME 0-5'],
    ],
    [
      'begins anew after that',
      [
        [0, 'ACME'],
        [5, ''],
        [9, 'ACME'],
      ],
      ['SUB < ACME 0-5', 'SUB < ACME 9-'],
    ],
    [
      'begins earlier where that is told late',
      [
        [9, 'ACME'],
        [5, 'ACME'],
      ],
      ['SUB < ACME 5-'],
    ],
    [
      'is parted by what is told late',
      [
        [0, 'ACME'],
        [5, 'ACME'],
        [9, 'ACME'],
        [7, 'OTHER'],
      ],
      ['SUB < ACME 0-7', 'SUB < OTHER 7-9', 'SUB < ACME 9-'],
    ],
  ])('%s', (_what, acts, expected) => {
    const lane = laneOf();
    for (const [atMin, parent] of acts) told(lane, atMin, parent);
    expect(spans(lane)).toEqual(expected);
  });

  test('names the event that it begins with, and keeps its id when it begins earlier', () => {
    const lane = laneOf();
    told(lane, 9, 'ACME');
    const before = run(lane).rows('hierarchy')[0]!;
    told(lane, 5, 'ACME');
    const [row] = run(lane).rows('hierarchy');
    const earliest = run(lane)
      .rows('event')
      .find(({ time }) => time === startMs + 5 * minute);
    expect(row).toMatchObject({ id: before.id, first_received_at: before.first_received_at, event: earliest!.id });
  });
});

test('spans are those of what was said by time, in whatever order it came', () => {
  const said = fc.record({ atMin: fc.integer({ min: 0, max: 60 }), parent: fc.constantFrom('ACME', 'OTHER', '') });
  const list = fc.uniqueArray(said, { maxLength: 25, selector: ({ atMin }) => atMin });
  fc.assert(
    fc.property(list, (acts) => {
      const lane = laneOf();
      // Known from the beginning, so that nothing waits.
      told(lane, -1, 'ACME');
      told(lane, -1, 'ACME', 'OTHER');
      for (const { atMin, parent } of acts) told(lane, atMin, parent);
      const expected: string[] = [];
      const sorted = [{ atMin: -1, parent: 'ACME' }, ...acts.sort((a, b) => a.atMin - b.atMin)];
      sorted.forEach(({ atMin, parent }, index) => {
        if (parent === '' || sorted[index - 1]?.parent === parent) return;
        const end = sorted.slice(index).find((later) => later.parent !== parent)?.atMin ?? '';
        expected.push(`SUB < ${parent} ${atMin}-${end}`);
      });
      expect(spans(lane)).toEqual(expected);
    }),
    { numRuns: Number(process.env.LAW_RUNS ?? 150) },
  );
});

test('what was seen of an account is bounded, and forgotten a week after its deletion', () => {
  const lane = laneOf();
  for (let n = 0; n < 300; n++) told(lane, n, n % 2 ? 'ACME' : 'OTHER');
  for (let n = 300; n < 600; n++) told(lane, n, 'ACME');
  const seen = run(lane).state.parents.get('', 'centurylink:SUB')?.seen ?? [];
  expect(seen.length).toBeLessThanOrEqual(64);
  expect(spans(lane)).toHaveLength(300);
  told(lane, 601, '');
  lane.tick(601 * minute + 7 * day + 2 * hour);
  expect(run(lane).state.parents.size).toBe(0);
});
