/**
 * Reading several logs at once. What goes wrong with one of them is no reason to stop the others, so a reader waits for
 * its log by itself, and says so; and all of them together take no more than one would.
 */
import { type Log, type LogRecord, LogTrimmedError, LogUnavailableError, type ReadLimits } from './log.ts';

export interface ReaderOptions {
  log: Log;
  /** The position to begin with, of what the log holds then. */
  startAt(bounds: { first: number; next: number }): number;
  /** So many records were let go before they were read; reading goes on behind them. */
  onTrimmed(records: number): void;
  /** Called with each failure to reach the log; it is tried again. */
  onUnavailable?(error: LogUnavailableError): void;
  retryDelayMsMax?: number;
}

export interface Reader {
  /** Finds out where to begin, so far as the log is reached. */
  open(): Promise<void>;
  /** The next records: none at the end of the log, and none while it is not reached. */
  read(limits: ReadLimits): Promise<readonly LogRecord[]>;
  /** Begins anew with the next read, where `startAt` says then. */
  rewind(): void;
  /** Position of the next record to be read; undefined before the log was reached. */
  position(): number | undefined;
  /** Why nothing can be read now. */
  trouble(): string | undefined;
}

const retryDelayMsMin = 100;

export function createReader({
  log,
  startAt,
  onTrimmed,
  onUnavailable,
  retryDelayMsMax = 10_000,
}: ReaderOptions): Reader {
  let position: number | undefined;
  let trouble: string | undefined;
  let retryAt = Number.NEGATIVE_INFINITY;
  let delayMs = 0;

  async function findPosition(): Promise<number> {
    position ??= startAt(await log.bounds());
    return position;
  }

  async function readNext(limits: ReadLimits): Promise<readonly LogRecord[]> {
    const from = await findPosition();
    try {
      const records = await log.read(from, limits);
      const last = records.at(-1);
      if (last) position = last.position + 1;
      return records;
    } catch (error) {
      if (!(error instanceof LogTrimmedError)) throw error;
      await passOver(from);
      return [];
    }
  }

  async function passOver(unread: number): Promise<void> {
    const { first } = await log.bounds();
    position = Math.max(first, unread);
    onTrimmed(position - unread);
  }

  function postpone(error: LogUnavailableError): void {
    delayMs = Math.min(retryDelayMsMax, Math.max(retryDelayMsMin, delayMs * 2));
    retryAt = performance.now() + delayMs;
    trouble = error.message;
    onUnavailable?.(error);
  }

  /** Undefined while the log is not reached. */
  async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (performance.now() < retryAt) return undefined;
    try {
      const result = await work();
      delayMs = 0;
      trouble = undefined;
      return result;
    } catch (error) {
      if (!(error instanceof LogUnavailableError)) throw error;
      postpone(error);
      return undefined;
    }
  }

  return {
    async open() {
      await attempt(findPosition);
    },
    read: async (limits) => (await attempt(() => readNext(limits))) ?? [],
    rewind() {
      position = undefined;
    },
    position: () => position,
    trouble: () => trouble,
  };
}

export interface Reading {
  /** What each reader gave, in order. */
  batches: LogRecord[][];
  records: number;
  bytes: number;
  /** Whether there is likely more at once. */
  more: boolean;
}

/** A read ends before the record that would exceed its bytes: nine tenths of them are as good as all. */
const enough = 0.9;
/** Who gives less than a half of the share, and less than this, has come to the end of the log, or nearly. */
const few = { records: 50, bytes: 64 * 1024 };
/** A log to which something comes does not make the others' readers wait for longer. */
const waitSliceMs = 50;

/**
 * Reads from all at once: at most so many records and bytes together, and one record of each. The room is shared evenly,
 * so that none starves, and what some leave of theirs is shared among those that have more. A read may end early, as one
 * of Kafka does where a fetch has ended.
 */
export async function readTogether(readers: readonly Pick<Reader, 'read'>[], limits: ReadLimits): Promise<Reading> {
  const { waitMs = 0 } = limits;
  const untilMs = performance.now() + waitMs;
  let reading = await readUp(readers, limits, 0);
  for (let leftMs = waitMs; leftMs > 0 && reading.records === 0; leftMs = untilMs - performance.now()) {
    const startedMs = performance.now();
    const sliceMs = Math.min(waitSliceMs, leftMs);
    reading = await readUp(readers, limits, sliceMs);
    // Those that cannot wait have answered at once: whoever asks knows how to pause.
    if (performance.now() - startedMs < sliceMs / 2) break;
  }
  return reading;
}

/** Until none has much more, or there is enough. Only the first read of each waits. */
async function readUp(
  readers: readonly Pick<Reader, 'read'>[],
  limits: ReadLimits,
  firstWaitMs: number,
): Promise<Reading> {
  const reading: Reading = { batches: readers.map(() => []), records: 0, bytes: 0, more: false };
  let busy = [...readers.keys()];
  for (let waitMs = firstWaitMs; busy.length > 0; waitMs = 0) {
    const share = {
      records: Math.max(1, Math.floor((limits.records - reading.records) / busy.length)),
      bytes: Math.max(1, Math.floor((limits.bytes - reading.bytes) / busy.length)),
    };
    const batches = await Promise.all(busy.map((index) => readers[index]!.read({ ...share, waitMs })));
    const hasMore = batches.map((batch, at) => {
      reading.batches[busy[at]!]!.push(...batch);
      const bytes = batch.reduce((sum, { frame }) => sum + frame.length, 0);
      reading.records += batch.length;
      reading.bytes += bytes;
      return batch.length >= Math.min(share.records / 2, few.records) || bytes >= Math.min(share.bytes / 2, few.bytes);
    });
    busy = busy.filter((_, at) => hasMore[at]);
    reading.more = busy.length > 0;
    if (reading.records >= limits.records * enough || reading.bytes >= limits.bytes * enough) break;
  }
  return reading;
}
