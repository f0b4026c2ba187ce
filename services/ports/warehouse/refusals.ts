import { createHash } from 'node:crypto';
import { examine } from '../../core/records/anatomy.ts';
import { encode, headerBytes, kindOf, type OutputKind, outputKinds, schemaIdOf } from '../../core/records/codec.ts';
import type { Refusal } from '../../core/records/generated.ts';
import { viewOf } from './tables.ts';
import { type Warehouse, WarehouseError } from './warehouse.ts';

/** An output as it comes from a log: `key` is its tenant. */
export interface Row {
  key: string;
  frame: Uint8Array;
}

export interface Stored {
  /** Rows that their tables took. */
  rows: ReadonlyMap<OutputKind, number>;
  refusals: readonly Refusal[];
}

/** Rows of one table under one version of its schema: what one insert takes. */
interface Block {
  kind: OutputKind;
  schemaId: number;
  rows: Row[];
}

interface Refused {
  row: Row;
  table: string;
  reason: string;
}

const reasonLengthMax = 1_000;

/**
 * Stores rows of all kinds, in one insert per schema. A row that the warehouse refuses as data (WAREHOUSE_DATA), and a
 * frame that cannot be read, is kept as a refusal, and all others go in: a refused insert is halved until the single
 * rows are known. Whatever else goes wrong with an insert rejects, and any part of the rows may be there.
 *
 * `refusedAt` is the clock's time for refusals; a row that is refused again has the same id.
 */
export async function storeRows(
  warehouse: Pick<Warehouse, 'insert'>,
  rows: readonly Row[],
  refusedAt: () => number,
): Promise<Stored> {
  const { blocks, unreadable } = blocksOf(rows);
  // Side by side: each insert waits mostly for its disk. Tables know no order between them.
  const refused = await Promise.all(blocks.map((block) => storeBlock(warehouse, block)));
  const refusals = [...unreadable, ...refused.flat()].map((refusal) => describe(refusal, refusedAt()));
  if (refusals.length > 0) {
    const frames = refusals.map((refusal) => encode('refusal', refusal));
    await warehouse.insert('refusal', schemaIdOf(frames[0]!), frames.map(bodyOf));
  }
  const counts = new Map<OutputKind, number>();
  for (const [index, { kind, rows: taken }] of blocks.entries()) {
    counts.set(kind, (counts.get(kind) ?? 0) + taken.length - refused[index]!.length);
  }
  return { rows: counts, refusals };
}

/** Rows by table and schema, in the order in which they came. */
function blocksOf(rows: readonly Row[]): { blocks: Block[]; unreadable: Refused[] } {
  const blocks = new Map<number, Block>();
  const unreadable: Refused[] = [];
  for (const row of rows) {
    const schemaId = readSchemaId(row.frame);
    if (typeof schemaId === 'string') {
      unreadable.push({ row, table: '', reason: schemaId });
      continue;
    }
    let block = blocks.get(schemaId);
    if (!block) {
      block = { kind: kindOf(schemaId) as OutputKind, schemaId, rows: [] };
      blocks.set(schemaId, block);
    }
    block.rows.push(row);
  }
  return { blocks: [...blocks.values()], unreadable };
}

/** The schema's id, or why the frame has no table. */
function readSchemaId(frame: Uint8Array): number | string {
  try {
    const schemaId = schemaIdOf(frame);
    const kind = kindOf(schemaId);
    return (outputKinds as readonly string[]).includes(kind) ? schemaId : `Cannot store row: no table takes a ${kind}`;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Returns what was refused. `examined`: every row is known to be whole. */
async function storeBlock(warehouse: Pick<Warehouse, 'insert'>, block: Block, examined = false): Promise<Refused[]> {
  const { rows } = block;
  const error = await refuse(warehouse, block);
  if (!error) return [];
  const table = tableName(block);
  if (!examined) {
    // A damaged row takes its neighbours for its own end, so halving might find the wrong ones.
    const damages = rows.map(({ frame }) => examine(frame).damage);
    const whole = { ...block, rows: rows.filter((_, index) => !damages[index]) };
    const damaged = rows.flatMap((row, index) => (damages[index] ? [{ row, table, reason: damages[index] }] : []));
    if (whole.rows.length === 0) return damaged;
    if (damaged.length > 0) return [...damaged, ...(await storeBlock(warehouse, whole, true))];
  }
  if (rows.length === 1) return [{ row: rows[0]!, table, reason: error.message }];
  const middle = Math.ceil(rows.length / 2);
  return [
    ...(await storeBlock(warehouse, { ...block, rows: rows.slice(0, middle) }, true)),
    ...(await storeBlock(warehouse, { ...block, rows: rows.slice(middle) }, true)),
  ];
}

/** Inserts a block; returns what the warehouse has against its rows, if anything. */
async function refuse(
  warehouse: Pick<Warehouse, 'insert'>,
  { kind, schemaId, rows }: Block,
): Promise<WarehouseError | undefined> {
  try {
    await warehouse.insert(
      kind,
      schemaId,
      rows.map(({ frame }) => bodyOf(frame)),
    );
    return undefined;
  } catch (error) {
    if (error instanceof WarehouseError && error.code === 'WAREHOUSE_DATA') return error;
    throw error;
  }
}

function describe({ row: { key, frame }, table, reason }: Refused, refused_at: number): Refusal {
  return {
    tenant: key,
    id: createHash('sha256').update(`${table}\n`).update(frame).digest('hex'),
    version: 1,
    withdrawn: false,
    refused_at,
    table,
    row: examine(frame).id,
    reason: reason.slice(0, reasonLengthMax),
    frame: Buffer.from(frame),
  };
}

function tableName({ kind }: Block): string {
  return viewOf[kind].split('.')[1]!;
}

function bodyOf(frame: Uint8Array): Uint8Array {
  return frame.subarray(headerBytes);
}
