import { setImmediate as breathe, setTimeout as wait } from 'node:timers/promises';
import type { LogRecord } from '../../ports/log/log.ts';

/**
 * The journal, read once for all partitions that keep up, and for those that are behind by as much. What was read last
 * stays in memory: who stands elsewhere reads the journal for itself.
 */
export interface JournalReader {
  /** Everything before this position has been read. */
  readonly position: number;
  /** Records from a position on, in part, of those that have been read; none where there are none. */
  read(from: number): Promise<readonly LogRecord[]>;
  /** Reads on until the signal. */
  run(signal: AbortSignal): Promise<void>;
}

export interface JournalReaderOptions {
  /** Some records of the journal from a position on. */
  readJournal: ReadJournal;
  /** Where to begin. */
  position: number;
  /** Told of records before anybody else can read them. */
  onRecords(records: readonly LogRecord[]): void;
  pollIntervalMs: number;
}

export type ReadJournal = (from: number) => Promise<readonly LogRecord[]>;

const kept = { chunks: 64, bytes: 8 * 1024 * 1024 };

interface Chunk {
  first: number;
  next: number;
  bytes: number;
  records: readonly LogRecord[];
}

export function createJournalReader(options: JournalReaderOptions): JournalReader {
  const { readJournal, onRecords, pollIntervalMs } = options;
  const chunks: Chunk[] = [];
  let keptBytes = 0;
  let position = options.position;

  function keep(first: number, records: readonly LogRecord[]): void {
    const bytes = records.reduce((sum, { frame }) => sum + frame.length, 0);
    chunks.push({ first, next: records.at(-1)!.position + 1, bytes, records });
    keptBytes += bytes;
    while (chunks.length > kept.chunks || (keptBytes > kept.bytes && chunks.length > 1)) {
      keptBytes -= chunks.shift()!.bytes;
    }
  }

  function recall(from: number): readonly LogRecord[] | undefined {
    const chunk = chunks.find(({ first, next }) => first <= from && from < next);
    return from === chunk?.first ? chunk.records : chunk?.records.filter((record) => record.position >= from);
  }

  return {
    get position() {
      return position;
    },
    async read(from) {
      // This thread has deliveries to answer. And meanwhile another one may have read the same.
      await breathe();
      const recalled = recall(from);
      if (recalled || from >= position) return recalled ?? [];
      const records = (await readJournal(from)).filter((record) => record.position < position);
      if (records.length > 0) keep(from, records);
      return records;
    },
    async run(signal) {
      while (!signal.aborted) {
        const records = await readJournal(position);
        const last = records.at(-1);
        if (!last) {
          await wait(pollIntervalMs, undefined, { signal }).catch(() => {});
          continue;
        }
        onRecords(records);
        keep(position, records);
        position = last.position + 1;
        await breathe();
      }
    },
  };
}
