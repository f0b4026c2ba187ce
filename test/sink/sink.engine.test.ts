import { expect, onTestFinished, test } from 'vitest';
import { createClickHouseWarehouse } from '../../services/ports/warehouse/clickhouse.ts';
import { passwords, startEngineProcess } from '../ports/warehouse/engine-process.ts';
import { everything, outputsOfALane, startSink } from './sink.ts';

/** The lane's time stands still in January 2026: its rows must not be too old, whenever this runs. */
const ttlDays = { deliveries: 10_000, facts: 10_000 };

test('a forced replay of everything leaves every count and checksum in ClickHouse as it was', async () => {
  const engine = await startEngineProcess();
  const warehouse = createClickHouseWarehouse({
    url: engine.url,
    username: 'hookwatch',
    password: passwords.hookwatch,
    ttlDays,
  });
  onTestFinished(async () => {
    await warehouse.close();
    await engine.dispose();
  });
  const views = ['deliveries', 'control', 'events', 'episodes', 'panes', 'detections', 'rejects'];
  const checksums = () =>
    Promise.all(
      views.map((view) =>
        warehouse.query(
          `SELECT '${view}' AS view, count() AS rows, groupBitXor(cityHash64(*)) AS sum FROM hookwatch.${view}`,
        ),
      ),
    );
  const outputs = await outputsOfALane(30);
  const first = startSink(outputs, warehouse);
  await first.untilWritten();
  await first.sink.stop();
  const before = await checksums();
  expect(before.flat().every((row) => Number(row.rows) > 0)).toBe(true);
  const rows = await everything(warehouse);
  for (const batchRecordsMax of [7, 1000]) {
    const again = startSink(outputs, warehouse, { batchRecordsMax });
    await again.untilWritten();
    await again.sink.stop();
  }
  expect(await checksums()).toEqual(before);
  expect(await everything(warehouse)).toEqual(rows);
});
