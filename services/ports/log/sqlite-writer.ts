import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { findSegment, listSegments, removeSegment, segmentPath, syncFolder } from './segments.ts';

export interface SqliteLogOptions {
  folder: string;
  /** A segment that has grown to this size is closed and a new one begun. */
  segmentBytesMax: number;
}

/** A batch as the writer takes it: frames as slices of whatever buffer holds them. */
export type WriterBatch = readonly { key: string; frame: Uint8Array }[];

/** The one writer of a SQLite log. Synchronous: what it returns from is on disk. */
export interface SqliteWriter {
  /** Position of the batch's first record. Throws what SQLite throws; the batch is then rolled back or, after a crash, whole. */
  append(batch: WriterBatch): number;
  trim(position: number): void;
  close(): void;
}

/**
 * Opens the newest segment, or the first one.
 *
 * WAL with `synchronous=FULL` syncs the write-ahead log at every commit; `fullfsync` makes that a real one on macOS.
 */
export function openSqliteWriter({ folder, segmentBytesMax }: SqliteLogOptions): SqliteWriter {
  mkdirSync(folder, { recursive: true });
  const lock = lockFolder(folder);
  let segment = openSegment(folder, listSegments(folder).at(-1)?.first ?? 0);

  return {
    append(batch) {
      if (segment.next > segment.first && isFull(segment.path, segmentBytesMax)) {
        segment.database.close();
        segment = openSegment(folder, segment.next);
      }
      const position = segment.next;
      segment.database.exec('BEGIN IMMEDIATE');
      try {
        for (const [index, { key, frame }] of batch.entries()) segment.insert.run(position + index, key, frame);
        segment.database.exec('COMMIT');
      } catch (error) {
        if (segment.database.isTransaction) segment.database.exec('ROLLBACK');
        throw error;
      }
      segment.next = position + batch.length;
      return position;
    },
    trim(position) {
      const segments = listSegments(folder);
      const kept = findSegment(segments, position) ?? segments[0];
      for (const old of segments) if (kept && old.first < kept.first) removeSegment(old);
    },
    close() {
      segment.database.close();
      lock.close();
    },
  };
}

/** Holds the folder for this writer; the system lets go of it when the process ends, however it ends. */
function lockFolder(folder: string): DatabaseSync {
  const lock = new DatabaseSync(join(folder, 'writer.lock'));
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    throw new Error(`Cannot write to the log in ${folder}: another process does; stop it, or set HOOKWATCH_DATA`, {
      cause: error,
    });
  }
}

interface OpenSegment {
  first: number;
  next: number;
  path: string;
  database: DatabaseSync;
  insert: StatementSync;
}

function openSegment(folder: string, first: number): OpenSegment {
  const path = segmentPath(folder, first);
  const database = new DatabaseSync(path);
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA wal_autocheckpoint = 4000;
    CREATE TABLE IF NOT EXISTS records (position INTEGER PRIMARY KEY, key TEXT NOT NULL, frame BLOB NOT NULL) STRICT;
  `);
  syncFolder(folder);
  const { last } = database.prepare('SELECT max(position) AS last FROM records').get() as { last: number | null };
  const insert = database.prepare('INSERT INTO records (position, key, frame) VALUES (?, ?, ?)');
  return { first, next: last === null ? first : last + 1, path, database, insert };
}

function isFull(path: string, segmentBytesMax: number): boolean {
  const bytes = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return bytes(path) + bytes(`${path}-wal`) >= segmentBytesMax;
}
