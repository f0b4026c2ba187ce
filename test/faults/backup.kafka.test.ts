/**
 * A backup that is taken under load, and what is left of an installation whose Kafka, ClickHouse, workers and one of two
 * edges are gone: everything that the backup has, at the positions that it had, and all that the other edge has taken in.
 */
import { hash } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type Manifest, parseManifest } from '../../services/commands/backup/manifest.ts';
import { loadConfig } from '../../services/config.ts';
import type { LaneStatus } from '../../services/core/flow/summary.ts';
import { connectLanes, type KafkaLanes } from '../../services/kafka-lanes.ts';
import { createClickHouseWarehouse } from '../../services/ports/warehouse/clickhouse.ts';
import type { SqlWarehouse } from '../../services/ports/warehouse/warehouse.ts';
import { startKafka } from '../kafka/broker.ts';
import { type Cluster, type ClusterProcess, createCluster } from './cluster.ts';
import { allOf, lastPositions, untilInClickHouse } from './lanes.ts';
import { readLedger } from './ledger.ts';
import { startSender } from './provider.ts';

const tenants = ['amber', 'birch', 'cedar'];
const partitions = 2;
const patience = { timeout: 120_000, interval: 100 };
const timing = { HOOKWATCH_KAFKA_SESSION_SECONDS: '6', HOOKWATCH_CHECKPOINT_SECONDS: '1' };

/** Worker, sink and ClickHouse; edges live longer. */
interface Rear {
  env: Record<string, string>;
  worker: ClusterProcess;
  sink: ClusterProcess;
  clickhouse: ClusterProcess;
}

async function startRear(
  cluster: Cluster,
  more: Record<string, string>,
  restore?: (env: Record<string, string>) => Promise<void>,
): Promise<Rear> {
  const clickhouse = await cluster.start('clickhouse', { env: more });
  const folder = more.HOOKWATCH_DATA ?? cluster.dataFolder();
  const password = readFileSync(join(folder, 'secrets', 'hookwatch.password'), 'utf8').trim();
  const login = { CLICKHOUSE_URL: clickhouse.urls[0]!, CLICKHOUSE_USER: 'hookwatch', CLICKHOUSE_PASSWORD: password };
  const env = { ...more, ...login };
  await restore?.(env);
  const sink = await cluster.start('sink', { env });
  const worker = await cluster.start('worker', { env });
  return {
    env: { ...env, HOOKWATCH_SINKS: sink.urls[0]!, HOOKWATCH_WORKERS: worker.urls[0]! },
    worker,
    sink,
    clickhouse,
  };
}

function connect(cluster: Cluster, more: Record<string, string> = {}): KafkaLanes {
  const lanes = connectLanes(loadConfig({ ...cluster.env, ...more }).kafka!, 'test', pino({ level: 'silent' }));
  onTestFinished(lanes.close);
  return lanes;
}

/** By partition and position: who it belongs to, and what it is. */
async function recordsOf(lanes: KafkaLanes): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let partition = 0; partition < partitions; partition++) {
    for await (const { position, key, frame } of allOf(lanes.records(partition))) {
      found.set(`${partition}/${position}`, `${key} ${hash('sha256', frame)}`);
    }
  }
  return found;
}

const lanesOf = async ({ urls }: ClusterProcess) =>
  (await (await fetch(`${urls[0]}/lanes`)).json()) as Record<string, LaneStatus & { producersBehind: number }>;

async function untilCheckpointsBehind(lanes: KafkaLanes, tenant: string, position: number): Promise<void> {
  const checkpoints = lanes.checkpoints(lanes.partitionOf(tenant));
  await vi.waitFor(
    async () => expect((await checkpoints.list(tenant)).at(-2) ?? -1).toBeGreaterThan(position),
    patience,
  );
}

async function untilStored(lanes: KafkaLanes, { worker, sink }: Rear): Promise<void> {
  const ends = await lastPositions(lanes, tenants);
  const positions = async () =>
    Object.fromEntries(Object.entries(await lanesOf(worker)).map(([tenant, { position }]) => [tenant, position]));
  await vi.waitFor(async () => expect(await positions()).toEqual(ends), patience);
  await untilInClickHouse(lanes, sink.urls);
}

