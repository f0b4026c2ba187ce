import { type Log, type LogRecord, LogTrimmedError, type NewRecord, type ReadLimits } from './log.ts';

/** The log in memory: for tests, and the measure of what the others must do. Keeps its own copy of every frame. */
export function createMemoryLog(): Log {
  let first = 0;
  let records: LogRecord[] = [];

  return {
    async append(batch: readonly NewRecord[]) {
      const position = first + records.length;
      for (const [index, { key, frame }] of batch.entries()) {
        records.push({ position: position + index, key, frame: Uint8Array.from(frame) });
      }
      return position;
    },
    async read(from: number, limits: ReadLimits) {
      if (from < first) throw new LogTrimmedError(`Cannot read from position ${from}: the log starts at ${first}`);
      const batch: LogRecord[] = [];
      let bytes = 0;
      for (let index = from - first; index < records.length && batch.length < limits.records; index++) {
        const record = records[index]!;
        bytes += record.frame.length;
        if (batch.length > 0 && bytes > limits.bytes) break;
        batch.push(record);
      }
      return batch;
    },
    async bounds() {
      return { first, next: first + records.length };
    },
    async trim(position: number) {
      const count = Math.max(0, Math.min(position - first, records.length));
      records = records.slice(count);
      first += count;
    },
    async close() {},
  };
}
