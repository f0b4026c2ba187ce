/** Rows that a rebuild does not make anew: they are carried over from the tables that there were. */

import type { OutputKind } from '../../core/records/codec.ts';
import { mainDatabase, tableOf, timeColumnOf } from '../../ports/warehouse/tables.ts';
import type { SqlWarehouse } from '../../ports/warehouse/warehouse.ts';
import { fieldsOf, fingerprintSql } from '../audit/fingerprint.ts';
import { hourMs, type Selection, type Slice, sliceSql, slicesOf } from '../replay/slices.ts';

/** Where tables are filled, and where the old ones are once they were changed over. */
export const rebuildDatabase = 'hookwatch_rebuild';

/** A lane of which every row behind a position is made anew; -1: the whole lane. */
export interface RemadeLane {
  tenant: string;
  after: number;
}

const rowsPerInsert = 2_000_000;
const highestPosition = '9223372036854775807';

/** A condition for what is kept: rows of other tenants, and of the rebuilt ones those that precede the replay. */
export function keptSql(lanes: readonly RemadeLane[]): string {
  const tenants = lanes.map(({ tenant }) => `'${tenant.replace(/[\\']/g, '\\$&')}'`).join(', ');
  const positions = `CAST([${lanes.map(({ after }) => after).join(', ')}] AS Array(Int64))`;
  return `position <= transform(toString(tenant), [${tenants}], ${positions}, ${highestPosition})`;
}

/** Copies all versions of rows, by the hour in groups. */
export async function copyRows(
  warehouse: Pick<SqlWarehouse, 'query' | 'run'>,
  { kind, database, where, params }: Selection,
  into: string,
  within?: Slice,
): Promise<void> {
  const columns = fieldsOf(kind, 'values')
    .map(({ name }) => `\`${name}\``)
    .join(', ');
  const limits = { unitMs: hourMs, rowsMax: rowsPerInsert };
  for (const slice of await slicesOf(
    warehouse,
    { kind, ...(database && { database }), where, params },
    limits,
    within,
  )) {
    await warehouse.run(
      `INSERT INTO ${tableOf(kind, into)} (${columns}) SELECT ${columns} FROM ${tableOf(kind, database)}
        WHERE (${where}) AND ${sliceSql(kind)}`,
      { ...params, ...slice },
    );
  }
}

/**
 * After the tables were changed over: what a sink has written into the old ones since they were copied is copied too.
 * Resolves with the number of hours that had to be.
 */
export async function copyLateRows(
  warehouse: Pick<SqlWarehouse, 'query' | 'run'>,
  kind: OutputKind,
  where: string,
): Promise<number> {
  const old: Selection = { kind, database: rebuildDatabase, where, params: {} };
  let hours = 0;
  for (const slice of await slicesOf(warehouse, old, { unitMs: hourMs, rowsMax: rowsPerInsert })) {
    const [before, now] = await Promise.all(
      [rebuildDatabase, mainDatabase].map((database) => sumsOf(warehouse, kind, database, where, slice)),
    );
    for (const [hour, sum] of before!) {
      if (now!.get(hour) === sum) continue;
      hours++;
      await copyRows(warehouse, old, mainDatabase, { from: hour * hourMs, to: (hour + 1) * hourMs });
    }
  }
  return hours;
}

async function sumsOf(
  warehouse: Pick<SqlWarehouse, 'query'>,
  kind: OutputKind,
  database: string,
  where: string,
  slice: Slice,
): Promise<Map<number, string>> {
  const rows = await warehouse.query<{ hour: number; sum: string }>(
    `SELECT intDiv(toUnixTimestamp64Milli(${timeColumnOf(kind)}), ${hourMs}) AS hour,
        concat(toString(count()), ' ', toString(groupBitXor(${fingerprintSql(kind, 'identity')}))) AS sum
      FROM ${tableOf(kind, database)} FINAL WHERE (${where}) AND ${sliceSql(kind)} GROUP BY hour`,
    { ...slice },
  );
  return new Map(rows.map(({ hour, sum }) => [hour, sum]));
}
