/** What ClickHouse says of its own rows: sums by the hour, and the rows of an hour. */
import type { OutputKind } from '../core/records/codec.ts';
import { tableOf } from '../ports/warehouse/tables.ts';
import type { SqlWarehouse } from '../ports/warehouse/warehouse.ts';
import type { TableSums } from './expected.ts';
import { fingerprintSql } from './fingerprint.ts';
import { firstHour, hourMs, type Scope, timeColumn } from './scope.ts';

type Asked = Pick<SqlWarehouse, 'query'>;

export interface StoredSums {
  sums: TableSums;
  /** Ids whose current version was made by a record behind the scope: on a running system some are. */
  later: Set<string>;
  /** Positions of the first and the last row; undefined where there is none. */
  positions: { first: number; last: number } | undefined;
}

/** A row as it is compared. */
export interface StoredRow {
  id: string;
  version: number;
  withdrawn: boolean;
  position: number;
  fingerprint: bigint;
}

/** Beyond what a DateTime64 holds; no row is received later. */
const endOfTime = Date.UTC(2299, 0);
/** Rows that one query looks at, as far as hours allow. */
const rowsPerQuery = { sums: 2_000_000, rows: 200_000 };

/** Sums over the current rows of a lane in one table that the scope takes in. */
export async function readSums(warehouse: Asked, kind: OutputKind, scope: Scope): Promise<StoredSums> {
  const stored: StoredSums = { sums: new Map(), later: new Set(), positions: undefined };
  const from = firstHour(kind, scope);
  for (const slice of await slicesOf(warehouse, kind, scope, { from, unitMs: hourMs, rowsMax: rowsPerQuery.sums })) {
    for (const row of await readSlice(warehouse, kind, scope, slice)) {
      if (row.rows > 0) {
        stored.sums.set(row.hour * 1000, { rows: row.rows, sum: BigInt(row.sum) });
        const { first, last } = stored.positions ?? { first: row.first, last: row.last };
        stored.positions = { first: Math.min(first, row.first), last: Math.max(last, row.last) };
      }
      for (const id of row.later) stored.later.add(id);
    }
  }
  return stored;
}

interface SliceRow {
  /** Epoch seconds. */
  hour: number;
  rows: number;
  sum: string;
  first: number;
  last: number;
  later: string[];
}

/** One query per slice, so that a row which is amended meanwhile is either within the sum or named as later. */
function readSlice(warehouse: Asked, kind: OutputKind, scope: Scope, slice: Slice): Promise<SliceRow[]> {
  const within = 'position <= {until:Int64}';
  return warehouse.query<SliceRow>(
    `SELECT toUnixTimestamp(toStartOfHour(${timeColumn(kind)})) AS hour, countIf(${within}) AS rows,
        toString(groupBitXorIf(${fingerprintSql(kind, scope.depth)}, ${within})) AS sum,
        minIf(position, ${within}) AS first, maxIf(position, ${within}) AS last,
        groupArrayIf(id, NOT (${within})) AS later
      FROM ${tableOf(kind)} FINAL
      WHERE tenant = {tenant:String} AND position > {after:Int64} AND ${sliceSql(kind)}
      GROUP BY hour`,
    { ...parametersOf(scope), ...slice },
  );
}

/** All current rows of a lane in one table that were received first within some hours. */
export async function* readRows(
  warehouse: Asked,
  kind: OutputKind,
  scope: Scope,
  hours: Iterable<number>,
): AsyncGenerator<StoredRow> {
  for (const hour of hours) {
    const whole = { from: hour, to: hour + hourMs };
    const slices = await slicesOf(
      warehouse,
      kind,
      { ...scope, after: -1 },
      { ...whole, unitMs: 60_000, rowsMax: rowsPerQuery.rows },
    );
    for (const slice of slices) {
      const rows = await warehouse.query<Omit<StoredRow, 'fingerprint'> & { fingerprint: string }>(
        `SELECT id, version, withdrawn, position, toString(${fingerprintSql(kind, scope.depth)}) AS fingerprint
          FROM ${tableOf(kind)} FINAL WHERE tenant = {tenant:String} AND ${sliceSql(kind)}`,
        { ...parametersOf(scope), ...slice },
      );
      for (const row of rows) yield { ...row, fingerprint: BigInt(row.fingerprint) };
    }
  }
}

/** From an instant up to, but without, another; epoch milliseconds. */
interface Slice {
  from: number;
  to: number;
}

function sliceSql(kind: OutputKind): string {
  const column = timeColumn(kind);
  const instant = (name: string) => `fromUnixTimestamp64Milli({${name}:Int64}, 'UTC')`;
  return `${column} >= ${instant('from')} AND ${column} < ${instant('to')}`;
}

function parametersOf({ tenant, after, until }: Scope) {
  return { tenant, after, until };
}

/** Cuts the time of a lane's rows so that no slice has many more than so many rows, as far as units allow. */
async function slicesOf(
  warehouse: Asked,
  kind: OutputKind,
  scope: Scope,
  { from, to, unitMs, rowsMax }: { from: number; to?: number; unitMs: number; rowsMax: number },
): Promise<Slice[]> {
  const column = timeColumn(kind);
  const units = await warehouse.query<{ unit: number; rows: number }>(
    `SELECT intDiv(toUnixTimestamp64Milli(${column}), {unitMs:Int64}) AS unit, count() AS rows FROM ${tableOf(kind)}
      WHERE tenant = {tenant:String} AND position > {after:Int64} AND ${sliceSql(kind)} GROUP BY unit ORDER BY unit`,
    { ...parametersOf(scope), from, to: to ?? endOfTime, unitMs },
  );
  const slices: (Slice & { rows: number })[] = [];
  for (const { unit, rows } of units) {
    const last = slices.at(-1);
    if (last && last.rows + rows <= rowsMax) Object.assign(last, { to: (unit + 1) * unitMs, rows: last.rows + rows });
    else slices.push({ from: unit * unitMs, to: (unit + 1) * unitMs, rows });
  }
  return slices;
}
