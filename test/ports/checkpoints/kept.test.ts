import { describe, expect, test } from 'vitest';
import { keptPositions } from '../../../services/ports/checkpoints/checkpoints.ts';

test.each<[name: string, positions: number[], first: number, kept: number[]]>([
  ['nothing of nothing', [], 5, []],
  ['the newest three, and the oldest that no trimmed record follows', [10, 11, 12, 13, 14], 0, [10, 12, 13, 14]],
  ['the newest before the start of the log, if there is none at it', [10, 90, 91, 92], 50, [10, 90, 91, 92]],
  ['one that ends where the log begins', [10, 49, 90, 91, 92], 50, [49, 90, 91, 92]],
  [
    'some between the start of the log and its end',
    [0, 20, 40, 50, 60, 80, 98, 99, 100],
    0,
    [0, 20, 40, 60, 80, 98, 99, 100],
  ],
])('%s', (_, positions, first, kept) => {
  expect([...keptPositions(positions, first)].sort((a, b) => a - b)).toEqual(kept);
});

describe('while a log grows, and is trimmed as it does', () => {
  test.each([
    ['in small steps', 7, 1],
    ['in large ones, as segments are', 7, 90],
    ['with few checkpoints', 60, 1],
  ])('there are few, and one near its start: %s', (_, every, trimmedBy) => {
    const length = 1_000;
    let positions: number[] = [];
    for (let newest = 0; newest < 10_000; newest += every) {
      const first = Math.max(0, Math.floor((newest - length) / trimmedBy) * trimmedBy);
      positions = [...keptPositions([...positions, newest], first)].sort((a, b) => a - b);
      expect(positions.length).toBeLessThanOrEqual(12);
      const start = positions.find((position) => position + 1 >= first)!;
      expect(start - first).toBeLessThanOrEqual(Math.max((2 * (length + trimmedBy)) / 4, 2 * every));
    }
  });
});
