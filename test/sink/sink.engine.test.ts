import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createClickHouseWarehouse } from '../../services/ports/warehouse/clickhouse.ts';
import { tableOf, viewOf } from '../../services/ports/warehouse/tables.ts';
import { passwords, startEngineProcess } from '../ports/warehouse/engine-process.ts';
import { everything, kinds, outputsOfALane, startSink } from './sink.ts';

/** The lane's time stands still in January 2026: its rows must not be too old, whenever this runs. */
const ttlDays = { deliveries: 10_000, facts: 10_000 };

async function openEngine() {
  const engine = await startEngineProcess({ port: await freePort() });
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
  return { engine, warehouse };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test('a forced replay of everything leaves every count and checksum in ClickHouse as it was', async () => {
  const { warehouse } = await openEngine();
  const checksums = () =>
    Promise.all(
      kinds.map((kind) =>
        warehouse.query(
          `SELECT '${kind}' AS kind, count() AS rows, groupBitXor(cityHash64(*)) AS sum FROM ${viewOf[kind]}`,
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

test('what ClickHouse loses in a restart between two inserts is written again', async () => {
  const { engine, warehouse } = await openEngine();
  const { sink, metrics, untilWritten } = startSink(await outputsOfALane(), warehouse);
  await untilWritten();
  const rows = await everything(warehouse);
  // As if its inserts had not been on its disk yet.
  await warehouse.run(`TRUNCATE TABLE ${tableOf('event')}`);
  await engine.restart();
  await vi.waitFor(async () => expect(await everything(warehouse)).toEqual(rows), 20_000);
  expect((await metrics.retries.get()).values).toEqual([]);
  expect(sink.troubles()).toEqual([]);
});
