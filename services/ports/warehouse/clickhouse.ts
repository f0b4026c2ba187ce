import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { ClickHouseError, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { type RecordTypes, schemas } from '../../core/records/generated.ts';
import { containerParts } from './container.ts';
import { applyMigrations, type Migration, readMigrations, type TtlDays } from './migrations.ts';
import { type TableKind, tableOf } from './tables.ts';
import {
  type NativeRows,
  type RowFilter,
  type SqlWarehouse,
  WarehouseError,
  type WarehouseErrorCode,
} from './warehouse.ts';

export interface ClickHouseOptions {
  /** Of ClickHouse's HTTP interface: `http://127.0.0.1:8123`. */
  url: string;
  username: string;
  password: string;
  /** Days that rows are kept after they were received. Default: 90 for deliveries, 400 for everything else. */
  ttlDays?: TtlDays;
  /** Limit of each call. Default 30 000. */
  timeoutMs?: number;
  /** Connections, and so inserts and queries at once. Default 4. */
  connectionsMax?: number;
  /** Where the tables are. Default hookwatch. */
  database?: string;
  /** Default: schemas/clickhouse. */
  migrations?: readonly Migration[];
}

/** The answer's status is given when it is known. */
const wholeAnswers = { wait_end_of_query: 1 } as const;

const insertSettings = {
  ...wholeAnswers,
  // Older schemas lack fields that columns have: these take the column's default.
  input_format_avro_allow_missing_fields: 1,
  // An insert is answered when its rows are in a part, not in a buffer.
  async_insert: 0,
} as const;

/**
 * What ClickHouse makes anew at each start: a server the UUIDs of its system tables, the embedded engine those of databases
 * that are in memory. Where one has none, it is all zeros. Nothing is rounded, as the seconds of `uptime()` are.
 */
const incarnationSql = `SELECT concat(
  toString((SELECT any(uuid) FROM system.tables WHERE database = 'system' AND name = 'one')),
  toString((SELECT any(uuid) FROM system.databases WHERE name = 'INFORMATION_SCHEMA'))) AS name`;

const readSettings = { output_format_json_quote_64bit_integers: 0 } as const;

/**
 * The warehouse in a ClickHouse, server or embedded. One insert of at most a million rows becomes one part in each
 * partition it touches.
 *
 * Durability: tables are made with fsync_after_insert, fsync_part_directory and min_compressed_bytes_to_fsync_after_merge,
 * so rows survive a loss of power as well once `insert` has resolved, and merging does not undo that. Seen by test: after
 * SIGKILL of the embedded engine, a start on the same folder has every row that was answered.
 */
export function createClickHouseWarehouse(options: ClickHouseOptions): SqlWarehouse {
  const { timeoutMs = 30_000, ttlDays = { deliveries: 90, facts: 400 }, migrations = readMigrations() } = options;
  const { database } = options;
  const client = createClient({
    url: options.url,
    username: options.username,
    password: options.password,
    application: 'hookwatch',
    request_timeout: timeoutMs,
    max_open_connections: options.connectionsMax ?? 4,
    // The client would log queries and their errors by itself.
    log: { level: ClickHouseLogLevel.OFF },
  });

  const run = (sql: string, params?: Record<string, unknown>) =>
    guard(options.url, async () => {
      await client.command({ query: sql, ...(params && { query_params: params }) });
    });

  const ask = <Row>(sql: string, params?: Record<string, unknown>) =>
    guard(options.url, async () => {
      const settings = { format: 'JSONEachRow', clickhouse_settings: readSettings } as const;
      const result = await client.query({ query: sql, ...settings, ...(params && { query_params: params }) });
      return await result.json<Row>();
    });

  const insert = (into: string, data: Buffer) =>
    guard(options.url, async () => {
      const { stream } = await client.exec({
        query: `INSERT INTO ${into}`,
        values: Readable.from([data], { objectMode: false }),
        clickhouse_settings: insertSettings,
      });
      await buffer(stream);
    });
  const send = (kind: TableKind, schema: object, bodies: readonly Uint8Array[]) =>
    insert(`${tableOf(kind, database)} FORMAT Avro`, Buffer.concat(containerParts(schema, bodies)));

  const native: NativeRows = {
    read: (sql, params, bytesMax) =>
      guard(options.url, async () => {
        const { stream } = await client.exec({
          query: `${sql} FORMAT Native`,
          query_params: params,
          clickhouse_settings: { ...wholeAnswers, max_result_bytes: `${bytesMax}`, result_overflow_mode: 'throw' },
        });
        return await buffer(stream);
      }),
    write: (table, columns, rows) =>
      insert(`${table} (${columns.map((name) => `\`${name}\``).join(', ')}) FORMAT Native`, rows),
  };

  return {
    migrate: () => applyMigrations({ run, ask }, migrations, ttlDays, database),
    async insert(kind, schemaId, bodies) {
      if (bodies.length === 0) return;
      const version = schemas.find(({ id }) => id === schemaId);
      if (version?.kind !== kind) throw new Error(`Schema ${schemaId} is not one of ${kind}`);
      try {
        await send(kind, version.schema, bodies);
      } catch (error) {
        if (!(error instanceof WarehouseError) || error.code !== 'WAREHOUSE_DATA') throw error;
        // A table that does not even take no rows at all under this schema has nothing against these.
        await send(kind, version.schema, []).catch((cause: WarehouseError) => {
          throw cause.retryable ? cause : new WarehouseError('WAREHOUSE_SCHEMA', cause.message, { cause });
        });
        throw error;
      }
    },
    async rows<K extends TableKind>(kind: K, { tenant, ids, positions, limit = 1000 }: RowFilter = {}) {
      const conditions = [
        'NOT withdrawn',
        ...(tenant === undefined ? [] : ['tenant = {tenant:String}']),
        ...(ids === undefined ? [] : ['id IN {ids:Array(String)}']),
        ...(positions === undefined ? [] : ['position > {after:Int64} AND position <= {upTo:Int64}']),
      ];
      const sql = `SELECT ${columnsOf(kind)} FROM ${tableOf(kind, database)} FINAL
        WHERE ${conditions.join(' AND ')} ORDER BY id LIMIT {limit:UInt32}`;
      const params = { tenant: tenant ?? '', ids: ids ?? [], limit, ...positions };
      const rows = await ask<Record<string, unknown>>(sql, params);
      return rows.map((row) => restoreBytes(kind, row)) as unknown as RecordTypes[K][];
    },
    async incarnation() {
      const [row] = await ask<{ name: string }>(incarnationSql);
      return row!.name;
    },
    query: ask,
    run,
    native,
    close: () => client.close(),
  };
}

interface AvroField {
  name: string;
  type: unknown;
}

function fieldsOf(kind: TableKind): AvroField[] {
  const { schema } = schemas.findLast((version) => version.kind === kind)!;
  return (schema as { fields: AvroField[] }).fields;
}

/** Columns so that JSON brings them back as the Avro decoder would give them. */
function columnsOf(kind: TableKind): string {
  const expressions = fieldsOf(kind).map(({ name, type }) => {
    if (JSON.stringify(type).includes('timestamp-millis')) return `toUnixTimestamp64Milli(${name})`;
    return type === 'bytes' ? `base64Encode(${name})` : `\`${name}\``;
  });
  // Numbered, for an alias that is a column's name would be taken for it in the conditions.
  return expressions.map((expression, index) => `${expression} AS \`_${index}\``).join(', ');
}

