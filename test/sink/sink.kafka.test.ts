/** The sink over a real broker: it begins where its group has committed, and nothing that goes away loses a row. */
import { pino } from 'pino';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { connectLanes } from '../../services/kafka-lanes.ts';
import { consumedBySinks } from '../../services/kafka-parts.ts';
import { wantedTopics } from '../../services/ports/log/topics.ts';
import { createMemoryWarehouse } from '../../services/ports/warehouse/memory.ts';
import { type Warehouse, WarehouseError } from '../../services/ports/warehouse/warehouse.ts';
import type { SinkOptions } from '../../services/sink/sink.ts';
import { startKafka, type TestKafka } from '../kafka/broker.ts';
import { everything, outputsOfALane, startSink } from './sink.ts';

let broker: TestKafka;
beforeAll(async () => {
  broker = await startKafka();
});
afterAll(() => broker?.dispose());

let installations = 0;

/** Topics of their own on the broker, with the outputs of a lane in them. */
async function openInstallation() {
  const settings = {
    ...{ brokers: broker.bootstrap, prefix: `sinks-${installations++}`, partitions: 2, replication: 1 },
    ...{ minInSyncReplicas: 1, recordsRetentionMs: 3_600_000, outputsRetentionMs: 3_600_000 },
    ...{ sessionTimeoutMs: 30_000, tls: false, sasl: undefined },
  };
  const lanes = connectLanes(settings, 'test', pino({ level: 'silent' }));
  onTestFinished(lanes.close);
  await lanes.kafka.admin.create(wantedTopics(settings));
  const outputs = await (await outputsOfALane()).read(0, { records: 1e6, bytes: 1e9 });
  const append = () => vi.waitFor(() => lanes.outputs(0).append(outputs), { timeout: 20_000 });
  await append();
  return {
    lanes,
    append,
    outputs,
    /** How far the sinks have committed, over all topics of the partition. */
    async committed() {
      const logs = lanes.outputLogs(0);
      const positions = logs.map(({ topic }) => lanes.kafka.committed(`${settings.prefix}.sinks`, topic));
      return (await Promise.all(positions)).reduce((sum, found) => sum + (found.get(0) ?? 0), 0);
    },
    sink(warehouse: Warehouse, more: Partial<SinkOptions> = {}) {
      const sources = [0, 1].flatMap((partition) => consumedBySinks(lanes, settings, partition));
      const logs = Object.fromEntries(sources.map(({ name, log }) => [name, log]));
      return startSink(logs, warehouse, { batchAgeMsMax: 50, ...more });
    },
  };
}

/** A warehouse that counts rows, replays included, and is away while it is told to be. */
function observed() {
  const memory = createMemoryWarehouse();
  const state = { rows: 0, away: false };
  const warehouse: Warehouse = {
    ...memory,
    async insert(kind, schemaId, bodies) {
      if (state.away) throw new WarehouseError('WAREHOUSE_UNAVAILABLE', 'away');
      await memory.insert(kind, schemaId, bodies);
      state.rows += bodies.length;
    },
  };
  return { warehouse, state };
}

const untilRows = (state: { rows: number }, rows: number) =>
  expect.poll(() => state.rows, { timeout: 30_000, interval: 20 }).toBeGreaterThanOrEqual(rows);

async function expectedRows() {
  const warehouse = createMemoryWarehouse();
  await startSink(await outputsOfALane(), warehouse).untilWritten();
  return everything(warehouse);
}

test('what ClickHouse has had for long enough is committed, and another sink begins there', async () => {
  const { sink, committed, append, outputs } = await openInstallation();
  const [one, other] = [observed(), observed()];
  const first = sink(one.warehouse, { keepMs: 1 });
  await untilRows(one.state, outputs.length);
  await expect.poll(committed, { timeout: 20_000 }).toBe(outputs.length);
  expect(await everything(one.warehouse)).toEqual(await expectedRows());
  await first.sink.stop();
  await append();
  const second = sink(other.warehouse);
  await untilRows(other.state, outputs.length);
  await second.sink.stop();
  expect(other.state.rows).toBe(outputs.length);
});

test('what it has not had for so long is written again, by whichever sink comes next', async () => {
  const { sink, committed, outputs } = await openInstallation();
  for (const _ of [1, 2]) {
    const { warehouse, state } = observed();
    const { sink: running } = sink(warehouse);
    await untilRows(state, outputs.length);
    await running.stop();
  }
  expect(await committed()).toBe(0);
});

test('ClickHouse goes and comes back: nothing is lost, and what was written shortly before is written again', async () => {
  const { sink, append, outputs } = await openInstallation();
  const { warehouse, state } = observed();
  const { sink: running } = sink(warehouse);
  await untilRows(state, outputs.length);
  state.away = true;
  await append();
  await vi.waitFor(() => expect(running.troubles()).toContainEqual(expect.stringContaining('away')), 20_000);
  state.away = false;
  // At least a row in the round that had failed, and then all of them from the beginning.
  await untilRows(state, 3 * outputs.length + 1);
  await vi.waitFor(() => expect(running.troubles()).toEqual([]));
  expect(await everything(warehouse)).toEqual(await expectedRows());
});

test('Kafka goes and comes back: the sink says so, and goes on', async () => {
  const { sink, append, outputs } = await openInstallation();
  const { warehouse, state } = observed();
  const { sink: running } = sink(warehouse);
  await untilRows(state, outputs.length);
  await broker.kill(1, 'SIGKILL');
  await vi.waitFor(() => expect(running.troubles().length).toBeGreaterThan(0), 30_000);
  await broker.start(1);
  await append();
  await untilRows(state, 2 * outputs.length);
  await vi.waitFor(() => expect(running.troubles()).toEqual([]), 20_000);
});
