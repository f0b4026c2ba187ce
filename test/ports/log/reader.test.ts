import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { type Log, LogUnavailableError, type ReadLimits } from '../../../services/ports/log/log.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { createReader, type ReaderOptions, readTogether } from '../../../services/ports/log/reader.ts';

const limits: ReadLimits = { records: 100, bytes: 1e6 };

async function logOf(count: number, bytes = 1): Promise<Log> {
  const log = createMemoryLog();
  const records = Array.from({ length: count }, (_, n) => ({ key: 'a', frame: Buffer.alloc(bytes, n) }));
  if (count > 0) await log.append(records);
  return log;
}

function read(log: Log, more: Partial<ReaderOptions> = {}) {
  return createReader({ log, startAt: ({ first }) => first, onTrimmed: () => {}, retryDelayMsMax: 1, ...more });
}

const positions = (records: readonly { position: number }[]) => records.map(({ position }) => position);

describe('a reader', () => {
  test('goes on where it was, from where it was told to start', async () => {
    const log = await logOf(6);
    const reader = read(log, { startAt: ({ next }) => next - 4 });
    expect(reader.position()).toBeUndefined();
    expect(positions(await reader.read({ ...limits, records: 2 }))).toEqual([2, 3]);
    expect(positions(await reader.read(limits))).toEqual([4, 5]);
    expect(await reader.read(limits)).toEqual([]);
    expect(reader.position()).toBe(6);
    reader.rewind();
    expect(positions(await reader.read(limits))).toEqual([2, 3, 4, 5]);
  });

  test('gives nothing while its log is not reached, says so, and goes on without a gap', async () => {
    const log = await logOf(2);
    const onUnavailable = vi.fn();
    const reader = read(log, { onUnavailable });
    await reader.read({ ...limits, records: 1 });
    const away = vi.spyOn(log, 'read').mockRejectedValue(new LogUnavailableError('no leader'));
    await vi.waitFor(async () => {
      expect(await reader.read(limits)).toEqual([]);
      expect(onUnavailable.mock.calls.length).toBeGreaterThan(2);
    });
    expect(reader.trouble()).toBe('no leader');
    away.mockRestore();
    expect(await vi.waitUntil(async () => (await reader.read(limits)).at(0))).toMatchObject({ position: 1 });
    expect(reader.trouble()).toBeUndefined();
  });

  test('does not ask again before its delay is over', async () => {
    const log = await logOf(1);
    const bounds = vi.spyOn(log, 'bounds').mockRejectedValue(new LogUnavailableError('no leader'));
    const reader = read(log, { retryDelayMsMax: 60_000 });
    for (const _ of [1, 2, 3]) expect(await reader.read(limits)).toEqual([]);
    expect(bounds).toHaveBeenCalledTimes(1);
  });

  test('goes on behind what was let go unread, and says how much', async () => {
    const log = await logOf(9);
    const onTrimmed = vi.fn();
    const reader = read(log, { onTrimmed });
    await reader.read({ ...limits, records: 2 });
    await log.trim(5);
    await reader.read(limits);
    expect(positions(await reader.read(limits))).toEqual([5, 6, 7, 8]);
    expect(onTrimmed.mock.calls).toEqual([[3]]);
  });

  test('an error that is none of the log is not swallowed', async () => {
    const log = await logOf(1);
    vi.spyOn(log, 'read').mockRejectedValue(new TypeError('a mistake'));
    await expect(read(log).read(limits)).rejects.toThrow('a mistake');
  });
});

describe('reading together', () => {
  /** Logs of so many records each, and how often each was read. */
  async function readers(counts: number[], bytes = 1) {
    const logs = await Promise.all(counts.map((count) => logOf(count, bytes)));
    return { logs, reads: logs.map((log) => vi.spyOn(log, 'read')), all: logs.map((log) => read(log)) };
  }

  test.each([
    { name: 'room for all', counts: [3, 0, 5], records: 100, taken: [3, 0, 5], more: false },
    { name: 'one alone has all the room', counts: [1000, 0, 0, 0], records: 100, taken: [100, 0, 0, 0], more: true },
    {
      name: 'all busy: an even share',
      counts: [1000, 1000, 1000, 1000],
      records: 100,
      taken: [25, 25, 25, 25],
      more: true,
    },
    {
      name: 'what one leaves is the others’',
      counts: [1000, 10, 1000, 0],
      records: 100,
      taken: [45, 10, 45, 0],
      more: true,
    },
    { name: 'more logs than room: one record of each', counts: [9, 9, 9], records: 2, taken: [1, 1, 1], more: true },
    { name: 'no logs', counts: [], records: 100, taken: [], more: false },
  ])('$name', async ({ counts, records, taken, more }) => {
    const { all } = await readers(counts);
    const reading = await readTogether(all, { records, bytes: 1e6 });
    const lengths = reading.batches.map((batch) => batch.length);
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(reading.records);
    expect(reading.more).toBe(more);
    for (const [index, length] of lengths.entries()) {
      expect(length).toBeGreaterThanOrEqual(Math.floor(taken[index]! * 0.9));
      expect(length).toBeLessThanOrEqual(Math.ceil(taken[index]! * 1.1));
    }
  });

  test('bytes bound it too', async () => {
    const { all } = await readers([1000, 1000, 5], 100);
    const { bytes, batches, more } = await readTogether(all, { records: 1e6, bytes: 20_000 });
    expect(bytes).toBeGreaterThanOrEqual(18_000);
    expect(bytes).toBeLessThanOrEqual(20_000);
    expect(batches[2]).toHaveLength(5);
    expect(more).toBe(true);
  });

  test('logs that are at their end are read once', async () => {
    const { all, reads } = await readers([1000, 2, 0]);
    await readTogether(all, { records: 900, bytes: 1e6 });
    expect(reads.slice(1).map((spy) => spy.mock.calls.length)).toEqual([1, 1]);
  });

  test('a read that ends early, where a fetch has ended, is not the end of the log', async () => {
    const log = await logOf(1000);
    const ending: Log = { ...log, read: (from, { bytes }) => log.read(from, { bytes, records: 60 }) };
    const { records, more } = await readTogether([read(ending), read(await logOf(0))], { records: 900, bytes: 1e6 });
    expect(records).toBeGreaterThanOrEqual(810);
    expect(more).toBe(true);
  });

  test('none waits where another has something', async () => {
    const { all, reads } = await readers([1000, 0]);
    await readTogether(all, { records: 100, bytes: 1e6, waitMs: 250 });
    expect(reads.map((spy) => spy.mock.calls.map(([, { waitMs }]) => waitMs))).toEqual([[0, 0], [0]]);
  });

  test('what comes to one while all wait is given before the others have waited to their end', async () => {
    const logs = [await logOf(0), await logOf(0)];
    const waiting = logs.map(
      (log): Log => ({
        ...log,
        async read(from, reading) {
          await sleep(reading.waitMs ?? 0);
          return log.read(from, reading);
        },
      }),
    );
    const reading = readTogether(
      waiting.map((log) => read(log)),
      { ...limits, waitMs: 60_000 },
    );
    await logs[1]!.append([{ key: 'a', frame: Buffer.from('x') }]);
    expect((await reading).batches.map((batch) => batch.length)).toEqual([0, 1]);
  });

  test('one that is not reached costs the others nothing', async () => {
    const { all, logs } = await readers([5, 5]);
    vi.spyOn(logs[0]!, 'bounds').mockRejectedValue(new LogUnavailableError('no leader'));
    expect((await readTogether(all, limits)).batches.map((batch) => batch.length)).toEqual([0, 5]);
  });
});
