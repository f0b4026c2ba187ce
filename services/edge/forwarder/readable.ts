/**
 * The journal without what cannot be read of it: frames that are no records, and parts that the disk does not give back.
 * They hold up neither what stands behind them nor other lanes, and each is told of once.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { FrameError } from '../../core/records/codec.ts';
import { placeOfAnyVersion } from '../../core/records/place.ts';
import { type Log, type LogRecord, LogTrimmedError } from '../../ports/log/log.ts';
import type { Passage, ReadJournal } from './reader.ts';
import type { Retry } from './retry.ts';

/** A part of the journal that is passed over. */
export interface Unreadable {
  first: number;
  next: number;
  error: unknown;
  /** What is there, where anything is. */
  record?: LogRecord;
}

export interface ReadableJournal {
  read: ReadJournal;
  /** Something before this position could not be read. */
  lacksBefore(position: number): boolean;
}

export interface ReadableJournalOptions {
  journal: Pick<Log, 'read' | 'bounds'>;
  retry: Retry;
  onUnreadable(part: Unreadable): void;
}

/** What one read of the journal takes: this thread has deliveries to answer, so about a millisecond. */
const readLimits = { records: 1_000, bytes: 1024 * 1024 };
/** A read that fails as often, while others do not, has met a damage. */
const attemptsMax = 5;

export function createReadableJournal({ journal, retry, onUnreadable }: ReadableJournalOptions): ReadableJournal {
  const parts: { first: number; next: number }[] = [];
  const partAt = (position: number) => parts.find(({ first, next }) => first <= position && position < next);

  function passOver(part: Unreadable): void {
    if (partAt(part.first)) return;
    const before = parts.find(({ next }) => next === part.first);
    if (before) before.next = part.next;
    else parts.push({ first: part.first, next: part.next });
    onUnreadable(part);
  }

  async function isReadable(position: number): Promise<boolean> {
    return journal.read(position, { records: 1, bytes: 1 }).then(
      () => true,
      () => false,
    );
  }

  /** The first position behind a damage. Undefined where the newest record is not read either: the disk is away, then. */
  async function behind(from: number): Promise<number | undefined> {
    const { next } = await journal.bounds();
    if (next - 1 <= from || !(await isReadable(next - 1))) return undefined;
    for (let position = from + 1; position < next; position++) {
      // Every one is tried: between two damages there may be records.
      if (await isReadable(position)) return (await isReadable(from)) ? undefined : position;
      await breathe();
    }
    return undefined;
  }

  async function attempt(from: number, attempts: number): Promise<Passage> {
    try {
      return sift(from, await journal.read(from, readLimits));
    } catch (error) {
      // It was let go of on purpose, and told of there.
      if (error instanceof LogTrimmedError) return { records: [], next: (await journal.bounds()).first };
      const next = attempts < attemptsMax ? undefined : await behind(from);
      if (next === undefined) throw error;
      passOver({ first: from, next, error });
      return { records: [], next };
    }
  }

  function sift(from: number, found: readonly LogRecord[]): Passage {
    const records = found.filter((record) => {
      const error = faultOf(record);
      if (error) passOver({ first: record.position, next: record.position + 1, error, record });
      return !error;
    });
    return { records, next: (found.at(-1)?.position ?? from - 1) + 1 };
  }

  return {
    async read(from) {
      const part = partAt(from);
      if (part) return { records: [], next: part.next };
      let attempts = 0;
      return (await retry(() => attempt(from, ++attempts))) ?? { records: [], next: from };
    },
    lacksBefore: (position) => parts.some(({ next }) => next <= position),
  };
}

function faultOf({ key, frame }: LogRecord): Error | undefined {
  try {
    const { tenant } = placeOfAnyVersion(frame);
    return tenant === key ? undefined : new FrameError(`A record of lane ${key} says that it is of ${tenant}`);
  } catch (error) {
    if (error instanceof FrameError) return error;
    throw error;
  }
}
