import { afterAll, beforeAll, describe } from 'vitest';
import { createClickHouseWarehouse } from '../../../services/ports/warehouse/clickhouse.ts';
import { describeWarehouse } from './contract.ts';
import { type EngineProcess, passwords, startEngineProcess } from './engine-process.ts';

describe('with the embedded engine', () => {
  let engine: EngineProcess;
  beforeAll(async () => {
    engine = await startEngineProcess();
  });
  afterAll(() => engine.dispose());

  const open = async () =>
    createClickHouseWarehouse({ url: engine.url, username: 'hookwatch', password: passwords.hookwatch });
  describeWarehouse('ClickHouse warehouse', open, async () => {
    await engine.restart();
    return open();
  });
});
