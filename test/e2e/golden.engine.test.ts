import { createClickHouseWarehouse } from '../../services/ports/warehouse/clickhouse.ts';
import { passwords, startEngineProcess } from '../ports/warehouse/engine-process.ts';
import { goldenSuite } from './golden.ts';

/** The lane's time stands still in January 2026: its rows must not be too old, whenever this runs. */
const ttlDays = { deliveries: 10_000, facts: 10_000 };

goldenSuite('ClickHouse', async () => {
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
});
