import type { Log } from './log.ts';
import { packBatch } from './packing.ts';
import { openSqliteReader } from './sqlite-reader.ts';
import { openSqliteWriter, type SqliteLogOptions } from './sqlite-writer.ts';

/**
 * The log in SQLite files of a folder; commits on the calling thread.
 *
 * The writer is opened by the first append or trim, so that a process which only reads never writes to the folder.
 */
export function createSqliteLog(options: SqliteLogOptions): Log {
  const reader = openSqliteReader(options.folder);
  let writer: ReturnType<typeof openSqliteWriter> | undefined;
  const write = () => {
    writer ??= openSqliteWriter(options);
    return writer;
  };

  return {
    append: async (batch) => write().append(packBatch(batch), batch.length),
    read: async (from, limits) => reader.read(from, limits),
    bounds: async () => reader.bounds(),
    async trim(position) {
      write().trim(position);
      reader.refresh();
    },
    async close() {
      reader.close();
      writer?.close();
      writer = undefined;
    },
  };
}
