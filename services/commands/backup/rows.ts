/** The rows of a table in pages that fit into memory, here and in ClickHouse. */
import { type TableKind, tableOf } from '../../ports/warehouse/tables.ts';
import { type SqlWarehouse, WarehouseError } from '../../ports/warehouse/warehouse.ts';
import { hourMs, type Slice, sliceSql, slicesOf } from '../replay/slices.ts';

/** Rows of a slice; some of them where there are too many: those whose id's hash leaves `rest` when divided by `parts`. */
interface Part extends Slice {
  parts: number;
  rest: number;
}

export interface PageLimits {
  rowsMax: number;
  /** Uncompressed. */
  bytesMax: number;
}

const pageLimits: PageLimits = { rowsMax: 50_000, bytesMax: 48 * 1024 * 1024 };
const second = 1_000;
const partsMax = 1024 * 1024;

type Reads = Pick<SqlWarehouse, 'query'> & { native: Pick<SqlWarehouse['native'], 'read'> };

/** Those of a table that are stored, in their order. */
export async function columnsOf(warehouse: Pick<SqlWarehouse, 'query'>, kind: TableKind): Promise<string[]> {
  const [database, table] = tableOf(kind).split('.');
  const columns = await warehouse.query<{ name: string }>(
    `SELECT name FROM system.columns WHERE database = {database:String} AND table = {table:String}
      AND default_kind NOT IN ('MATERIALIZED', 'ALIAS', 'EPHEMERAL') ORDER BY position`,
    { database, table },
  );
  return columns.map(({ name }) => name);
}

/**
 * All rows that were in a table at the call, and some of those that come meanwhile: every version of every row that was
 * not merged away, tombstones too. FORMAT Native.
 */
export async function* pagesOf(
  warehouse: Reads,
  kind: TableKind,
  columns: readonly string[],
  limits = pageLimits,
): AsyncGenerator<Buffer> {
  const selection = { kind, where: '1', params: {} };
  const slices = await slicesOf(warehouse, selection, { unitMs: hourMs, rowsMax: limits.rowsMax });
  for (const slice of slices) yield* pagesOfPart({ ...slice, parts: 1, rest: 0 });

  async function* pagesOfPart(part: Part): AsyncGenerator<Buffer> {
    const { from, to, parts, rest } = part;
    const split = parts === 1 ? '' : 'AND cityHash64(id) % {parts:UInt32} = {rest:UInt32}';
    const sql = `SELECT ${columns.map((name) => `\`${name}\``).join(', ')} FROM ${tableOf(kind)}
      WHERE ${sliceSql(kind)} ${split}`;
    try {
      yield await warehouse.native.read(sql, { from, to, parts, rest }, limits.bytesMax);
    } catch (error) {
      const tooLarge = error instanceof WarehouseError && error.code === 'WAREHOUSE_DATA' && parts < partsMax;
      if (!tooLarge) throw error;
      for (const half of halvesOf(part)) yield* pagesOfPart(half);
    }
  }
}

/** By time as long as that tells rows apart, then by id. */
function halvesOf({ from, to, parts, rest }: Part): Part[] {
  const middle = Math.floor((from + to) / 2 / second) * second;
  if (middle > from) return [{ from, to: middle, parts, rest }, { from: middle, to, parts, rest }]; // biome-ignore format: one thought
  return [rest, rest + parts].map((half) => ({ from, to, parts: 2 * parts, rest: half }));
}

/** UUIDs of tables: a rebuild changes them. */
export async function identitiesOf(
  warehouse: Pick<SqlWarehouse, 'query'>,
  kinds: readonly TableKind[],
): Promise<string> {
  const rows = await warehouse.query<{ table: string; uuid: string }>(
    `SELECT concat(database, '.', name) AS table, toString(uuid) AS uuid FROM system.tables
      WHERE table IN {tables:Array(String)} ORDER BY table`,
    { tables: kinds.map((kind) => tableOf(kind)) },
  );
  return rows.map(({ table, uuid }) => `${table} ${uuid}`).join('\n');
}
