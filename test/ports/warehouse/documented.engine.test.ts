/** docs/tables.md: it lists what is there, and what it asks is answered. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClickHouseWarehouse } from '../../../services/ports/warehouse/clickhouse.ts';
import type { SqlWarehouse } from '../../../services/ports/warehouse/warehouse.ts';
import { type EngineProcess, passwords, startEngineProcess } from './engine-process.ts';

const page = readFileSync(new URL('../../../docs/tables.md', import.meta.url), 'utf8');
const queries = [...page.matchAll(/```sql\n(.*?)```/gs)]
  .flatMap(([, block]) => block!.split(/;\n/))
  .map((query) => query.trim())
  .filter((query) => query !== '')
  .map((query) => ({ title: /^-- (.*)/.exec(query)![1]!, query }));

let engine: EngineProcess;
let warehouse: SqlWarehouse;
let analyst: SqlWarehouse;
beforeAll(async () => {
  engine = await startEngineProcess();
  warehouse = createClickHouseWarehouse({ url: engine.url, username: 'hookwatch', password: passwords.hookwatch });
  analyst = createClickHouseWarehouse({ url: engine.url, username: 'analyst', password: passwords.analyst });
  await warehouse.migrate();
});
afterAll(async () => {
  await Promise.all([warehouse.close(), analyst.close()]);
  await engine.dispose();
});

test('every view is listed, and no other', async () => {
  const rows = await warehouse.query<{ name: string }>(
    "SELECT name FROM system.tables WHERE database = 'hookwatch' AND engine = 'View' ORDER BY name",
  );
  const listed = [...page.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name!);
  expect(listed.toSorted()).toEqual(rows.map(({ name }) => name));
});

test('there are queries', () => {
  expect(queries.length).toBeGreaterThan(5);
});

test.each(queries)('an analyst may ask: $title', async ({ query }) => {
  expect(Array.isArray(await analyst.query(query))).toBe(true);
});
