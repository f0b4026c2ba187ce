import { expect, test, vi } from 'vitest';
import { type ConsumedOptions, createConsumedLog } from '../../../services/ports/log/consumed.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';

const limits = { records: 100, bytes: 1e6 };

/** A log of records at positions `first` to `next - 1`, and what a consumer has committed of it. */
async function open({ first = 0, next = 10, committed = undefined as number | undefined, onLost = () => {} } = {}) {
  const log = createMemoryLog();
  await log.append(Array.from({ length: next }, (_, n) => ({ key: 'a', frame: Buffer.from([n]) })));
  await log.trim(first);
  const group = { committed, asked: 0 };
  const options: ConsumedOptions = {
    async committed() {
      group.asked++;
      return group.committed;
    },
    async commit(position) {
      group.committed = position;
    },
    onLost,
  };
  return { log, group, consumed: createConsumedLog(log, options), again: () => createConsumedLog(log, options) };
}

test.each([
  { committed: undefined, first: 0, begins: 0 },
  { committed: undefined, first: 4, begins: 4 },
  { committed: 0, first: 0, begins: 0 },
  { committed: 7, first: 4, begins: 7 },
  { committed: 10, first: 4, begins: 10 },
  { committed: 2, first: 4, begins: 4, lost: 2 },
])(
  'of a log from $first on, committed $committed: begins at $begins',
  async ({ committed, first, begins, lost = 0 }) => {
    const onLost = vi.fn();
    const { consumed } = await open({ committed, first, onLost });
    for (const _ of [1, 2]) expect(await consumed.bounds()).toEqual({ first: begins, next: 10 });
    expect(onLost.mock.calls).toEqual(lost > 0 ? [[lost]] : []);
  },
);

test('committed beyond the end: it is another log, and nothing is passed over in silence', async () => {
  const { consumed } = await open({ committed: 11 });
  await expect(consumed.bounds()).rejects.toThrow('Cannot begin at position 11');
});

test('trimming commits, and the log keeps its records for others', async () => {
  const { log, group, consumed, again } = await open();
  await consumed.trim(6);
  expect(group.committed).toBe(6);
  expect(await consumed.bounds()).toEqual({ first: 6, next: 10 });
  expect(await again().bounds()).toEqual({ first: 6, next: 10 });
  expect(await log.bounds()).toEqual({ first: 0, next: 10 });
  expect(await consumed.read(0, limits)).toHaveLength(10);
});

test('what was committed is asked for once, and never goes back', async () => {
  const { group, consumed } = await open({ committed: 5 });
  await consumed.bounds();
  await consumed.trim(3);
  expect(group.committed).toBe(5);
  await consumed.trim(8);
  await consumed.bounds();
  expect(group).toEqual({ committed: 8, asked: 1 });
});

test('a group that was not reached is asked again', async () => {
  const { log, again } = await open({ committed: 5 });
  const committed = vi.fn().mockRejectedValueOnce(new Error('away')).mockResolvedValue(5);
  const consumed = createConsumedLog(log, { committed, commit: async () => {} });
  await expect(consumed.bounds()).rejects.toThrow('away');
  expect(await consumed.bounds()).toEqual(await again().bounds());
});
