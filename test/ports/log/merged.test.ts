import { describe, expect, test, vi } from 'vitest';
import { type Log, LogTrimmedError, LogUnavailableError } from '../../../services/ports/log/log.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { createMergedLog, type MergedOptions } from '../../../services/ports/log/merged.ts';

const limits = { records: 1_000, bytes: 1e6 };
const startedAtMs = Date.UTC(2026, 0, 5, 9);
const base = startedAtMs * 100;

/** Logs whose records say which log they are of and where they stand in it. */
async function logsOf(...counts: number[]): Promise<Log[]> {
  return Promise.all(
    counts.map(async (count, index) => {
      const log = createMemoryLog();
      await append(log, index, count);
      return log;
    }),
  );
}

async function append(log: Log, index: number, count: number): Promise<void> {
  const { next } = await log.bounds();
  const frames = Array.from({ length: count }, (_, n) => Buffer.from(`${index}/${next + n}`));
  if (count > 0) await log.append(frames.map((frame) => ({ key: 'a', frame })));
}

const merge = (logs: Log[], more: Partial<MergedOptions> = {}) =>
  createMergedLog(logs, { startedAtMs, backlogRecords: 1_000, waitMs: 0, ...more });

/** Reads to the end, as a reader does that goes forward. */
async function readAll(log: Log, each = limits) {
  const records: { position: number; frame: string }[] = [];
  let from = (await log.bounds()).first;
  for (;;) {
    const batch = await log.read(from, each);
    if (batch.length === 0) return records;
    records.push(...batch.map(({ position, frame }) => ({ position, frame: Buffer.from(frame).toString() })));
    from = batch.at(-1)!.position + 1;
  }
}

const places = (records: { frame: string }[], index: number) =>
  records.filter(({ frame }) => frame.startsWith(`${index}/`)).map(({ frame }) => Number(frame.split('/')[1]));

describe('what is read', () => {
  test.each([
    { records: 1_000, bytes: 1e6 },
    { records: 7, bytes: 1e6 },
    { records: 1, bytes: 1e6 },
    { records: 1_000, bytes: 10 },
  ])('everything once, each log in its order, numbered without gaps: by %o', async (each) => {
    const records = await readAll(merge(await logsOf(40, 0, 3, 90)), each);
    expect(records.map(({ position }) => position)).toEqual(Array.from({ length: 133 }, (_, n) => base + n));
    for (const [index, count] of [40, 0, 3, 90].entries()) {
      expect(places(records, index)).toEqual(Array.from({ length: count }, (_, n) => n));
    }
  });

  test('begins so many records before the end of each log', async () => {
    const log = merge(await logsOf(40, 2, 9), { backlogRecords: 3 });
    expect(await log.bounds()).toEqual({ first: base, next: base + 8 });
    const records = await readAll(log);
    expect([0, 1, 2].map((index) => places(records, index))).toEqual([
      [37, 38, 39],
      [0, 1],
      [6, 7, 8],
    ]);
  });

  test('may begin within the backlog', async () => {
    const log = merge(await logsOf(40));
    const { next } = await log.bounds();
    const [found] = await log.read(next - 2, { records: 5, bytes: 1e6 });
    expect([found!.position, Buffer.from(found!.frame).toString()]).toEqual([next - 2, '0/38']);
  });

  test('goes on with what comes later, and a read may be repeated', async () => {
    const logs = await logsOf(2, 0);
    const log = merge(logs);
    expect(await readAll(log)).toHaveLength(2);
    await append(logs[1]!, 1, 3);
    const once = await log.read(base + 2, limits);
    expect(once).toHaveLength(3);
    expect(await log.read(base + 2, limits)).toEqual(once);
    expect(await log.bounds()).toEqual({ first: base + 2, next: base + 5 });
  });

  test('is never more than was asked for, however much there is', async () => {
    const logs = await logsOf(1_000, 1_000);
    const read = vi.spyOn(logs[0]!, 'read');
    const batch = await merge(logs).read(base, { records: 100, bytes: 1e6 });
    expect(batch).toHaveLength(100);
    expect(read.mock.calls.map(([, { records }]) => records)).toEqual([50]);
  });
});

test('who reads the same logs at the same time sees everything too', async () => {
  const logs = await logsOf(5, 5);
  const [one, other] = [merge(logs), merge(logs)];
  expect(await readAll(one)).toHaveLength(10);
  expect(await readAll(other)).toHaveLength(10);
});

test('a later start knows no position of an earlier one, and positions have at most 15 digits', async () => {
  const logs = await logsOf(50);
  const records = await readAll(merge(logs));
  const later = merge(logs, { startedAtMs: startedAtMs + 1 });
  expect((await later.bounds()).first).toBeGreaterThan(records.at(-1)!.position);
  await expect(later.read(records.at(-1)!.position + 1, limits)).rejects.toBeInstanceOf(LogTrimmedError);
  expect(String((await later.bounds()).next)).toMatch(/^\d{15}$/);
});

describe('a log that is not reached', () => {
  const away = new LogUnavailableError('no leader');

  test.each(['bounds', 'read'] as const)(
    'by %s is left out until it is, and then seen from its backlog on',
    async (call) => {
      const logs = await logsOf(3, 3);
      const onUnavailable = vi.fn();
      const broken = vi.spyOn(logs[0]!, call).mockRejectedValue(away);
      const log = merge(logs, { onUnavailable });
      expect(places(await readAll(log), 1)).toEqual([0, 1, 2]);
      expect(onUnavailable).toHaveBeenCalledWith(away);
      broken.mockRestore();
      const rest = await vi.waitUntil(async () => {
        const batch = await log.read(base + 3, limits);
        return batch.length > 0 && batch;
      });
      expect(rest).toHaveLength(3);
    },
  );
});

test('where records are let go unread, the reader is told', async () => {
  const logs = await logsOf(3, 1);
  const log = merge(logs);
  expect(await readAll(log)).toHaveLength(4);
  await append(logs[0]!, 0, 5);
  await append(logs[1]!, 1, 1);
  await logs[0]!.trim(6);
  await expect(log.read(base + 4, limits)).rejects.toBeInstanceOf(LogTrimmedError);
  expect((await log.bounds()).first).toBe(base + 5);
  const rest = await readAll(log);
  expect([places(rest, 0), places(rest, 1)]).toEqual([[6, 7], [1]]);
});

test('it is only read, and its logs are not its own', async () => {
  const logs = await logsOf(1);
  const close = vi.spyOn(logs[0]!, 'close');
  const log = merge(logs);
  await expect(log.append([])).rejects.toThrow('only read');
  await expect(log.trim(1)).rejects.toThrow('only read');
  await log.close();
  expect(close).not.toHaveBeenCalled();
});
