/** What doctor asks in SQL, asked of ClickHouse. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkDeliveries, checkReconciliation } from '../../../services/commands/doctor/installation.ts';
import { createClickHouseWarehouse } from '../../../services/ports/warehouse/clickhouse.ts';
import type { SqlWarehouse } from '../../../services/ports/warehouse/warehouse.ts';
import { endpoint, tenant } from '../../edge/fixture.ts';
import { insertValues } from '../../ports/warehouse/contract.ts';
import { type EngineProcess, passwords, startEngineProcess } from '../../ports/warehouse/engine-process.ts';
import { fixture } from '../../ports/warehouse/records.ts';

let engine: EngineProcess;
let warehouse: SqlWarehouse;

beforeAll(async () => {
  engine = await startEngineProcess();
  const access = { username: 'hookwatch', password: passwords.hookwatch };
  warehouse = createClickHouseWarehouse({ url: engine.url, ...access, ttlDays: { deliveries: 9_999, facts: 9_999 } });
  await warehouse.migrate();
});
afterAll(async () => {
  await warehouse.close();
  await engine.dispose();
});

test('deliveries are counted for each endpoint; recovered ones are no calls', async () => {
  const common = { tenant: 'northwind', origin: 'webhook', verdict: 'verified', verdict_reason: '' } as const;
  const wrong = { verdict: 'rejected', verdict_reason: 'signature mismatch' } as const;
  await insertValues(warehouse, 'delivery', [
    fixture('delivery', { ...common, id: 'a', endpoint: 'called', received_at: Date.UTC(2026, 0, 1) }),
    fixture('delivery', { ...common, ...wrong, id: 'b', endpoint: 'called', received_at: Date.UTC(2026, 0, 2) }),
    fixture('delivery', { ...common, ...wrong, id: 'c', endpoint: 'refused' }),
    fixture('delivery', { ...common, ...wrong, id: 'd', endpoint: 'refused' }),
    fixture('delivery', { ...common, id: 'e', endpoint: 'silent', origin: 'reconcile' }),
    fixture('delivery', { ...common, id: 'f', endpoint: 'of-yesterday' }),
  ]);
  const endpoints = ['called', 'refused', 'silent'].map((name) => endpoint({ name }));
  expect(await checkDeliveries(warehouse, [tenant({ endpoints })])).toMatchObject([
    { status: 'ok', what: '1 of 3 endpoints were called, last at 2026-01-01 00:00:00.000 UTC' },
    { status: 'fail', what: 'northwind/refused: all 2 deliveries were rejected: signature mismatch' },
    { status: 'warn', what: 'never called yet: northwind/silent' },
  ]);
});

test('the last complete reconciliation of each account counts', async () => {
  expect(await checkReconciliation(warehouse)).toMatchObject([{ status: 'ok', what: /no account was compared/ }]);
  const hoursAgo = (hours: number) => Date.now() - hours * 3_600_000 - 60_000;
  const row = (id: string, account: string, hours: number, complete = true) =>
    fixture('reconciliation', { tenant: 'northwind', id, account, completed_at: hoursAgo(hours), complete });
  await insertValues(warehouse, 'reconciliation', [
    row('1', 'centurylink:NEW', 90),
    row('2', 'centurylink:NEW', 35),
    row('3', 'centurylink:OLD', 50),
    row('4', 'centurylink:OLD', 1, false),
  ]);
  expect(await checkReconciliation(warehouse)).toMatchObject([
    { status: 'warn', what: 'centurylink:OLD was compared 50 h ago' },
  ]);
});
