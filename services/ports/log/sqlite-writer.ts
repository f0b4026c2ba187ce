import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { lockFolder } from './folder-lock.ts';
import { findSegment, listSegments, removeSegment, segmentPath, syncFolder } from './segments.ts';

export interface SqliteLogOptions {
  folder: string;
  /** A segment that has grown to this size is closed and a new one begun. */
  segmentBytesMax: number;
  /** Position of the first record of a log that is begun. Default 0; a log that is restored begins where the other one did. */
  beginAt?: number;
}

/** The one writer of a SQLite log. Synchronous: what it returns from is on disk. */
export interface SqliteWriter {
  /**
   * Stores `count` packed records and returns the position of the first. Throws what SQLite throws; the batch is then
   * rolled back or, after a crash, whole.
   */
  append(packed: Uint8Array, count: number): number;
  trim(position: number): void;
  close(): void;
}

interface OpenSegment {
  first: number;
  next: number;
  path: string;
  database: DatabaseSync;
  insert: StatementSync;
}

/** Opens the newest segment, or the first one. Throws when another process writes to the folder. */
export function openSqliteWriter({ folder, segmentBytesMax, beginAt = 0 }: SqliteLogOptions): SqliteWriter {
  mkdirSync(folder, { recursive: true });
  const lock = lockFolder(folder);
  let segment = openSegment(folder, listSegments(folder).at(-1)?.first ?? beginAt);

  return {
    append(packed, count) {
      if (segment.next > segment.first && isFull(segment.path, segmentBytesMax)) {
        // In this order: where the new one cannot be opened, on a full disk say, the old one is still there to try again.
        const full = segment;
        segment = openSegment(folder, full.next);
        full.database.close();
      }
      const position = segment.next;
      // One statement is one transaction: it is committed, and synced, when it returns.
      segment.insert.run(position, count, packed);
      segment.next = position + count;
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

function openSegment(folder: string, first: number): OpenSegment {
  const path = segmentPath(folder, first);
  if (!existsSync(path)) makeSegment(folder, path);
  const database = openDatabase(path);
  try {
    const last = database.prepare('SELECT first + count AS next FROM batches ORDER BY first DESC LIMIT 1').get();
    const insert = database.prepare('INSERT INTO batches (first, count, packed) VALUES (?, ?, ?)');
    return { first, next: (last?.next as number | undefined) ?? first, path, database, insert };
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Under another name until it is whole: a reader that opened it sooner would hold the lock that making it takes, and the
 * append would fail.
 */
function makeSegment(folder: string, path: string): void {
  const draft = `${path}.new`;
  removeSegment({ path: draft });
  openDatabase(draft).close();
  renameSync(draft, path);
  syncFolder(folder);
}

/**
 * WAL with `synchronous=FULL` syncs the write-ahead log at every commit; `fullfsync` makes that a real one on macOS.
 * A batch is tens of kilobytes, so large pages mean fewer of them.
 */
function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec(`
      PRAGMA busy_timeout = 5000;
      PRAGMA page_size = 16384;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA fullfsync = ON;
      PRAGMA checkpoint_fullfsync = ON;
      PRAGMA wal_autocheckpoint = 1000;
      CREATE TABLE IF NOT EXISTS batches (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, packed BLOB NOT NULL) STRICT;
    `);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function isFull(path: string, segmentBytesMax: number): boolean {
  const bytes = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return bytes(path) + bytes(`${path}-wal`) >= segmentBytesMax;
}
