import { mkdirSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type LogRecord, LogTrimmedError, type ReadLimits } from './log.ts';
import { unpackBatch } from './packing.ts';
import { findSegment, listSegments, type Segment } from './segments.ts';

/** A reader of a SQLite log: in the writer's process or in any other one. */
export interface SqliteReader {
  read(from: number, limits: ReadLimits): LogRecord[];
  bounds(): { first: number; next: number };
  /** Looks at the folder again before the next read: called where the log has been trimmed. */
  refresh(): void;
  close(): void;
}

interface OpenSegment extends Segment {
  database: DatabaseSync;
  /** Undefined until the writer has made the table. */
  select: StatementSync | undefined;
}

export function openSqliteReader(folder: string): SqliteReader {
  mkdirSync(folder, { recursive: true });
  let segments: readonly Segment[] = [];
  let open: OpenSegment | undefined;

  function openSegment(segment: Segment): OpenSegment {
    if (open?.path !== segment.path) {
      open?.database.close();
      open = { ...segment, database: new DatabaseSync(segment.path, { readOnly: true }), select: undefined };
      open.database.exec('PRAGMA busy_timeout = 5000');
    }
    open.select ??= prepareSelect(open.database);
    return open;
  }

  function readSegment(segment: Segment, from: number, limits: ReadLimits): LogRecord[] {
    const { select } = openSegment(segment);
    const read: LogRecord[] = [];
    let bytes = 0;
    try {
      for (const { first, count, packed } of (select?.iterate(from, from) ?? []) as Iterable<PackedBatch>) {
        for (const record of unpackBatch(packed, first, count)) {
          if (record.position < from) continue;
          bytes += record.frame.length;
          if (read.length === limits.records || (read.length > 0 && bytes > limits.bytes)) return read;
          read.push(record);
        }
      }
    } catch (error) {
      // A statement that has failed throws the same once more when it is used for something else.
      if (open) open.select = undefined;
      // What lies before the damage is whole. Who asks for what comes next is told.
      if (read.length === 0) throw error;
    }
    return read;
  }

  return {
    read(from, limits) {
      for (;;) {
        const segment = findSegment(segments, from);
        let failure: unknown;
        try {
          const batch = segment ? readSegment(segment, from, limits) : [];
          if (batch.length > 0) return batch;
        } catch (error) {
          failure = error;
        }
        // Nothing there: at the end of the log, or the writer has begun a new segment since the folder was listed. The
        // old one is read once more then, for its last records may be younger than our first look. Where it is damaged,
        // the position may lie in the new one.
        const listed = listSegments(folder);
        const first = listed[0]?.first ?? 0;
        if (from < first) {
          throw new LogTrimmedError(`Cannot read from position ${from}: the log in ${folder} starts at ${first}`);
        }
        if (listed.at(-1)?.path === segments.at(-1)?.path) {
          if (failure) throw failure;
          return [];
        }
        segments = listed;
      }
    },
    bounds() {
      segments = listSegments(folder);
      const newest = segments.at(-1);
      if (!newest) return { first: 0, next: 0 };
      const { database, select } = openSegment(newest);
      return { first: segments[0]!.first, next: (select && nextPosition(database)) ?? newest.first };
    },
    refresh() {
      segments = listSegments(folder);
    },
    close() {
      open?.database.close();
      open = undefined;
    },
  };
}

interface PackedBatch {
  first: number;
  count: number;
  packed: Uint8Array;
}

/** Undefined where the writer was stopped between making the file and the table in it. */
function prepareSelect(database: DatabaseSync): StatementSync | undefined {
  const table = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'batches'").get();
  if (!table) return undefined;
  // The batch that holds the position may begin before it.
  return database.prepare(`
    SELECT first, count, packed FROM batches
    WHERE first >= coalesce((SELECT max(first) FROM batches WHERE first <= ?), 0) AND first + count > ?
    ORDER BY first`);
}

function nextPosition(database: DatabaseSync): number | undefined {
  const last = database.prepare('SELECT first + count AS next FROM batches ORDER BY first DESC LIMIT 1').get();
  return last?.next as number | undefined;
}
