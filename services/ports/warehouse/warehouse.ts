import type { RecordTypes } from '../../core/records/generated.ts';
import type { TableKind } from './tables.ts';

/** Which rows to read. */
export interface RowFilter {
  tenant?: string;
  ids?: readonly string[];
  /** Only rows whose current version was made by a record behind `after`, up to `upTo`. Refusals have no position. */
  positions?: { after: number; upTo: number };
  /** At most so many rows; the ones with the lowest ids. Default 1000. */
  limit?: number;
}

/**
 * Where everything ends up that people ask about: a table per kind of record, of which they see each id's highest
 * version unless it is withdrawn.
 *
 * Guarantees, held by one contract suite over every backend:
 * - upsert: rows of the same tenant and id are one row, that of the highest version, in whatever order, number and company they
 *   come; equal versions are equal rows. So an insert may be repeated, whole or in part, at any time;
 * - when `insert` resolves, its rows are seen by the next `rows` and survive a crash of the process that stores them
 *   (and of its machine, as far as the backend says); when it rejects, any part of them may be there: repeat it whole;
 * - order: none between inserts. Nothing is retried inside. Every call ends within its time limit;
 * - every method rejects with a WarehouseError and nothing else, save for programmer errors.
 */
export interface Warehouse {
  /** Brings the schema up to this version of the code. Safe to repeat, also while another process does the same. */
  migrate(): Promise<void>;
  /**
   * Stores records of one kind, all written under the schema `schemaId` of lock.json: `bodies` are their Avro bodies,
   * that is frames without the five bytes of framing.
   */
  insert(kind: TableKind, schemaId: number, bodies: readonly Uint8Array[]): Promise<void>;
  /** Current rows as people see them, by ascending id, decoded as they were written. */
  rows<K extends TableKind>(kind: K, filter?: RowFilter): Promise<RecordTypes[K][]>;
  /** Names the run of whatever stores the rows: each restart of it gives another name, and nothing else does. */
  incarnation(): Promise<string>;
  close(): Promise<void>;
}

/**
 * Rows as ClickHouse itself writes them (FORMAT Native): names and types of their columns are part of it, so that a later
 * version of the tables takes them too. A page is held in memory whole, here and there.
 */
export interface NativeRows {
  /**
   * The rows of a query.
   * @throws WarehouseError WAREHOUSE_DATA where they have more than `bytesMax` (uncompressed, as ClickHouse counts them)
   */
  read(sql: string, params: Record<string, unknown>, bytesMax: number): Promise<Buffer>;
  /** Inserts what `read` gave; columns that are not named take their defaults. */
  write(table: string, columns: readonly string[], rows: Buffer): Promise<void>;
}

/** What people ask in SQL; a warehouse that speaks it. */
export interface SqlWarehouse extends Warehouse {
  /**
   * Rows of a query that only reads; `params` are bound by the server to `{name:Type}`. 64-bit integers come as
   * numbers where JSON can hold them, times as text in UTC.
   */
  query<Row = Record<string, unknown>>(sql: string, params?: Record<string, unknown>): Promise<Row[]>;
  /** Runs a statement that changes something. When it rejects, it may have been carried out, or go on. */
  run(sql: string, params?: Record<string, unknown>): Promise<void>;
  readonly native: NativeRows;
}

/**
 * unavailable: not reached, or it broke off; timeout: no answer in time; overloaded: too many queries, or memory is
 * short; refused: wrong credentials or rights; schema: a table, column or database is missing, or takes no rows of this
 * form; data: it does not take these rows, though it might take others, or this query; migration: an applied migration
 * was changed; other: what ClickHouse said is none of these.
 */
export type WarehouseErrorCode =
  | 'WAREHOUSE_UNAVAILABLE'
  | 'WAREHOUSE_TIMEOUT'
  | 'WAREHOUSE_OVERLOADED'
  | 'WAREHOUSE_REFUSED'
  | 'WAREHOUSE_SCHEMA'
  | 'WAREHOUSE_DATA'
  | 'WAREHOUSE_MIGRATION'
  | 'WAREHOUSE_OTHER';

const retryableCodes: ReadonlySet<WarehouseErrorCode> = new Set([
  'WAREHOUSE_UNAVAILABLE',
  'WAREHOUSE_TIMEOUT',
  'WAREHOUSE_OVERLOADED',
  'WAREHOUSE_OTHER',
]);

/** `retryable`: the same call may succeed later without anybody's doing. */
export class WarehouseError extends Error {
  readonly code: WarehouseErrorCode;
  readonly retryable: boolean;

  constructor(code: WarehouseErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retryable = retryableCodes.has(code);
  }
}
