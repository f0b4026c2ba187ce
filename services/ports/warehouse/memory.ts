import { randomUUID } from 'node:crypto';
import { decode, headerBytes } from '../../core/records/codec.ts';
import { type RecordTypes, schemas } from '../../core/records/generated.ts';
import type { TableKind } from './tables.ts';
import type { RowFilter, Warehouse } from './warehouse.ts';
import { WarehouseError } from './warehouse.ts';

type AnyRecord = RecordTypes[TableKind];

/** The warehouse in memory: for tests, and the measure of what the others must do. */
export function createMemoryWarehouse(): Warehouse {
  const incarnation = randomUUID();
  const tables = new Map<TableKind, Map<string, AnyRecord>>();
  let migrated = false;

  function tableOf(kind: TableKind): Map<string, AnyRecord> {
    if (!migrated) throw new WarehouseError('WAREHOUSE_SCHEMA', `Cannot use table of ${kind}: migrate first`);
    const table = tables.get(kind) ?? new Map<string, AnyRecord>();
    tables.set(kind, table);
    return table;
  }

  return {
    async migrate() {
      migrated = true;
    },
    async insert(kind, schemaId, bodies) {
      if (bodies.length === 0) return;
      if (schemas.find(({ id }) => id === schemaId)?.kind !== kind) {
        throw new Error(`Schema ${schemaId} is not one of ${kind}`);
      }
      const table = tableOf(kind);
      const values = bodies.map((body) => decodeBody(schemaId, body));
      for (const value of values) {
        const key = JSON.stringify([value.tenant, value.id]);
        if (value.version >= (table.get(key)?.version ?? 0)) table.set(key, value);
      }
    },
    async rows<K extends TableKind>(kind: K, { tenant, ids, positions, limit = 1000 }: RowFilter = {}) {
      return [...tableOf(kind).values()]
        .filter((row) => !row.withdrawn)
        .filter((row) => tenant === undefined || row.tenant === tenant)
        .filter((row) => ids === undefined || ids.includes(row.id))
        .filter((row) => positions === undefined || ('position' in row && isWithin(row.position, positions)))
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, limit) as RecordTypes[K][];
    },
    incarnation: async () => incarnation,
    async close() {},
  };
}

function isWithin(position: number, { after, upTo }: { after: number; upTo: number }): boolean {
  return position > after && position <= upTo;
}

function decodeBody(schemaId: number, body: Uint8Array): AnyRecord {
  const frame = Buffer.alloc(headerBytes + body.length);
  frame.writeInt32BE(schemaId, 1);
  frame.set(body, headerBytes);
  try {
    return decode(frame).value as AnyRecord;
  } catch (error) {
    throw new WarehouseError('WAREHOUSE_DATA', `Cannot store a row: its body is not of schema ${schemaId}`, {
      cause: error,
    });
  }
}
