import { setImmediate as breathe, setTimeout as wait } from 'node:timers/promises';
import type { LogRecord } from '../../ports/log/log.ts';

/**
 * The journal, read once for all partitions. What was read last stays in memory: partitions that keep up find it there,
 * and one that is behind reads the journal again for itself.
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

const kept = { chunks: 64, bytes: 4 * 1024 * 1024 };

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

  function keep(records: readonly LogRecord[], next: number): void {
    const bytes = records.reduce((sum, { frame }) => sum + frame.length, 0);
    chunks.push({ first: position, next, bytes, records });
    keptBytes += bytes;
    while (chunks.length > kept.chunks || (keptBytes > kept.bytes && chunks.length > 1)) {
      keptBytes -= chunks.shift()!.bytes;
    }
  }

  return {
    get position() {
      return position;
    },
    async read(from) {
      const chunk = chunks.find(({ first, next }) => first <= from && from < next);
      if (chunk)
        return from === chunk.first ? chunk.records : chunk.records.filter((record) => record.position >= from);
      if (from >= position) return [];
      await breathe();
      return (await readJournal(from)).filter((record) => record.position < position);
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
        keep(records, last.position + 1);
        position = last.position + 1;
        await breathe();
      }
    },
  };
}
