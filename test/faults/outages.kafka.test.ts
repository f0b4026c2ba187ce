/**
 * Kafka away, ClickHouse away, an edge that loses its disk meanwhile, and the commands that look after it all. By hand
 * with OUTAGE_SECONDS=180 for minutes.
 */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pino from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { loadConfig } from '../../services/config.ts';
import { connectLanes, type KafkaLanes } from '../../services/kafka-lanes.ts';
import { createClickHouseWarehouse } from '../../services/ports/warehouse/clickhouse.ts';
import { startKafka } from '../kafka/broker.ts';
import { metricOf } from '../supervisor/installation.ts';
import { type ClusterProcess, createCluster } from './cluster.ts';
import { expectRows, expectSameSet, lastPositions, putOut, untilInClickHouse, workOut } from './lanes.ts';
import { readLedger } from './ledger.ts';
import { startSender } from './provider.ts';

const tenants = ['amber', 'birch', 'cedar'];
const outageSeconds = Number(process.env.OUTAGE_SECONDS ?? 8);
const perSecond = 90;
const patience = { timeout: 90_000, interval: 100 };
const timeout = 300_000 + outageSeconds * 3_000;

test('Kafka and ClickHouse are away in turn, and an edge loses its disk', { timeout }, async () => {
  const parts = await startParts();
  const { cluster, one, sink, worker, page, login } = parts;
  await loseKafkaAndADisk(parts);
  const commands = {
    ...login,
    HOOKWATCH_EDGE_INTERNAL_PORT: new URL(one.urls[1]!).port,
    HOOKWATCH_WORKERS: worker.urls[0]!,
    HOOKWATCH_SINKS: sink.urls[0]!,
  };
  const clickhouse = await loseClickHouse(parts, async () => {
    // Whatever is missing of the edge that is gone blocks nobody; from here on nobody waits for it either.
    const retired = await cluster.run(['edge', 'retire', '--edge', 'edge-2', '--force'], commands);
    expect(retired.code, retired.output).toBe(0);
  });
  const lanes = (await (await fetch(`${page.urls[0]}/lanes`)).json()) as Record<string, object>;
  expect(Object.keys(lanes).sort()).toEqual(tenants);
  expect(await one.signal('SIGTERM')).toBe(0);

  const log = connectLanes(loadConfig(cluster.env).kafka!, 'test', pino({ level: 'silent' }));
  onTestFinished(log.close);
  await untilStored(parts, log);
  const truth = await workOut(log, tenants);
  expectSameSet(await putOut(log), truth.emitted);
  const warehouse = createClickHouseWarehouse({
    url: clickhouse.urls[0]!,
    username: 'hookwatch',
    password: login.CLICKHOUSE_PASSWORD,
  });
  onTestFinished(warehouse.close);
  await expectRows(warehouse, truth.rows);

  // What the commands say of it; some rows less, and they say so; made anew, and those are there.
  const run = async (...args: string[]) => {
    const { code, output } = await cluster.run(args, commands);
    return code === 0 ? 'done' : output;
  };
  expect(await run('audit', '--values')).toBe('done');
  await warehouse.run("DELETE FROM hookwatch.events_rows WHERE type = 'centurylink.server.created'");
  expect(await run('audit')).toContain('missing');
  expect(await run('rebuild')).toBe('done');
  expect(await run('audit', '--values')).toBe('done');
  await expectRows(warehouse, truth.rows);
});

type Parts = Awaited<ReturnType<typeof startParts>>;

