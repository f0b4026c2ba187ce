import { createClickHouseWarehouse } from '../../services/ports/warehouse/clickhouse.ts';
import { passwords, startEngineProcess } from '../ports/warehouse/engine-process.ts';
import { goldenSuite } from './golden.ts';

goldenSuite('ClickHouse', async () => {
  const engine = await startEngineProcess();
  const warehouse = createClickHouseWarehouse({
    url: engine.url,
    username: 'hookwatch',
    password: passwords.hookwatch,
  });
  return {
    warehouse,
    async close() {
      await warehouse.close();
      await engine.dispose();
    },
  };
});
