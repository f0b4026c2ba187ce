import { setImmediate as breathe } from 'node:timers/promises';
import type { LogRecord } from '../../ports/log/log.ts';
import type { ReadJournal } from './reader.ts';

/** Up to where the journal is covered: every record before the position is in a snapshot of its lane. */
export interface Coverage {
  readonly position: number;
  /** Walks on to the first record that is not covered yet. */
  advance(signal: AbortSignal): Promise<void>;
}

export function createCoverage(
  readJournal: ReadJournal,
  start: number,
  isCovered: (record: LogRecord) => boolean,
): Coverage {
  let position = start;
  /** The first record that was not covered when it was looked at last. */
  let open: LogRecord | undefined;
  return {
    get position() {
      return position;
    },
    async advance(signal) {
      if (open && !isCovered(open)) return;
      while (!signal.aborted) {
        const { records, next } = await readJournal(position);
        open = records.find((record) => !isCovered(record));
        if (!open && next === position) return;
        position = open?.position ?? next;
        if (open) return;
        await breathe();
      }
    },
  };
}
