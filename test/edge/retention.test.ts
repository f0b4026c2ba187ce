import pino from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { encode } from '../../services/core/records/codec.ts';
import { coveredByCheckpoints, keepTrimmed, replayableFrom, trimJournal } from '../../services/edge/retention.ts';
import type { Checkpoints } from '../../services/ports/checkpoints/checkpoints.ts';
import { createMemoryCheckpoints } from '../../services/ports/checkpoints/memory.ts';
import type { Log } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { deliveryOf, startMs } from '../core/flow/lane.ts';
import { alteredLog, damagedLog } from './forwarder/fixture.ts';

const second = 1000;

async function saveCheckpoints(checkpoints: Checkpoints, lane: string, positions: number[]): Promise<void> {
  for (const position of positions)
    await checkpoints.save(
      lane,
      { position, recordId: 'x', flow: '', final: false, producers: [] },
      (async function* () {})(),
    );
}

/** A second apart. */
async function tenRecords(): Promise<Log> {
  const log = createMemoryLog();
  const frames = Array.from({ length: 10 }, (_, n) =>
    encode('delivery', deliveryOf({ seq: n, received_at: startMs + n * second })),
  );
  await log.append(frames.map((frame, n) => ({ key: n % 2 === 0 ? 'acme' : 'bolt', frame })));
  return log;
}

/** Of ten records; `covered` are the lanes' newest checkpoints but one. Returns the first position that is left. */
async function trimmed(retentionMs: number, covered: Record<string, number>, bytes = 0): Promise<number> {
  const log = await tenRecords();
  const checkpoints = createMemoryCheckpoints();
  for (const [lane, position] of Object.entries(covered)) {
    if (position >= 0) await saveCheckpoints(checkpoints, lane, [position, position + 1]);
  }
  const size = { journalBytes: () => bytes, journalBytesMax: 1000 };
  const coveredTo = () => coveredByCheckpoints(checkpoints, Object.keys(covered));
  await trimJournal({ log, covered: coveredTo, retentionMs, ...size }, startMs + 9 * second);
  return (await log.bounds()).first;
}

test.each<[name: string, retentionMs: number, covered: Record<string, number>, first: number]>([
  ['what is young stays, though covered', 60 * second, { acme: 8, bolt: 9 }, 0],
  ['what is old and covered goes', 3 * second, { acme: 8, bolt: 9 }, 6],
  ['what one lane has not covered stays', 0, { acme: 2, bolt: 9 }, 3],
  ['what a lane without a checkpoint needs stays', 0, { acme: -1, bolt: 9 }, 0],
  ['the newest record may go as well', -1, { acme: 9, bolt: 9 }, 10],
])('%s', async (_name, retentionMs, covered, first) => {
  expect(await trimmed(retentionMs, covered)).toBe(first);
});

test.each<[name: string, kept: Record<string, number[]>, first: number]>([
  ['to the last checkpoint before the retention', { acme: [2, 4, 7, 8], bolt: [4, 7, 9] }, 5],
  ['to that of the lane whose is the oldest', { acme: [2, 7, 8], bolt: [4, 7, 9] }, 3],
  ['to the retention, where a checkpoint ends with it', { acme: [5, 7, 8], bolt: [5, 7, 9] }, 6],
  ['not at all, while all checkpoints of a lane are younger', { acme: [7, 8, 9], bolt: [4, 7, 9] }, 0],
])('a log of lanes is trimmed %s', async (_name, kept, first) => {
  const log = await tenRecords();
  const checkpoints = createMemoryCheckpoints();
  for (const [lane, positions] of Object.entries(kept)) await saveCheckpoints(checkpoints, lane, positions);
  const lanes = Object.keys(kept);
  const covered = () => coveredByCheckpoints(checkpoints, lanes);
  const replayable = (position: number) => replayableFrom(checkpoints, lanes, position);
  const size = { journalBytes: () => 0, journalBytesMax: 1000 };
  await trimJournal({ log, covered, replayable, retentionMs: 3 * second, ...size }, startMs + 9 * second);
  expect((await log.bounds()).first).toBe(first);
});

test.each<[name: string, bytes: number, covered: Record<string, number>, first: number]>([
  ['at 70 % of its mark: what is young stays', 700, { acme: 8, bolt: 9 }, 0],
  ['above: what is covered goes, however young', 701, { acme: 8, bolt: 9 }, 9],
  ['above: what is not covered stays, though the journal fills', 5000, { acme: 2, bolt: 9 }, 3],
  ['above: without a checkpoint all of it stays', 5000, { acme: -1, bolt: 9 }, 0],
])('a journal %s', async (_name, bytes, covered, first) => {
  expect(await trimmed(60 * second, covered, bytes)).toBe(first);
});

