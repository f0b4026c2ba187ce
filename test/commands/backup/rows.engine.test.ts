/** Rows leave one ClickHouse and come into another one, which has settings of its own. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { columnsOf, pagesOf } from '../../../services/commands/backup/rows.ts';
import { createClickHouseWarehouse } from '../../../services/ports/warehouse/clickhouse.ts';
import { type TableKind, tableOf, viewOf } from '../../../services/ports/warehouse/tables.ts';
import type { SqlWarehouse } from '../../../services/ports/warehouse/warehouse.ts';
import { insertValues } from '../../ports/warehouse/contract.ts';
import { type EngineProcess, passwords, startEngineProcess } from '../../ports/warehouse/engine-process.ts';
import { fixture } from '../../ports/warehouse/records.ts';

const kinds = Object.keys(viewOf) as TableKind[];
const hourMs = 3_600_000;
const now = Math.floor(Date.now() / hourMs) * hourMs;

const engines: EngineProcess[] = [];
let from: SqlWarehouse;
let to: SqlWarehouse;

beforeAll(async () => {
  engines.push(await startEngineProcess(), await startEngineProcess());
  const access = { username: 'hookwatch', password: passwords.hookwatch };
  from = createClickHouseWarehouse({ url: engines[0]!.url, ...access });
  to = createClickHouseWarehouse({ url: engines[1]!.url, ...access, ttlDays: { deliveries: 30, facts: 60 } });
  await Promise.all([from.migrate(), to.migrate()]);
});
afterAll(async () => {
  await Promise.all([from.close(), to.close()]);
  for (const engine of engines) await engine.dispose();
});

/** Count and checksum, ClickHouse's own, of all columns of the highest versions, tombstones among them. */
async function sumOf(warehouse: SqlWarehouse, kind: TableKind, where = '1') {
  const sql = `SELECT count() AS rows, toString(sum(cityHash64(*))) AS sum FROM ${tableOf(kind)} FINAL WHERE ${where}`;
  return (await warehouse.query<{ rows: number; sum: string }>(sql))[0]!;
}

async function move(kind: TableKind, limits?: { rowsMax: number; bytesMax: number }): Promise<number[]> {
  const columns = await columnsOf(from, kind);
  const sizes: number[] = [];
  for await (const page of pagesOf(from, kind, columns, limits)) {
    sizes.push(page.length);
    if (page.length > 0) await to.native.write(tableOf(kind), columns, page);
  }
  return sizes;
}

test.each(kinds)('%s: every column of the highest versions, tombstones too', async (kind) => {
  const tenant = `all-${kind}`;
  const stored = ['a', 'b', 'c'].map((id) => fixture(kind, { tenant, id }));
  await insertValues(from, kind, stored);
  await insertValues(from, kind, [fixture(kind, { tenant, id: 'b', version: 2 })]);
  if (kind !== 'refusal')
    await insertValues(from, kind, [fixture(kind, { tenant, id: 'c', version: 2, withdrawn: true })]);
  const sizes = await move(kind);
  expect(sizes.filter((size) => size > 0)).toHaveLength(1);
  const where = `tenant = '${tenant}'`;
  expect(await sumOf(to, kind, where)).toEqual(await sumOf(from, kind, where));
  expect(await to.rows(kind, { tenant })).toEqual(await from.rows(kind, { tenant }));
  expect(await to.rows(kind, { tenant })).toHaveLength(kind === 'refusal' ? 3 : 2);
});

describe('pages', () => {
  const delivery = (tenant: string, n: number, received_at: number, bytes: number) =>
    fixture('delivery', { tenant, id: `${tenant}-${n}`, received_at, body: randomBytes(bytes) });

  test.each([
    ['over days', (n: number) => now - n * 7 * hourMs],
    ['within a minute', (n: number) => now - n * 500],
    ['in one millisecond', () => now],
  ])('of so many bytes, whatever the rows are: %s', async (what, receivedAt) => {
    const tenant = `pages-${what.replaceAll(' ', '-')}`;
    const rows = Array.from({ length: 100 }, (_, n) => delivery(tenant, n, receivedAt(n), 20_000));
    await insertValues(from, 'delivery', rows);
    const sizes = await move('delivery', { rowsMax: 1_000_000, bytesMax: 300_000 });
    expect(Math.max(...sizes)).toBeLessThanOrEqual(300_000);
    const where = `tenant = '${tenant}'`;
    expect(await sumOf(from, 'delivery', where)).toMatchObject({ rows: 100 });
    expect(await sumOf(to, 'delivery', where)).toEqual(await sumOf(from, 'delivery', where));
  });

  test('rows that come while pages are read disturb nothing', async () => {
    const at = (n: number) => now - 10 * 24 * hourMs - n * hourMs;
    await insertValues(
      from,
      'delivery',
      Array.from({ length: 50 }, (_, n) => delivery('early', n, at(n), 10)),
    );
    const columns = await columnsOf(from, 'delivery');
    for await (const page of pagesOf(from, 'delivery', columns, { rowsMax: 10, bytesMax: 1_000_000 })) {
      await to.native.write(tableOf('delivery'), columns, page);
      await insertValues(from, 'delivery', [delivery('late', page.length, at(page.length % 50), 10)]);
    }
    expect(await sumOf(to, 'delivery', "tenant = 'early'")).toEqual(await sumOf(from, 'delivery', "tenant = 'early'"));
    expect((await sumOf(from, 'delivery', "tenant = 'late'")).rows).toBeGreaterThan(0);
  });
});

test('the tables keep the settings of where they are, and take pages with fewer columns', async () => {
  const ttls = await to.query<{ engine_full: string }>(
    "SELECT engine_full FROM system.tables WHERE database = 'hookwatch' AND name = 'deliveries_rows'",
  );
  expect(ttls[0]!.engine_full).toContain('toIntervalDay(30)');
  const columns = (await columnsOf(from, 'event')).filter((name) => name !== 'flags');
  await insertValues(from, 'event', [fixture('event', { tenant: 'older', id: 'x' })]);
  const page = await from.native.read(
    `SELECT ${columns.map((name) => `\`${name}\``).join(', ')} FROM hookwatch.events_rows WHERE tenant = 'older'`,
    {},
    1_000_000,
  );
  await to.native.write('hookwatch.events_rows', columns, page);
  expect(await to.rows('event', { tenant: 'older' })).toMatchObject([{ id: 'x', flags: [] }]);
});

test('a page that is too large, and one that is none, are refused', async () => {
  const numbers = 'SELECT number FROM system.numbers LIMIT 1000000';
  await expect(from.native.read(numbers, {}, 100_000)).rejects.toMatchObject({ code: 'WAREHOUSE_DATA' });
  const rubbish = to.native.write('hookwatch.events_rows', ['tenant', 'id'], Buffer.from('rubbish'));
  await expect(rubbish).rejects.toMatchObject({ name: 'Error', code: expect.stringMatching(/^WAREHOUSE_/) });
});

test('only who may write may insert', async () => {
  const analyst = createClickHouseWarehouse({ url: engines[1]!.url, username: 'analyst', password: passwords.analyst });
  const columns = await columnsOf(from, 'event');
  const page = await from.native.read('SELECT * FROM hookwatch.events_rows', {}, 1_000_000);
  const refused = analyst.native.write('hookwatch.events_rows', columns, page);
  await expect(refused).rejects.toMatchObject({ code: 'WAREHOUSE_REFUSED' });
  await analyst.close();
});