/** One of the logs has lost its beginning to retention: the first lane's, and whatever shares its partition. */
async function trimOne(lanes: KafkaLanes): Promise<{ partition: number; first: number }> {
  const partition = lanes.partitionOf(tenants[0]!);
  const first = Math.floor((await lanes.records(partition).bounds()).next / 2);
  for (const tenant of tenants.filter((name) => lanes.partitionOf(name) === partition)) {
    await untilCheckpointsBehind(lanes, tenant, first);
  }
  await lanes.records(partition).trim(first);
  return { partition, first };
}

/** A provider, whose ledger lies beside the installation's data. */
function createProvider(cluster: Cluster) {
  const ledgerFile = join(cluster.dataFolder(), 'sender.ledger');
  const keyFile = join(cluster.dataFolder(), 'demo', 'private.pem');
  writeFileSync(ledgerFile, '');
  return {
    ledgerFile,
    send: (edges: ClusterProcess[], seed: number) =>
      startSender({
        edgeUrls: edges.map(({ urls }) => urls[0]!),
        tenants,
        keyFile,
        ledgerFile,
        perSecond: 120,
        seed,
        after: seed * 1_000_000,
      }),
    /** Resolves once about so much more was sent. */
    async traffic(bytes: number): Promise<void> {
      const due = statSync(ledgerFile).size + bytes;
      await vi.waitUntil(() => statSync(ledgerFile).size >= due, patience);
    },
  };
}

/** Restores into topics and a ClickHouse that are new; both refuse it where they are not. */
async function restoreElsewhere(
  cluster: Cluster,
  folder: string,
  moved: Record<string, string>,
  check: (lanes: KafkaLanes) => Promise<void>,
): Promise<{ rear: Rear; lanes: KafkaLanes }> {
  const restore = (env: Record<string, string>) => cluster.run(['restore', folder], env);
  expect(await restore(moved)).toMatchObject({
    code: 1,
    output: expect.stringContaining('first.records is not there: run hookwatch topics --apply'),
  });
  expect(await cluster.run(['topics', '--apply'], moved)).toMatchObject({ code: 0 });
  const lanes = connect(cluster, moved);
  const rear = await startRear(cluster, moved, async (env) => {
    expect(await restore(env)).toMatchObject({ code: 0 });
    await check(lanes);
    expect(await restore(env)).toMatchObject({
      code: 1,
      output: expect.stringMatching(/first\.records has had \d+ records\n.*hookwatch\.deliveries_rows/s),
    });
  });
  return { rear, lanes };
}

