import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { partitionOf } from '../../../services/ports/log/kafka.ts';
import { sharePartitions } from '../../../services/ports/log/kafka-group.ts';

describe('the partition of a tenant', () => {
  // The hashes are those of UtilsTest.java of Kafka's clients.
  test.each([
    { key: '21', murmur2: -973932308 },
    { key: 'foobar', murmur2: -790332482 },
    { key: 'a-little-bit-long-string', murmur2: -985981536 },
    { key: 'a-little-bit-longer-string', murmur2: -1486304829 },
    { key: 'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', murmur2: -58897971 },
    { key: 'abc', murmur2: 479470107 },
  ])('is that of Kafka’s own clients: $key', ({ key, murmur2 }) => {
    for (const partitions of [1, 12, 997])
      expect(partitionOf(key, partitions)).toBe((murmur2 & 0x7fffffff) % partitions);
  });
});

describe('shares of a group', () => {
  test.each([
    { what: 'one has all', owned: { a: [] }, shares: { a: [0, 1, 2, 3] } },
    { what: 'a second one gets half', owned: { a: [0, 1, 2, 3], b: [] }, shares: { a: [0, 1], b: [2, 3] } },
    { what: 'who stays keeps its own', owned: { b: [2, 3], c: [] }, shares: { b: [2, 3], c: [0, 1] } },
    { what: 'what one left goes to the others', owned: { a: [1, 2] }, shares: { a: [0, 1, 2, 3] } },
    { what: 'two claim the same', owned: { a: [0, 1], b: [0, 1] }, shares: { a: [0, 1], b: [2, 3] } },
    { what: 'who has more keeps more', owned: { a: [0], b: [1, 2], c: [] }, shares: { a: [0], b: [1, 2], c: [3] } },
    {
      what: 'some get none',
      owned: { a: [0], b: [1], c: [2], d: [3], e: [] },
      shares: { a: [0], b: [1], c: [2], d: [3], e: [] },
    },
    { what: 'partitions that are none', owned: { a: [7, -1] }, shares: { a: [0, 1, 2, 3] } },
  ])('$what', ({ owned, shares }) => {
    const members = Object.entries(owned).map(([id, owned]) => ({ id, owned: owned as number[] }));
    expect(Object.fromEntries(sharePartitions(4, members))).toEqual(shares);
  });

  test('are even, whole and without overlap, whoever claims what', () => {
    const members = fc.uniqueArray(fc.record({ id: fc.string(), owned: fc.array(fc.integer({ min: -1, max: 30 })) }), {
      selector: ({ id }) => id,
      minLength: 1,
    });
    fc.assert(
      fc.property(fc.nat(24), members, (count, members) => {
        const shares = [...sharePartitions(count, members).values()];
        expect(shares).toHaveLength(members.length);
        expect(shares.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, partition) => partition));
        const sizes = shares.map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });
});
