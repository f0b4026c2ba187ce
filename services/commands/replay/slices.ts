import type { OutputKind } from '../../core/records/codec.ts';
import { type TableKind, tableOf, timeColumnOf } from '../../ports/warehouse/tables.ts';
import type { SqlWarehouse } from '../../ports/warehouse/warehouse.ts';

/** From an instant up to, but without, another; epoch milliseconds. */
export interface Slice {
  from: number;
  to: number;
}

/** Some rows of a table: those that fulfil a condition, with what its parameters stand for. */
export interface Selection<Kind extends TableKind = OutputKind> {
  kind: Kind;
  database?: string;
  where: string;
  params: Readonly<Record<string, string | number>>;
}

export interface SliceLimits {
  /** Slices begin and end at its multiples. */
  unitMs: number;
  /** As far as units allow. */
  rowsMax: number;
}

export const hourMs = 3_600_000;
/** No row is received later than a DateTime64 can say. */
const endOfTime = Date.UTC(2299, 0);
/** One insert may touch a hundred partitions, of which the shortest are weeks. */
const sliceMsMax = 365 * 24 * hourMs;

/** A condition for the rows of a slice, whose bounds are the parameters `from` and `to`. */
export function sliceSql(kind: TableKind): string {
  const column = timeColumnOf(kind);
  const instant = (name: string) => `fromUnixTimestamp64Milli({${name}:Int64}, 'UTC')`;
  return `${column} >= ${instant('from')} AND ${column} < ${instant('to')}`;
}

/** Cuts the time of some rows so that no query over a slice has many more than so many of them to look at. */
export async function slicesOf(
  warehouse: Pick<SqlWarehouse, 'query'>,
  { kind, database, where, params }: Selection<TableKind>,
  { unitMs, rowsMax }: SliceLimits,
  { from = 0, to = endOfTime }: Partial<Slice> = {},
): Promise<Slice[]> {
  const units = await warehouse.query<{ unit: number; rows: number }>(
    `SELECT intDiv(toUnixTimestamp64Milli(${timeColumnOf(kind)}), {unitMs:Int64}) AS unit, count() AS rows
      FROM ${tableOf(kind, database)} WHERE (${where}) AND ${sliceSql(kind)} GROUP BY unit ORDER BY unit`,
    { ...params, from, to, unitMs },
  );
  const slices: (Slice & { rows: number })[] = [];
  for (const { unit, rows } of units) {
    const last = slices.at(-1);
    const end = (unit + 1) * unitMs;
    if (last && last.rows + rows <= rowsMax && end - last.from <= sliceMsMax) {
      Object.assign(last, { to: end, rows: last.rows + rows });
    } else slices.push({ from: unit * unitMs, to: end, rows });
  }
  return slices.map((slice) => ({ from: slice.from, to: slice.to }));
}
