/** What ClickHouse says of its own rows: sums by the hour, and the rows of an hour. */
import type { OutputKind } from '../../core/records/codec.ts';
import { tableOf, timeColumnOf } from '../../ports/warehouse/tables.ts';
import type { SqlWarehouse } from '../../ports/warehouse/warehouse.ts';
import { hourMs, type Selection, type Slice, sliceSql, slicesOf } from '../replay/slices.ts';
import type { TableSums } from './expected.ts';
import { fingerprintSql } from './fingerprint.ts';
import { firstHour, type Scope } from './scope.ts';

type Asked = Pick<SqlWarehouse, 'query'>;

export interface StoredSums {
  sums: TableSums;
  /** Ids whose current version was made by a record behind the scope: on a running system some are. */
  later: Set<string>;
  /** Positions of the first and the last row; undefined where there is none. */
  positions: { first: number; last: number } | undefined;
  /** Highest position of a row that is there, also behind the scope; -1 without any. */
  highest: number;
}

/** A row as it is compared. */
export interface StoredRow {
  id: string;
  version: number;
  withdrawn: boolean;
  position: number;
  fingerprint: bigint;
}

/** Rows that one query looks at, as far as hours allow. */
const rowsPerQuery = { sums: 2_000_000, rows: 200_000 };

/** Sums over the current rows of a lane in one table that the scope takes in. */
export async function readSums(warehouse: Asked, kind: OutputKind, scope: Scope): Promise<StoredSums> {
  const stored: StoredSums = { sums: new Map(), later: new Set(), positions: undefined, highest: -1 };
  const from = firstHour(kind, scope);
  const limits = { unitMs: hourMs, rowsMax: rowsPerQuery.sums };
  for (const slice of await slicesOf(warehouse, selectionOf(kind, scope), limits, { from })) {
    for (const row of await readSlice(warehouse, kind, scope, slice)) {
      if (row.rows > 0) {
        stored.sums.set(row.hour * 1000, { rows: row.rows, sum: BigInt(row.sum) });
        const { first, last } = stored.positions ?? { first: row.first, last: row.last };
        stored.positions = { first: Math.min(first, row.first), last: Math.max(last, row.last) };
      }
      for (const id of row.later) stored.later.add(id);
      stored.highest = Math.max(stored.highest, row.highest);
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
  highest: number;
  later: string[];
}

/** One query per slice, so that a row which is amended meanwhile is either within the sum or named as later. */
function readSlice(warehouse: Asked, kind: OutputKind, scope: Scope, slice: Slice): Promise<SliceRow[]> {
  const { where, params } = selectionOf(kind, scope);
  const within = 'position <= {until:Int64}';
  return warehouse.query<SliceRow>(
    `SELECT toUnixTimestamp(toStartOfHour(${timeColumnOf(kind)})) AS hour, countIf(${within}) AS rows,
        toString(groupBitXorIf(${fingerprintSql(kind, scope.depth)}, ${within})) AS sum,
        minIf(position, ${within}) AS first, maxIf(position, ${within}) AS last,
        max(position) AS highest, groupArrayIf(id, NOT (${within})) AS later
      FROM ${tableOf(kind)} FINAL
      WHERE ${where} AND ${sliceSql(kind)}
      GROUP BY hour`,
    { ...params, until: scope.until, ...slice },
  );
}

/** All current rows of a lane in one table that were received first within some hours. */
export async function* readRows(
  warehouse: Asked,
  kind: OutputKind,
  scope: Scope,
  hours: Iterable<number>,
): AsyncGenerator<StoredRow> {
  const selection = selectionOf(kind, { ...scope, after: -1 });
  const limits = { unitMs: 60_000, rowsMax: rowsPerQuery.rows };
  for (const hour of hours) {
    for (const slice of await slicesOf(warehouse, selection, limits, { from: hour, to: hour + hourMs })) {
      const rows = await warehouse.query<Omit<StoredRow, 'fingerprint'> & { fingerprint: string }>(
        `SELECT id, version, withdrawn, position, toString(${fingerprintSql(kind, scope.depth)}) AS fingerprint
          FROM ${tableOf(kind)} FINAL WHERE ${selection.where} AND ${sliceSql(kind)}`,
        { ...selection.params, ...slice },
      );
      for (const row of rows) yield { ...row, fingerprint: BigInt(row.fingerprint) };
    }
  }
}

function selectionOf(kind: OutputKind, { tenant, after }: Scope): Selection {
  return { kind, where: 'tenant = {tenant:String} AND position > {after:Int64}', params: { tenant, after } };
}
