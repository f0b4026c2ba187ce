import { setImmediate as breathe, setTimeout as wait } from 'node:timers/promises';
import type { LogRecord } from '../../ports/log/log.ts';

/**
 * The journal, read once for all partitions that keep up, and for those that are behind by as much. What was read last
 * stays in memory: who stands elsewhere reads the journal for itself.
 */
export interface JournalReader {
  /** Everything before this position has been read. */
  readonly position: number;
  /** Records from a position on, in part, of those that have been read. */
  read(from: number): Promise<Passage>;
  /** Reads on until the signal. */
  run(signal: AbortSignal): Promise<void>;
}

export interface JournalReaderOptions {
  readJournal: ReadJournal;
  /** Where to begin. */
  position: number;
  /** Told of records before anybody else can read them. */
  onRecords(records: readonly LogRecord[]): void;
  pollIntervalMs: number;
}

/** Some records of the journal from a position on. */
export type ReadJournal = (from: number) => Promise<Passage>;

/** A part of the journal, without what cannot be read of it. */
export interface Passage {
  records: readonly LogRecord[];
  /** It ends before this position: where it began, at the end of the journal. */
  next: number;
}

const kept = { chunks: 64, bytes: 8 * 1024 * 1024 };

interface Chunk extends Passage {
  first: number;
  bytes: number;
}

export function createJournalReader(options: JournalReaderOptions): JournalReader {
  const { readJournal, onRecords, pollIntervalMs } = options;
  const chunks: Chunk[] = [];
  let keptBytes = 0;
  let position = options.position;

  function keep(first: number, { records, next }: Passage): void {
    const bytes = records.reduce((sum, { frame }) => sum + frame.length, 0);
    chunks.push({ first, next, bytes, records });
    keptBytes += bytes;
    while (chunks.length > kept.chunks || (keptBytes > kept.bytes && chunks.length > 1)) {
      keptBytes -= chunks.shift()!.bytes;
    }
  }

  function recall(from: number): Passage | undefined {
    const chunk = chunks.find(({ first, next }) => first <= from && from < next);
    if (!chunk || chunk.first === from) return chunk;
    return { records: chunk.records.filter((record) => record.position >= from), next: chunk.next };
  }

  return {
    get position() {
      return position;
    },
    async read(from) {
      // This thread has deliveries to answer. And meanwhile another one may have read the same.
      await breathe();
      const recalled = recall(from);
      if (recalled || from >= position) return recalled ?? { records: [], next: from };
      const { records, next } = await readJournal(from);
      const passage = {
        records: records.filter((record) => record.position < position),
        next: Math.min(next, position),
      };
      if (passage.next > from) keep(from, passage);
      return passage;
    },
    async run(signal) {
      while (!signal.aborted) {
        const passage = await readJournal(position);
        if (passage.next === position) {
          await wait(pollIntervalMs, undefined, { signal }).catch(() => {});
          continue;
        }
        onRecords(passage.records);
        keep(position, passage);
        position = passage.next;
        await breathe();
      }
    },
  };
}