test('a backup under load outlives Kafka, ClickHouse and an edge', { timeout: 600_000 }, async () => {
  const kafka = await startKafka();
  onTestFinished(kafka.dispose);
  const cluster = createCluster({ bootstrap: kafka.bootstrap, prefix: 'first', tenants, partitions, env: timing });
  onTestFinished(cluster.dispose);
  expect(await cluster.run(['topics', '--apply'])).toMatchObject({ code: 0 });
  const before = await startRear(cluster, {});
  const kept = await cluster.start('edge', { name: 'edge-1' });
  const lost = await cluster.start('edge', { name: 'edge-2' });
  const { send, traffic, ledgerFile } = createProvider(cluster);
  const sender = send([kept, lost], 1);
  await traffic(40_000);
  const lanes = connect(cluster);
  const trimmed = await trimOne(lanes);
  const folder = join(cluster.dataFolder(), 'backups', 'monday');
  const beganAt = Date.now();
  expect(await cluster.run(['backup', folder], before.env)).toMatchObject({ code: 0 });
  const manifest = parseManifest(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  expect(manifest.logs).toContainEqual(expect.objectContaining(trimmed));
  await traffic(40_000);
  await sender.stop();
  const records = await recordsOf(lanes);

  // A disaster. Only one edge is left, and takes deliveries in while nothing is behind it.
  for (const part of [before.worker, before.sink, before.clickhouse, lost]) await part.signal('SIGKILL');
  rmSync(cluster.dataFolder('edge-2'), { recursive: true });
  await lanes.close();
  await kafka.dispose();
  const meanwhile = send([kept], 2);
  await traffic(15_000);
  const other = await startKafka();
  onTestFinished(other.dispose);
  const there = { HOOKWATCH_KAFKA_BROKERS: other.bootstrap.join(',') };
  const moved = { ...there, HOOKWATCH_DATA: cluster.dataFolder('anew') };
  const check = (restored: KafkaLanes) => expectSameRecords(restored, records, manifest);
  const after = await restoreElsewhere(cluster, folder, moved, check);
  await meanwhile.stop();
  expect(await kept.signal('SIGTERM')).toBe(0);
  const again = await cluster.start('edge', { name: 'edge-1', env: there });
  const last = send([again], 3);
  await traffic(15_000);
  await last.stop();
  const warehouse = openWarehouse(after.rear);
  await vi.waitFor(() => expectAllOfTheEdgeThatIsLeft(warehouse, ledgerFile, beganAt), patience);
  expect(await again.signal('SIGTERM')).toBe(0);
  await untilStored(after.lanes, after.rear);
  for (const lane of Object.values(await lanesOf(after.rear.worker))) {
    expect(lane).toMatchObject({ stopped: '', producersBehind: 0 });
  }
  expect(await cluster.run(['audit', '--values'], after.rear.env)).toMatchObject({
    code: 0,
    output: expect.stringMatching(/(\w+: equal in every value.*){3}/s),
  });
});

/** Each at its position, for as far as the backup goes. */
async function expectSameRecords(
  lanes: KafkaLanes,
  before: ReadonlyMap<string, string>,
  { logs }: Manifest,
): Promise<void> {
  const found = await recordsOf(lanes);
  const wanted = new Map(
    [...before].filter(([place]) => {
      const [partition, position] = place.split('/').map(Number);
      return position! < logs[partition!]!.next;
    }),
  );
  expect(wanted.size).toBeGreaterThan(500);
  expect(found).toEqual(wanted);
  for (const { partition, first, next } of logs) {
    expect(await lanes.records(partition).bounds()).toEqual({ first, next });
  }
}

/**
 * Nothing that the first edge has promised is missing. What the other one took in after the backup had begun, and what was
 * still on its way then, is lost with its disk.
 */
async function expectAllOfTheEdgeThatIsLeft(
  warehouse: SqlWarehouse,
  ledgerFile: string,
  beganAt: number,
): Promise<void> {
  const rows = await warehouse.query<{ id: string; boot: string }>('SELECT id, boot FROM hookwatch.deliveries');
  const boots = await warehouse.query<{ boot: string; edge: string }>(
    "SELECT boot, edge FROM hookwatch.control WHERE kind = 'boot'",
  );
  const lostEdge = new Set(boots.filter(({ edge }) => edge === 'edge-2').map(({ boot }) => boot));
  const stored = new Set(rows.map(({ id }) => id));
  const promised = [...readLedger(ledgerFile).answered.values()].filter(({ status }) => status === 202);
  const missing = promised.filter(({ id }) => !stored.has(id));
  const unexpected = missing.filter(({ id }) => {
    const [received, boot] = id.split('-');
    return !lostEdge.has(boot!) || Number.parseInt(received!, 16) < beganAt;
  });
  expect({ unexpected: unexpected.length, some: unexpected.slice(0, 3) }).toEqual({ unexpected: 0, some: [] });
  expect(missing.length).toBeGreaterThan(20);
  expect(stored.size).toBe(rows.length);
  expect(promised.length - missing.length).toBeGreaterThan(500);
}

function openWarehouse({ env }: Rear): SqlWarehouse {
  const warehouse = createClickHouseWarehouse({
    url: env.CLICKHOUSE_URL!,
    username: env.CLICKHOUSE_USER!,
    password: env.CLICKHOUSE_PASSWORD!,
  });
  onTestFinished(warehouse.close);
  return warehouse;
}
