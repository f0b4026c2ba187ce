import { describe, expect, test } from 'vitest';
import { encode } from '../../../services/core/records/codec.ts';
import { createMemoryWarehouse } from '../../../services/ports/warehouse/memory.ts';
import { type Row, storeRows } from '../../../services/ports/warehouse/refusals.ts';
import { type Warehouse, WarehouseError } from '../../../services/ports/warehouse/warehouse.ts';
import { frame, makeDelivery, makeEvent } from '../../console/fixtures.ts';

const at = Date.UTC(2026, 0, 5, 9);
const event = (seq: number) => frame('event', makeEvent({ seq, id: `e${String(seq).padStart(3, '0')}` }));
const cut = ({ key, frame: whole }: Row): Row => ({ key, frame: whole.subarray(0, -3) });
const framed = (schemaId: number, body = ''): Row => {
  const header = Buffer.alloc(5);
  header.writeInt32BE(schemaId, 1);
  return { key: 'northwind', frame: Buffer.concat([header, Buffer.from(body)]) };
};

/** A warehouse that refuses inserts in which one of these texts occurs. */
async function startWarehouse(refused: readonly string[] = []) {
  const memory = createMemoryWarehouse();
  await memory.migrate();
  let inserts = 0;
  const warehouse: Warehouse = {
    ...memory,
    async insert(kind, schemaId, bodies) {
      inserts++;
      const found =
        kind !== 'refusal' && refused.find((text) => bodies.some((body) => Buffer.from(body).includes(text)));
      if (found) throw new WarehouseError('WAREHOUSE_DATA', `does not take ${found}`);
      return memory.insert(kind, schemaId, bodies);
    },
  };
  return {
    warehouse,
    inserts: () => inserts,
    ids: async () => (await memory.rows('event')).map(({ id }) => id),
    store: (rows: readonly Row[]) => storeRows(warehouse, rows, () => at),
  };
}

test('rows that nothing is wrong with: an insert per schema', async () => {
  const { store, ids, inserts } = await startWarehouse();
  const delivery = frame('delivery', makeDelivery({ seq: 1 }));
  const { rows, refusals } = await store([event(1), delivery, event(2)]);
  expect([...rows]).toEqual([
    ['event', 2],
    ['delivery', 1],
  ]);
  expect({ refusals, ids: await ids(), inserts: inserts() }).toEqual({
    refusals: [],
    ids: ['e001', 'e002'],
    inserts: 2,
  });
});

describe('a row that is refused', () => {
  test.each([
    ['the only one', 1, ['e000']],
    ['the first', 64, ['e000']],
    ['the last', 64, ['e063']],
    ['two neighbours', 64, ['e031', 'e032']],
    ['some', 100, ['e003', 'e050', 'e098', 'e099']],
    ['all', 8, ['e000', 'e001', 'e002', 'e003', 'e004', 'e005', 'e006', 'e007']],
  ])('%s of %i: is kept, and the others go in', async (_, count, refused) => {
    const { store, ids, warehouse, inserts } = await startWarehouse(refused);
    const all = Array.from({ length: count }, (__, seq) => event(seq));
    const { rows } = await store(all);
    expect(rows.get('event')).toBe(count - refused.length);
    const wanted = all.map((___, seq) => `e${String(seq).padStart(3, '0')}`).filter((id) => !refused.includes(id));
    expect(await ids()).toEqual(wanted);
    const kept = await warehouse.rows('refusal');
    expect(kept.map(({ row }) => row).sort()).toEqual(refused);
    // Each is found in as many steps as halving takes.
    expect(inserts()).toBeLessThanOrEqual(2 + refused.length * 2 * Math.ceil(Math.log2(count)));
  });

  test('says which, whose, why and when, and has the frame', async () => {
    const { store, warehouse } = await startWarehouse(['e001']);
    const row = event(1);
    const { refusals } = await store([row]);
    expect(refusals).toEqual(await warehouse.rows('refusal'));
    expect(refusals).toEqual([
      {
        tenant: 'northwind',
        id: expect.stringMatching(/^[0-9a-f]{64}$/),
        version: 1,
        withdrawn: false,
        refused_at: at,
        table: 'events',
        row: 'e001',
        reason: 'does not take e001',
        frame: row.frame,
      },
    ]);
  });

  test('is the same one when it is refused again, at whatever time', async () => {
    const { warehouse } = await startWarehouse(['e001']);
    for (const later of [0, 1, 2]) await storeRows(warehouse, [event(1)], () => at + later);
    expect(await warehouse.rows('refusal')).toHaveLength(1);
  });
});

test.each<[string, Row, object]>([
  ['damaged', cut(event(1)), { table: 'events', row: 'e001' }],
  ['of an unknown schema', framed(999), { table: '', row: '', reason: expect.stringContaining('999') }],
  ['no frame at all', { key: 'northwind', frame: Buffer.from('rub') }, { table: '', row: '' }],
  [
    'of a kind without a table',
    framed(9),
    { table: '', row: '', reason: 'Cannot store row: no table takes a progress' },
  ],
])('a frame that is %s is kept, and its neighbours go in', async (_, row, refusal) => {
  const { store, ids } = await startWarehouse();
  const { refusals } = await store([event(2), row, event(3)]);
  expect(refusals).toMatchObject([{ ...refusal, frame: row.frame }]);
  expect(await ids()).toEqual(['e002', 'e003']);
});

test('what is no fault of a row rejects, and nothing is taken for refused', async () => {
  const { warehouse } = await startWarehouse();
  const error = new WarehouseError('WAREHOUSE_SCHEMA', 'no such table');
  const broken = { ...warehouse, insert: () => Promise.reject(error) };
  await expect(storeRows(broken, [event(1)], () => at)).rejects.toBe(error);
});

test('a long reason is cut, a frame never', async () => {
  const { warehouse } = await startWarehouse();
  const long = 'x'.repeat(100_000);
  const verbose: Pick<Warehouse, 'insert'> = {
    insert: async (kind, ...rest) => {
      if (kind === 'event') throw new WarehouseError('WAREHOUSE_DATA', long);
      return warehouse.insert(kind, ...rest);
    },
  };
  const row = { key: 'northwind', frame: encode('event', makeEvent({ seq: 1, data: JSON.stringify(long) })) };
  const { refusals } = await storeRows(verbose, [row], () => at);
  expect(refusals).toMatchObject([{ reason: 'x'.repeat(1_000), frame: row.frame }]);
});
