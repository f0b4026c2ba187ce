import { createClickHouseWarehouse } from '../../services/ports/warehouse/clickhouse.ts';
import type { Warehouse } from '../../services/ports/warehouse/warehouse.ts';
import { passwords, startEngineProcess } from '../ports/warehouse/engine-process.ts';

/** The lane's time stands still in January 2026: its rows must not be too old, whenever this runs. */
const ttlDays = { deliveries: 10_000, facts: 10_000 };

/** A ClickHouse of the test's own, empty. */
export async function openClickHouse(): Promise<{ warehouse: Warehouse; close(): Promise<void> }> {
  const engine = await startEngineProcess();
  const warehouse = createClickHouseWarehouse({
    url: engine.url,
    username: 'hookwatch',
    password: passwords.hookwatch,
    ttlDays,
  });
  return {
    warehouse,
    async close() {
      await warehouse.close();
      await engine.dispose();
    },
  };
}
