/** What the real engine refuses, and that it takes everything else. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encode } from '../../../services/core/records/codec.ts';
import { createClickHouseWarehouse } from '../../../services/ports/warehouse/clickhouse.ts';
import { type Row, storeRows } from '../../../services/ports/warehouse/refusals.ts';
import type { SqlWarehouse } from '../../../services/ports/warehouse/warehouse.ts';
import { type EngineProcess, passwords, startEngineProcess } from './engine-process.ts';
import { fixture } from './records.ts';

let engine: EngineProcess;
let warehouse: SqlWarehouse;
beforeAll(async () => {
  engine = await startEngineProcess();
  warehouse = createClickHouseWarehouse({ url: engine.url, username: 'hookwatch', password: passwords.hookwatch });
  await warehouse.migrate();
});
afterAll(async () => {
  await warehouse.close();
  await engine.dispose();
});

const event = (tenant: string, id: string, subject = 'S1'): Row => ({
  key: tenant,
  frame: encode('event', fixture('event', { tenant, id, subject })),
});
const cut = ({ key, frame }: Row): Row => ({ key, frame: frame.subarray(0, -3) });

async function idsOf(tenant: string): Promise<string[]> {
  return (await warehouse.rows('event', { tenant })).map(({ id }) => id);
}

test('a damaged body would take its neighbours with it: it alone is kept, and seen in SQL', async () => {
  const rows = [event('torn', 'a'), cut(event('torn', 'b')), event('torn', 'c'), cut(event('torn', 'd'))];
  const { refusals } = await storeRows(warehouse, rows, Date.now);
  expect(refusals.map(({ row }) => row)).toEqual(['b', 'd']);
  expect(await idsOf('torn')).toEqual(['a', 'c']);
  const sql = `SELECT table, row, tenant, hex(frame) AS frame FROM hookwatch.sink_refused WHERE tenant = 'torn' ORDER BY row`;
  const frame = (row: Row) => Buffer.from(row.frame).toString('hex').toUpperCase();
  expect(await warehouse.query(sql)).toEqual([
    { table: 'events', row: 'b', tenant: 'torn', frame: frame(rows[1]!) },
    { table: 'events', row: 'd', tenant: 'torn', frame: frame(rows[3]!) },
  ]);
});

test('rows that break a constraint which somebody added to the table', async () => {
  await warehouse.run("ALTER TABLE hookwatch.events_rows ADD CONSTRAINT named CHECK subject != ''");
  const rows = Array.from({ length: 50 }, (_, n) => event('bound', `e${n + 10}`, n % 20 === 7 ? '' : 'S1'));
  const { refusals, rows: taken } = await storeRows(warehouse, rows, Date.now);
  await warehouse.run('ALTER TABLE hookwatch.events_rows DROP CONSTRAINT named');
  expect(refusals.map(({ row }) => row)).toEqual(['e17', 'e37', 'e57']);
  for (const { reason } of refusals) expect(reason).toMatch(/code 469: Constraint `named`/);
  expect(taken.get('event')).toBe(47);
  expect(await idsOf('bound')).toHaveLength(47);
});

test('a column of another type is about the table: nothing is refused', async () => {
  const table = 'hookwatch.detections_rows';
  await warehouse.run(`CREATE TABLE hookwatch.other AS ${table}`);
  await warehouse.run("ALTER TABLE hookwatch.other DROP COLUMN title, ADD COLUMN title DateTime64(3, 'UTC')");
  const rows = [{ key: 'form', frame: encode('detection', fixture('detection', { tenant: 'form' })) }];
  const exchange = () => warehouse.run(`EXCHANGE TABLES hookwatch.other AND ${table}`);
  await exchange();
  await expect(storeRows(warehouse, rows, Date.now)).rejects.toMatchObject({ code: 'WAREHOUSE_SCHEMA' });
  await exchange();
  expect((await storeRows(warehouse, rows, Date.now)).refusals).toEqual([]);
  expect(await warehouse.rows('refusal', { tenant: 'form' })).toEqual([]);
});