function restoreBytes(kind: TableKind, row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    fieldsOf(kind).map(({ name, type }, index) => {
      const value = row[`_${index}`];
      return [name, type === 'bytes' ? Buffer.from(value as string, 'base64') : value];
    }),
  );
}

/** The number of all exceptions of libraries: for the rest of them see `codeOf`. */
const avroException = 1001;

/** Numbers of src/Common/ErrorCodes.cpp by what they mean here. */
const exceptionsByCode: Partial<Record<WarehouseErrorCode, readonly number[]>> = {
  WAREHOUSE_TIMEOUT: [159, 209],
  WAREHOUSE_OVERLOADED: [202, 241, 243, 252, 439],
  WAREHOUSE_REFUSED: [164, 192, 193, 194, 497, 516],
  WAREHOUSE_SCHEMA: [16, 47, 60, 81],
  // Values, text that is none of its type, and constraints or views that somebody added to a table.
  WAREHOUSE_DATA: [
    ...[
      6, 8, 25, 26, 27, 33, 36, 38, 41, 43, 53, 62, 69, 70, 72, 117, 128, 131, 190, 229, 321, 349, 376, 395, 396, 407,
    ],
    ...[456, 457, 467, 469, 675, 676, 691, 748, avroException],
  ],
};

const codeOfException = new Map(
  Object.entries(exceptionsByCode).flatMap(([code, numbers]) =>
    numbers.map((number) => [number, code as WarehouseErrorCode] as const),
  ),
);

/** Of a library's exceptions only those of the Avro reader are about rows, which are damaged then; a full disk is one too. */
function codeOf(number: number, message: string): WarehouseErrorCode {
  if (number === avroException && !message.includes('avro::')) return 'WAREHOUSE_OTHER';
  return codeOfException.get(number) ?? 'WAREHOUSE_OTHER';
}

async function guard<T>(url: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw asWarehouseError(error as Error & { code?: string }, url);
  }
}

function asWarehouseError(error: Error & { code?: string }, url: string): WarehouseError {
  // The client leaves an exception alone that has no name in brackets at its end.
  const number = error instanceof ClickHouseError ? error.code : /^Code: (\d+)\./.exec(error.message)?.[1];
  if (number !== undefined) {
    const code = codeOf(Number(number), error.message);
    return new WarehouseError(code, `ClickHouse at ${url} refuses, code ${number}: ${error.message.trim()}`, {
      cause: error,
    });
  }
  if (/timeout/i.test(error.message) || error.code === 'ETIMEDOUT') {
    return new WarehouseError('WAREHOUSE_TIMEOUT', `Cannot hear from ClickHouse at ${url} in time`, { cause: error });
  }
  return new WarehouseError('WAREHOUSE_UNAVAILABLE', `Cannot reach ClickHouse at ${url}: ${error.message}`, {
    cause: error,
  });
}
