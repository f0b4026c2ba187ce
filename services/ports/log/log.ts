/** A record to append. `key` is the tenant whose lane it belongs to; `frame` is a framed Avro record. */
export interface NewRecord {
  key: string;
  frame: Uint8Array;
  /** For readers of other make: kept by a backend that such can read (Kafka), dropped by the others. */
  headers?: Readonly<Record<string, string>>;
}

/** A record of the log. Positions grow; they are not dense within a key. */
export interface LogRecord {
  position: number;
  key: string;
  frame: Uint8Array;
}

/**
 * At most so many records and bytes; the first record is returned whatever its size. Fewer may come back than there
 * are, but never none before the end.
 */
export interface ReadLimits {
  records: number;
  bytes: number;
  /** At the end of the log a backend may wait so long for a record before it answers with none. Default 0. */
  waitMs?: number;
}

/**
 * One partition of an append-only log: a total order of records, which holds the lanes of one or several tenants.
 *
 * Guarantees, held by one contract suite over every backend:
 * - order: records are read in the order in which they were appended, each batch whole and without strangers between;
 * - durability: when `append` resolves, the batch survives a crash of the process and of the machine (the memory
 *   backend: of nothing). When it rejects, the batch may or may not be there: the caller's numbering must tell;
 * - `append` has copied or sent the frames when it settles: their memory is used again;
 * - one writer at a time (Kafka: any number); any number of readers, also in other processes, which see only whole
 *   batches;
 * - nothing is retried inside. `read` resolves with an empty list at the end of the log and beyond it.
 *   `read` before `first` rejects with LogTrimmedError: it never skips silently. Where a part of the log is damaged, `read`
 *   from within it rejects, and from before and behind it answers;
 * - a log that is not reached rejects with LogUnavailableError;
 * - logs do not wait for each other: where one connection serves many, a read that waits at its end (`waitMs`) holds up
 *   neither the reads nor the appends of another (Kafka answers the requests of a connection in turn, so reads that are
 *   asked for together must go out as one fetch over all their partitions, on a connection that no append uses).
 */
export interface Log {
  /** Appends a batch and resolves with the position of its first record. */
  append(batch: readonly NewRecord[]): Promise<number>;
  /** The records from position `from` on. */
  read(from: number, limits: ReadLimits): Promise<readonly LogRecord[]>;
  /** The oldest position that can be read, and the position that the next record will get; equal when empty. */
  bounds(): Promise<{ first: number; next: number }>;
  /** Lets records before `position` go, in whole segments: some of them may stay. */
  trim(position: number): Promise<void>;
  close(): Promise<void>;
}

/** The records asked for have been trimmed. A retry does not help. */
export class LogTrimmedError extends Error {
  readonly code = 'LOG_TRIMMED';
}

/** The log was not reached, or did not answer in time: an append may be there or not. A retry may help. */
export class LogUnavailableError extends Error {
  readonly code = 'LOG_UNAVAILABLE';
}
