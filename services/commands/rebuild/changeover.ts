/**
 * Tables are filled beside those that people read and then changed for them, one after the other:
 *
 *   fill hookwatch_rebuild ─▶ note what was filled ─▶ exchange each table ─▶ carry over what came late ─▶ drop
 *
 * The note makes it safe to die at any point: without it the filled tables are worth nothing and dropped; with it the
 * change is brought to its end, whoever does it. Tables are told apart by their UUID, which goes with what they hold.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { type OutputKind, outputKinds } from '../../core/records/codec.ts';
import { mainDatabase, tableOf } from '../../ports/warehouse/tables.ts';
import { type SqlWarehouse, WarehouseError } from '../../ports/warehouse/warehouse.ts';
import { copyLateRows, rebuildDatabase } from './kept.ts';

type Sql = Pick<SqlWarehouse, 'query' | 'run'>;

/** What is to be changed over. */
export interface Changeover {
  /** UUIDs of the filled tables. */
  filled: Record<OutputKind, string>;
  /** Conditions for the rows that were copied, not made anew. */
  kept: Record<OutputKind, string>;
}

const note = `${rebuildDatabase}.changeover`;
/** No call of a sink goes on for longer. */
const insertSecondsMax = 60;

/** Empties the place to fill. */
export async function clearRebuild(warehouse: Sql): Promise<void> {
  // Once the note has gone nothing in the database counts.
  await warehouse.run(`DROP TABLE IF EXISTS ${note} SYNC`).catch(ignoreAbsent);
  await warehouse.run(`DROP DATABASE IF EXISTS ${rebuildDatabase} SYNC SETTINGS max_table_size_to_drop = 0`);
}

/** Begins to change over: from here on it must be brought to its end. */
export async function noteChangeover(warehouse: Sql, kept: Changeover['kept']): Promise<Changeover> {
  const uuids = await readUuids(warehouse);
  const filled = Object.fromEntries(outputKinds.map((kind) => [kind, uuids.get(tableOf(kind, rebuildDatabase))!]));
  const changeover = { filled, kept } as Changeover;
  await warehouse.run(
    `CREATE TABLE ${note} (document String) ENGINE = MergeTree ORDER BY tuple()
      SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
  );
  await warehouse.run(`INSERT INTO ${note} SELECT {document:String}`, { document: JSON.stringify(changeover) });
  return changeover;
}

/** What an interrupted rebuild has begun to change over, if any. */
export async function readChangeover(warehouse: Sql): Promise<Changeover | undefined> {
  const rows = await warehouse.query<{ document: string }>(`SELECT document FROM ${note}`).catch(ignoreAbsent);
  return rows?.[0] && (JSON.parse(rows[0].document) as Changeover);
}

/** Changes the tables over, as far as that is not done yet, and carries over what came late. */
export async function changeOver(warehouse: Sql, { filled, kept }: Changeover): Promise<void> {
  for (const kind of outputKinds) await changeTable(warehouse, kind, filled[kind]);
  await untilInsertsEnd(warehouse);
  const uuids = await readUuids(warehouse);
  for (const kind of outputKinds) {
    // Absent where it was being dropped, with everything carried over.
    if (uuids.has(tableOf(kind, rebuildDatabase))) await copyLateRows(warehouse, kind, kept[kind]);
  }
}

async function changeTable(warehouse: Sql, kind: OutputKind, filled: string): Promise<void> {
  const [table, other] = [tableOf(kind), tableOf(kind, rebuildDatabase)];
  const aside = `${other}_old`;
  for (;;) {
    const uuids = await readUuids(warehouse);
    if (uuids.get(table) === filled) {
      if (uuids.has(aside)) await warehouse.run(`RENAME TABLE ${aside} TO ${other}`);
      return;
    }
    if (!uuids.has(table)) await warehouse.run(`RENAME TABLE ${other} TO ${table}`);
    else if (!(await exchange(warehouse, table, other))) await warehouse.run(`RENAME TABLE ${table} TO ${aside}`);
  }
}

/** Returns false where the engine or its file system cannot: for a moment the table is missing then, and sinks wait. */
async function exchange(warehouse: Sql, table: string, other: string): Promise<boolean> {
  try {
    await warehouse.run(`EXCHANGE TABLES ${table} AND ${other}`);
    return true;
  } catch (error) {
    if (error instanceof WarehouseError && /not supported|UNSUPPORTED|NOT_IMPLEMENTED/.test(error.message))
      return false;
    throw error;
  }
}

/** What had begun to write into a table before it was changed goes on writing into the old one. */
async function untilInsertsEnd(warehouse: Sql): Promise<void> {
  const changedAt = performance.now();
  for (;;) {
    const seconds = (performance.now() - changedAt) / 1000;
    const rows = await warehouse.query<{ inserts: number }>(
      `SELECT count() AS inserts FROM system.processes
        WHERE query_kind = 'Insert' AND elapsed >= {seconds:Float64} AND query LIKE '%${mainDatabase}.%'`,
      { seconds },
    );
    if (rows[0]?.inserts === 0 || seconds > insertSecondsMax) return;
    await wait(50);
  }
}

/** UUIDs by `database.table`. */
async function readUuids(warehouse: Sql): Promise<Map<string, string>> {
  const rows = await warehouse.query<{ name: string; uuid: string }>(
    `SELECT concat(database, '.', name) AS name, toString(uuid) AS uuid FROM system.tables
      WHERE database IN ('${mainDatabase}', '${rebuildDatabase}')`,
  );
  return new Map(rows.map(({ name, uuid }) => [name, uuid]));
}

function ignoreAbsent(error: unknown): undefined {
  if (error instanceof WarehouseError && error.code === 'WAREHOUSE_SCHEMA') return undefined;
  throw error;
}
