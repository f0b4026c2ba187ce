/**
 * Group commit: what arrives while one append is on its way is appended together by the next one.
 *
 * 1. At most one append is in flight, and an entry counts as committed only once the append that held it has resolved.
 * 2. Records are stamped as they are handed in and numbered as the batch is formed, both in that order.
 * 3. A failed append may be in the journal or not. Its entries are refused, and a new boot is opened before anything
 *    else is written: no number is ever used twice.
 * 4. Every entry is answered once: committed, or refused, at the latest when the deadline has passed. A refused one
 *    whose append ends late stays in the journal, for its sender will not send it again.
 * 5. Bytes handed in and not yet on disk are bounded.
 */
import type { Logger } from 'pino';
import type { Log, NewRecord } from '../ports/log/log.ts';
import type { EdgeMetrics } from '../telemetry.ts';
import type { EdgeClock } from './clock.ts';
import type { EdgeLimits } from './limits.ts';
import type { Producer, RecordNumber } from './producer.ts';
import { createReminder } from './reminder.ts';

export type JournalRefusal = 'commit_slow' | 'journal_failed' | 'journal_full';

/** Something to write into a lane. Its methods are called by the journal, each answer once. */
export interface JournalEntry {
  readonly lane: string;
  /** About the size of its frame. */
  readonly bytes: number;
  encode(number: RecordNumber, receivedAt: number): Uint8Array;
  /** It is on disk. `late`: it was refused before, because its commit was slow. */
  committed(number: RecordNumber, late: boolean): void;
  refused(reason: JournalRefusal): void;
}

export interface Journal {
  /** Opens this boot in every lane; rejects when that cannot be written. */
  open(): Promise<void>;
  submit(entry: JournalEntry): void;
  /** Refuses what has waited longer than the deadline. Called often. */
  sweep(): void;
  /** An append has been in flight for longer than the deadline. */
  slow(): boolean;
  /** The last append failed. The next one may well succeed, so entries are still taken. */
  failed(): boolean;
  /** Resolves once nothing is waiting any more. */
  drain(): Promise<void>;
}

export interface JournalOptions {
  log: Log;
  clock: EdgeClock;
  producer: Producer;
  metrics: EdgeMetrics;
  logger: Logger;
  limits: EdgeLimits;
}

interface Waiting {
  readonly entry: JournalEntry;
  readonly receivedAt: number;
  readonly submittedMs: number;
  answered: boolean;
  number: RecordNumber | undefined;
}

export function createJournal({ log, clock, producer, metrics, logger, limits }: JournalOptions): Journal {
  let waiting: Waiting[] = [];
  let inFlight: Waiting[] = [];
  let pendingBytes = 0;
  let opened = false;
  let running: Promise<void> | undefined;
  let busySinceMs: number | undefined;
  let slow = false;
  let failed = false;
  const reminders = { slow: createReminder(clock.monotonicMs), failed: createReminder(clock.monotonicMs) };
  /** What was said and not taken back yet. */
  const said = { slow: false, failed: false };

  /** Takes the oldest entries, up to the bytes of one batch and at least one. */
  function takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < waiting.length) {
      bytes += waiting[count]!.entry.bytes;
      if (count > 0 && bytes > limits.batchBytesMax) break;
      count++;
    }
    if (count === waiting.length) {
      const batch = waiting;
      waiting = [];
      return batch;
    }
    return waiting.splice(0, count);
  }

  function encodeBatch(batch: readonly Waiting[], records: NewRecord[]): void {
    for (const item of batch) {
      item.number = producer.number(item.entry.lane, item.receivedAt);
      records.push({ key: item.entry.lane, frame: item.entry.encode(item.number, item.receivedAt) });
    }
  }

  /** Writes one batch, preceded by the records that open a boot where one must be opened. */
  async function commit(): Promise<void> {
    busySinceMs = clock.monotonicMs();
    try {
      const records: NewRecord[] = [];
      if (!opened) {
        const receivedAt = waiting[0]?.receivedAt ?? clock.stamp();
        const { next } = await log.bounds();
        records.push(...(await producer.begin(next, receivedAt)));
      }
      inFlight = takeBatch();
      encodeBatch(inFlight, records);
      const position = await log.append(records);
      opened = true;
      metrics.journalPosition.set(position + records.length);
      metrics.commitSeconds.observe((clock.monotonicMs() - busySinceMs) / 1000);
    } finally {
      busySinceMs = undefined;
    }
  }

  function settle(answer: (item: Waiting) => void): void {
    const batch = inFlight;
    inFlight = [];
    for (const item of batch) {
      pendingBytes -= item.entry.bytes;
      answer(item);
    }
    metrics.pendingBytes.set(pendingBytes);
  }

  /** Says what is wrong at most once a minute, for a full disk fails thousands of times, and that it is over once. */
  function report(trouble: keyof typeof said, wrong: boolean, say: () => void, takeBack: () => void): void {
    if (wrong && reminders[trouble].due()) {
      said[trouble] = true;
      say();
    } else if (!wrong && said[trouble]) {
      said[trouble] = false;
      takeBack();
    }
  }

  function recordSlow(now: boolean): void {
    slow = now;
    report(
      'slow',
      slow,
      () => logger.error('The commit to the journal is slow: deliveries are answered 503'),
      () => logger.info('The commit to the journal has ended'),
    );
  }

  function recordFailure(failure: unknown): void {
    failed = failure !== undefined;
    report(
      'failed',
      failed,
      () => logger.error({ err: failure }, 'Cannot append to the journal: deliveries are answered 503'),
      () => logger.info('The journal takes records again'),
    );
  }

  /** Resolves with what went wrong. An answer that throws is a fault of this program: it is not caught. */
  async function commitAndAnswer(): Promise<unknown> {
    let failure: unknown;
    try {
      await commit();
    } catch (error) {
      failure = error;
      opened = false;
      if (inFlight.length === 0) inFlight = takeBatch();
    }
    recordFailure(failure);
    recordSlow(false);
    settle(({ entry, number, answered }) => {
      if (failure === undefined) entry.committed(number!, answered);
      else if (!answered) entry.refused('journal_failed');
    });
    return failure;
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) await commitAndAnswer();
    running = undefined;
  }

  function sweepList(items: readonly Waiting[], nowMs: number): void {
    for (const item of items) {
      if (nowMs - item.submittedMs <= limits.commitDeadlineMs) return;
      if (item.answered) continue;
      item.answered = true;
      item.entry.refused('commit_slow');
    }
  }

  return {
    async open() {
      const failure = await commitAndAnswer();
      if (failure !== undefined) throw failure;
    },
    submit(entry) {
      if (pendingBytes + entry.bytes > limits.pendingBytesMax) {
        entry.refused('journal_full');
        return;
      }
      pendingBytes += entry.bytes;
      waiting.push({
        entry,
        receivedAt: clock.stamp(),
        submittedMs: clock.monotonicMs(),
        answered: false,
        number: undefined,
      });
      // Not at once: what this turn of the event loop still reads shall share the commit.
      running ??= new Promise((resolve) => setImmediate(() => run().then(resolve)));
    },
    sweep() {
      metrics.pendingBytes.set(pendingBytes);
      const nowMs = clock.monotonicMs();
      if (busySinceMs !== undefined && nowMs - busySinceMs > limits.commitDeadlineMs) {
        recordSlow(true);
      }
      sweepList(inFlight, nowMs);
      sweepList(waiting, nowMs);
    },
    slow: () => slow,
    failed: () => failed,
    async drain() {
      while (running) await running;
    },
  };
}