/** Ten records of 100 bytes against a mark of 1000, acknowledged and covered up to the positions. */
async function pressed({ acknowledged = 10, covered = 0, bytesPer = 100 }) {
  const log = await tenRecords();
  let bytes = 10 * bytesPer;
  const shrinking: Log = {
    ...log,
    async trim(position) {
      await log.trim(position);
      const { first, next } = await log.bounds();
      bytes = (next - first) * bytesPer;
    },
  };
  let letGo = 0;
  const options = {
    log: shrinking,
    covered: async () => covered,
    acknowledged: () => acknowledged,
    onLetGo: (records: number) => {
      letGo += records;
    },
    retentionMs: 60 * second,
    journalBytes: () => bytes,
    journalBytesMax: 1000,
    logger: pino({ level: 'silent' }),
  };
  await trimJournal(options, startMs + 9 * second);
  return { first: (await log.bounds()).first, letGo };
}

test.each<[name: string, fields: Parameters<typeof pressed>[0], expected: { first: number; letGo: number }]>([
  ['nothing while there is room', { bytesPer: 70 }, { first: 0, letGo: 0 }],
  ['what is acknowledged though not covered, and no more than must go', {}, { first: 3, letGo: 3 }],
  ['all that is acknowledged, if must be', { bytesPer: 1000 }, { first: 10, letGo: 10 }],
  ['nothing that is not acknowledged', { bytesPer: 1000, acknowledged: 4 }, { first: 4, letGo: 4 }],
  ['nothing at all where nothing is', { bytesPer: 1000, acknowledged: 0 }, { first: 0, letGo: 0 }],
  ['what is covered first', { covered: 3 }, { first: 3, letGo: 0 }],
  ['and then what is not', { covered: 2 }, { first: 3, letGo: 1 }],
])('a journal that is filling up lets go of %s', async (_name, fields, expected) => {
  expect(await pressed(fields)).toEqual(expected);
});

test('what is let go uncovered is said once a minute, and counted', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const log = await tenRecords();
  const lines: { level: number; records: number }[] = [];
  const counted: number[] = [];
  let acknowledged = 0;
  const stop = keepTrimmed({
    log,
    covered: async () => 0,
    acknowledged: () => acknowledged,
    onLetGo: (records) => counted.push(records),
    retentionMs: 60 * second,
    journalBytes: () => 5000,
    journalBytesMax: 1000,
    logger: pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
  });
  for (acknowledged = 2; acknowledged <= 6; acknowledged += 2) {
    await vi.advanceTimersByTimeAsync(1_000);
    await vi.waitFor(() => expect(counted).toHaveLength(acknowledged / 2));
  }
  expect(lines).toMatchObject([{ level: 50, records: 2 }]);
  await vi.advanceTimersByTimeAsync(60_000);
  acknowledged = 9;
  await vi.advanceTimersByTimeAsync(1_000);
  await vi.waitFor(() => expect(lines).toHaveLength(2));
  stop();
  expect(counted.reduce((sum, records) => sum + records, 0)).toBe(lines.reduce((sum, { records }) => sum + records, 0));
});

test.each<[name: string, fault: (log: Log) => Log, first: number]>([
  ['a frame that is no record', (log) => alteredLog(log, { 5: Buffer.from('no record') }), 5],
  ['a damaged part', (log) => damagedLog(log, [[5, 6]]), 5],
  ['one that is not looked at', (log) => damagedLog(log, [[1, 2]]), 6],
])('%s does not keep a journal from being trimmed', async (_name, fault, first) => {
  const log = await tenRecords();
  const options = { covered: async () => 10, retentionMs: 3 * second, journalBytes: () => 0, journalBytesMax: 1000 };
  await trimJournal({ log: fault(log), ...options }, startMs + 9 * second);
  expect((await log.bounds()).first).toBe(first);
});

test('a journal is looked at every second, and trimmed every minute or as soon as it fills', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const log = createMemoryLog();
  const trim = vi.spyOn(log, 'trim');
  let bytes = 0;
  const stop = keepTrimmed({
    log,
    covered: async () => 0,
    retentionMs: 0,
    journalBytes: () => bytes,
    journalBytesMax: 1000,
    logger: pino({ level: 'silent' }),
  });
  await vi.advanceTimersByTimeAsync(59_000);
  expect(trim).toHaveBeenCalledTimes(0);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(trim).toHaveBeenCalledTimes(1);
  bytes = 800;
  for (let n = 2; n <= 4; n++) {
    await vi.advanceTimersByTimeAsync(1_000);
    await vi.waitFor(() => expect(trim).toHaveBeenCalledTimes(n));
  }
  stop();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(trim).toHaveBeenCalledTimes(4);
});

test('an empty journal stays as it is', async () => {
  const log = createMemoryLog();
  const size = { journalBytes: () => 0, journalBytesMax: 1000 };
  await trimJournal({ log, covered: async () => 0, retentionMs: 0, ...size }, startMs);
  expect(await log.bounds()).toEqual({ first: 0, next: 0 });
});
