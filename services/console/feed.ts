import { setTimeout as sleep } from 'node:timers/promises';
import { type DecodedRecord, decode } from '../core/records/codec.ts';
import type { Log, LogRecord } from '../ports/log/log.ts';

export interface FeedOptions {
  outputs: Log;
  /** How many records before the log's end the feed starts with. */
  backlogRecords: number;
  pollIntervalMs: number;
  onRecord(record: DecodedRecord, position: number): void;
  /** Everything up to this position is not in the feed. Called at the start and where records were trimmed unread. */
  onSkip(position: number): void;
  /** After each batch. */
  onBatch(): void;
  /** A read that failed (it is tried again) or a frame that cannot be decoded (it is left out). */
  onError(error: unknown): void;
}

export interface Feed {
  /** Resolves when the backlog has been read. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const readLimits = { records: 2_000, bytes: 4 * 1024 * 1024 };
const retryDelayMsMax = 5_000;

/** Tails a log: the last records first, then whatever is appended, in order. */
export function createFeed(options: FeedOptions): Feed {
  const { outputs, onBatch, onError, onRecord, onSkip } = options;
  const stopping = new AbortController();
  let next = 0;
  let running: Promise<void> | undefined;

  async function readBatch(): Promise<number> {
    const { first } = await outputs.bounds();
    if (next < first) jumpTo(first);
    const batch = await outputs.read(next, readLimits);
    for (const record of batch) take(record);
    if (batch.length > 0) onBatch();
    return batch.length;
  }

  function jumpTo(position: number): void {
    next = position;
    onSkip(position - 1);
  }

  function take({ position, frame }: LogRecord): void {
    next = position + 1;
    try {
      onRecord(decode(frame), position);
    } catch (error) {
      onError(error);
    }
  }

  async function follow(): Promise<void> {
    let delayMs = options.pollIntervalMs;
    while (await pause(delayMs)) {
      try {
        // A full batch is followed by the next one at once; the timer in between lets requests be answered.
        delayMs = (await readBatch()) === 0 ? options.pollIntervalMs : 1;
      } catch (error) {
        onError(error);
        delayMs = Math.min(retryDelayMsMax, Math.max(delayMs, options.pollIntervalMs) * 2);
      }
    }
  }

  /** False once the feed is to stop. */
  async function pause(delayMs: number): Promise<boolean> {
    await sleep(delayMs, undefined, { signal: stopping.signal }).catch(() => {});
    return !stopping.signal.aborted;
  }

  return {
    async start() {
      const bounds = await outputs.bounds();
      jumpTo(Math.max(bounds.first, bounds.next - options.backlogRecords));
      while (next < bounds.next && (await readBatch()) > 0);
      running = follow();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
