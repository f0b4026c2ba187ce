/**
 * Segments of the SQLite log: one database file each, named after the position of its first record
 * (`0000000000000042.db`), so that trimming is unlinking whole files.
 */
import { closeSync, fsyncSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface Segment {
  first: number;
  path: string;
}

/** The segments in a folder, oldest first. */
export function listSegments(folder: string): Segment[] {
  return readdirSync(folder)
    .filter((file) => /^\d{16}\.db$/.test(file))
    .sort()
    .map((file) => ({ first: Number(file.slice(0, 16)), path: join(folder, file) }));
}

export function segmentPath(folder: string, first: number): string {
  return join(folder, `${String(first).padStart(16, '0')}.db`);
}

/** The segment that holds a position, or would: the last one that starts at or before it. */
export function findSegment(segments: readonly Segment[], position: number): Segment | undefined {
  return segments.findLast((segment) => segment.first <= position);
}

/** Removes a segment with its write-ahead log. Readers that have it open go on reading it. */
export function removeSegment(segment: Pick<Segment, 'path'>): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(segment.path + suffix, { force: true });
}

/** Bytes on disk of all segments, write-ahead logs included. */
export function segmentBytes(folder: string): number {
  let bytes = 0;
  for (const file of readdirSync(folder)) {
    bytes += statSync(join(folder, file), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

/** Makes the names in a folder last: without it a new file can be gone after a crash of the machine. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
