import { mkdirSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type LogRecord, LogTrimmedError, type ReadLimits } from './log.ts';
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

/** Rows fetched by one statement; the byte limit is applied between them. */
const rowsPerStatement = 256;

export function openSqliteReader(folder: string): SqliteReader {
  mkdirSync(folder, { recursive: true });
  let segments: readonly Segment[] = [];
  let open: OpenSegment | undefined;

  function select(segment: Segment): StatementSync | undefined {
    if (open?.path !== segment.path) {
      open?.database.close();
      open = { ...segment, database: new DatabaseSync(segment.path, { readOnly: true }), select: undefined };
      open.database.exec('PRAGMA busy_timeout = 5000');
    }
    open.select ??= prepareSelect(open.database);
    return open.select;
  }

  function readSegment(segment: Segment, from: number, limits: ReadLimits): LogRecord[] {
    const statement = select(segment);
    const batch: LogRecord[] = [];
    let bytes = 0;
    while (statement && batch.length < limits.records) {
      const count = Math.min(rowsPerStatement, limits.records - batch.length);
      const rows = statement.all(from + batch.length, count) as unknown as LogRecord[];
      for (const row of rows) {
        bytes += row.frame.length;
        if (batch.length > 0 && bytes > limits.bytes) return batch;
        batch.push({ position: row.position, key: row.key, frame: row.frame });
      }
      if (rows.length < count) break;
    }
    return batch;
  }

  return {
    read(from, limits) {
      for (;;) {
        const segment = findSegment(segments, from);
        if (segment) {
          const batch = readSegment(segment, from, limits);
          if (batch.length > 0) return batch;
        }
        // Nothing there: at the end of the log, or the writer has begun a new segment since the folder was listed. The
        // old one is read once more then, for its last records may be younger than our first look.
        const listed = listSegments(folder);
        const first = listed[0]?.first ?? 0;
        if (from < first) {
          throw new LogTrimmedError(`Cannot read from position ${from}: the log in ${folder} starts at ${first}`);
        }
        if (listed.at(-1)?.path === segments.at(-1)?.path) return [];
        segments = listed;
      }
    },
    bounds() {
      segments = listSegments(folder);
      const newest = segments.at(-1);
      if (!newest) return { first: 0, next: 0 };
      const last = select(newest) && lastPosition(open!.database);
      return { first: segments[0]!.first, next: last === null || last === undefined ? newest.first : last + 1 };
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

/** Undefined where the writer was stopped between making the file and the table in it. */
function prepareSelect(database: DatabaseSync): StatementSync | undefined {
  const table = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'records'").get();
  if (!table) return undefined;
  return database.prepare('SELECT position, key, frame FROM records WHERE position >= ? ORDER BY position LIMIT ?');
}

function lastPosition(database: DatabaseSync): number | null {
  return (database.prepare('SELECT max(position) AS last FROM records').get() as { last: number | null }).last;
}
