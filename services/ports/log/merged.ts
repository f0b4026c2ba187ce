import { type Log, type LogRecord, LogTrimmedError, type LogUnavailableError, type ReadLimits } from './log.ts';
import { createReader, readTogether } from './reader.ts';

export interface MergedOptions {
  /** When the process started, in epoch milliseconds. */
  startedAtMs: number;
  /** How many records before the end of each log the reading starts. */
  backlogRecords: number;
  /** How long a read may wait for a record, where the logs can wait. Default 100. */
  waitMs?: number;
  /** A log is not reached: it is left out until it is. */
  onUnavailable?(error: LogUnavailableError): void;
}

/** More than can be read in a millisecond, so that a later start begins behind all numbers of an earlier one. */
const positionsPerMs = 100;

/**
 * Several logs as one that is only read, for who wants to see all that comes: the live page.
 *
 * - order: records of one log stay in their order; those of different logs stand as they arrived here, and nowhere else.
 *   So positions are this object's own. They begin with the start of the process (15 digits until the year 2286): one
 *   that a reader has from an earlier process lies before `first`, and is not taken for another record;
 * - it has one reader, who goes forward: what lies before the position of a read is let go, so no more is held than a
 *   read may return;
 * - a log that is not reached keeps nothing from the others: it is left out, and `read` never rejects for it;
 * - where records of a log were let go unread, `first` moves on and the read rejects with LogTrimmedError: it never
 *   skips silently;
 * - `close` closes none of the logs.
 *
 * Nothing is committed and no group is joined: whoever makes one sees everything, however many others do the same, and
 * leaves nothing behind when it goes. This is what Kafka's consumers have a group of their own for.
 */
export function createMergedLog(logs: readonly Log[], options: MergedOptions): Log {
  const { backlogRecords, waitMs = 100 } = options;
  let first = options.startedAtMs * positionsPerMs;
  let next = first;
  let held: LogRecord[] = [];
  /** Whether records were let go unread since the last read. */
  let torn = false;
  let opening: Promise<void> | undefined;

  const parts = logs.map((log) => {
    /** Where the log ended when it was first reached. */
    let end: number | undefined;
    const startAt = (bounds: { first: number; next: number }) => {
      end ??= bounds.next;
      return Math.max(bounds.first, end - backlogRecords);
    };
    const reader = createReader({
      log,
      startAt,
      onTrimmed() {
        torn = true;
      },
      ...(options.onUnavailable && { onUnavailable: options.onUnavailable }),
    });
    return {
      reader,
      /** Records of the backlog that are still to be read. */
      unread: () => Math.max(0, (end ?? 0) - (reader.position() ?? end ?? 0)),
    };
  });
  const readers = parts.map(({ reader }) => reader);

  /** Takes in what has come; nothing is held before. False where nothing has. */
  async function fetch(limits: ReadLimits): Promise<boolean> {
    const { batches, records } = await readTogether(readers, { ...limits, waitMs });
    const isTorn = torn;
    if (isTorn) {
      // A position that no record has, so that the reader must notice.
      next += 1;
      first = next;
      torn = false;
    }
    held = batches.flat().map((record) => ({ ...record, position: next++ }));
    return isTorn || records > 0;
  }

  function letGo(before: number): void {
    held = held.filter(({ position }) => position >= before);
    first = Math.max(first, Math.min(before, next));
  }

  function take({ records, bytes }: ReadLimits): readonly LogRecord[] {
    let size = 0;
    const end = held.findIndex(({ frame }, index) => {
      size += frame.length;
      return index >= records || (index > 0 && size > bytes);
    });
    return end < 0 ? held : held.slice(0, end);
  }

  return {
    async append() {
      throw new Error('Cannot append to a merged log: it is only read');
    },
    async read(from, limits) {
      for (;;) {
        if (from < first) throw new LogTrimmedError(`Cannot read from position ${from}: the log starts at ${first}`);
        letGo(from);
        if (held.length > 0 || !(await fetch(limits))) return take(limits);
      }
    },
    async bounds() {
      opening ??= Promise.all(readers.map(({ open }) => open())).then(() => {});
      await opening;
      return { first, next: parts.reduce((sum, { unread }) => sum + unread(), next) };
    },
    async trim() {
      throw new Error('Cannot trim a merged log: it is only read');
    },
    async close() {},
  };
}