async function startParts() {
  const kafka = await startKafka();
  onTestFinished(kafka.dispose);
  const env = {
    HOOKWATCH_KAFKA_SESSION_SECONDS: '6',
    HOOKWATCH_CHECKPOINT_SECONDS: '2',
    HOOKWATCH_CLICKHOUSE_PORT: String(await freePort()),
  };
  const cluster = createCluster({ bootstrap: kafka.bootstrap, prefix: 'away', tenants, partitions: 2, env });
  onTestFinished(cluster.dispose);
  expect(await cluster.run(['topics', '--apply'])).toMatchObject({ code: 0 });
  const clickhouse = await cluster.start('clickhouse');
  const password = readFileSync(join(cluster.dataFolder(), 'secrets', 'hookwatch.password'), 'utf8').trim();
  const login = { CLICKHOUSE_URL: clickhouse.urls[0]!, CLICKHOUSE_USER: 'hookwatch', CLICKHOUSE_PASSWORD: password };
  const [one, two] = [await cluster.start('edge', { name: 'edge-1' }), await cluster.start('edge', { name: 'edge-2' })];
  const [sink, worker] = [await cluster.start('sink', { env: login }), await cluster.start('worker')];
  const page = await cluster.start('console', { env: { HOOKWATCH_WORKERS: worker.urls[0]! } });
  const ledgerFile = join(cluster.dataFolder(), 'sender.ledger');
  writeFileSync(ledgerFile, '');
  return {
    ...{ kafka, cluster, clickhouse, login, one, two, sink, worker, page, ledgerFile },
    sendTo: (edges: readonly ClusterProcess[], seed: number) =>
      startSender({
        edgeUrls: edges.map(({ urls }) => urls[0]!),
        tenants,
        keyFile: join(cluster.dataFolder(), 'demo', 'private.pem'),
        ledgerFile,
        perSecond,
        seed,
      }),
    /** Resolves after about so many seconds of traffic. */
    async traffic(seconds: number) {
      const due = statSync(ledgerFile).size + seconds * perSecond * 120;
      await vi.waitUntil(() => statSync(ledgerFile).size >= due, { timeout: seconds * 4_000 + 60_000, interval: 50 });
    },
  };
}

/** Both edges answer as before; then one of them is gone for good, with what it had not sent. */
async function loseKafkaAndADisk({ kafka, cluster, one, two, sendTo, traffic, ledgerFile }: Parts): Promise<void> {
  const unforwarded = (edge: ClusterProcess) => metricOf(edge.urls[0]!, 'hookwatch_edge_unforwarded_records');
  const untilForwarded = () => vi.waitFor(async () => expect(await unforwarded(one)).toBe(0), patience);
  const sender = sendTo([one, two], 1);
  await traffic(3);
  await untilForwarded();
  await kafka.kill(1, 'SIGKILL');
  await traffic(outageSeconds);
  for (const edge of [one, two]) expect(await unforwarded(edge)).toBeGreaterThan(0);
  await sender.stop();
  const { answered, failed } = readLedger(ledgerFile);
  expect([...new Set([...answered.values()].map(({ status }) => status))].sort()).toEqual([202, 401]);
  expect(failed.size).toBe(0);
  await two.signal('SIGKILL');
  rmSync(cluster.dataFolder('edge-2'), { recursive: true });
  await kafka.start(1);
  await untilForwarded();
}

/** Resolves to the ClickHouse that is back. */
async function loseClickHouse(parts: Parts, meanwhile: () => Promise<void>): Promise<ClusterProcess> {
  const { cluster, clickhouse, one, sendTo, traffic } = parts;
  const sender = sendTo([one], 2);
  await traffic(2);
  await meanwhile();
  await clickhouse.signal('SIGKILL');
  await traffic(outageSeconds);
  const back = await cluster.start('clickhouse');
  await traffic(2);
  await sender.stop();
  return back;
}

async function untilStored({ worker, sink }: Parts, log: KafkaLanes): Promise<void> {
  const ends = await lastPositions(log, tenants);
  await vi.waitFor(async () => {
    const lanes = (await (await fetch(`${worker.urls[0]}/lanes`)).json()) as Record<string, { position: number }>;
    const positions = Object.entries(lanes).map(([tenant, { position }]) => [tenant, position]);
    expect(Object.fromEntries(positions)).toEqual(ends);
    expect((await fetch(`${sink.urls[0]}/readyz`)).status).toBe(200);
  }, patience);
  await untilInClickHouse(log, sink.urls);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
