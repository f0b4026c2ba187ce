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
import { connectLanes } from '../../services/kafka-lanes.ts';
import { createClickHouseWarehouse } from '../../services/ports/warehouse/clickhouse.ts';
import { startKafka } from '../kafka/broker.ts';
import { metricOf } from '../supervisor/installation.ts';
import { type ClusterProcess, createCluster } from './cluster.ts';
import { expectRows, expectSameSet, lastPositions, putOut, workOut } from './lanes.ts';
import { readLedger } from './ledger.ts';
import { startSender } from './provider.ts';

const tenants = ['amber', 'birch', 'cedar'];
const outageSeconds = Number(process.env.OUTAGE_SECONDS ?? 8);
const perSecond = 90;
const patience = { timeout: 90_000, interval: 100 };
const timeout = 300_000 + outageSeconds * 3_000;

test('Kafka and ClickHouse are away in turn, and an edge loses its disk', { timeout }, async () => {
  const kafka = await startKafka();
  onTestFinished(kafka.dispose);
  const cluster = createCluster({
    bootstrap: kafka.bootstrap,
    prefix: 'away',
    tenants,
    partitions: 2,
    env: {
      HOOKWATCH_KAFKA_SESSION_SECONDS: '6',
      HOOKWATCH_CHECKPOINT_SECONDS: '2',
      HOOKWATCH_CLICKHOUSE_PORT: String(await freePort()),
    },
  });
  onTestFinished(cluster.dispose);
  expect(await cluster.run(['topics', '--apply'])).toMatchObject({ code: 0 });
  let clickhouse = await cluster.start('clickhouse');
  const password = readFileSync(join(cluster.dataFolder(), 'secrets', 'hookwatch.password'), 'utf8').trim();
  const login = { CLICKHOUSE_URL: clickhouse.urls[0]!, CLICKHOUSE_USER: 'hookwatch', CLICKHOUSE_PASSWORD: password };
  const [one, two] = [await cluster.start('edge', { name: 'edge-1' }), await cluster.start('edge', { name: 'edge-2' })];
  const [sink, worker] = [await cluster.start('sink', { env: login }), await cluster.start('worker')];
  const page = await cluster.start('console', { env: { HOOKWATCH_WORKERS: worker.urls[0]! } });
  const ledgerFile = join(cluster.dataFolder(), 'sender.ledger');
  writeFileSync(ledgerFile, '');
  const sendTo = (edges: readonly ClusterProcess[], seed: number) =>
    startSender({
      edgeUrls: edges.map(({ urls }) => urls[0]!),
      tenants,
      keyFile: join(cluster.dataFolder(), 'demo', 'private.pem'),
      ledgerFile,
      perSecond,
      seed,
    });
  /** About so many seconds of traffic. */
  const traffic = async (seconds: number) => {
    const due = statSync(ledgerFile).size + seconds * perSecond * 120;
    await vi.waitUntil(() => statSync(ledgerFile).size >= due, { timeout: seconds * 4_000 + 60_000, interval: 50 });
  };
  const unforwarded = (edge: ClusterProcess) => metricOf(edge.urls[0]!, 'hookwatch_edge_unforwarded_records');
  const nothingWaits = (edge: ClusterProcess) =>
    vi.waitFor(async () => expect(await unforwarded(edge)).toBe(0), patience);
  const sender = sendTo([one, two], 1);
  await traffic(3);
  await nothingWaits(one);

  // Kafka away: both edges answer as before. Then one of them is gone for good, with what it had not sent.
  await kafka.kill(1, 'SIGKILL');
  await traffic(outageSeconds);
  expect(await unforwarded(one)).toBeGreaterThan(0);
  await sender.stop();
  const { answered, failed } = readLedger(ledgerFile);
  expect([...new Set([...answered.values()].map(({ status }) => status))].sort()).toEqual([202, 401]);
  expect(failed.size).toBe(0);
  await vi.waitFor(async () => expect(await unforwarded(two)).toBeGreaterThan(0), patience);
  await two.signal('SIGKILL');
  rmSync(cluster.dataFolder('edge-2'), { recursive: true });
  await kafka.start(1);
  await nothingWaits(one);

  // Its gap blocks nobody.
  const second = sendTo([one], 2);
  await traffic(2);
  const commands = {
    ...login,
    HOOKWATCH_EDGE_INTERNAL_PORT: new URL(one.urls[1]!).port,
    HOOKWATCH_WORKERS: worker.urls[0]!,
    HOOKWATCH_SINKS: sink.urls[0]!,
  };
  const retired = await cluster.run(['edge', 'retire', '--edge', 'edge-2', '--force'], commands);
  expect(retired).toMatchObject({ code: 0 });
  await clickhouse.signal('SIGKILL');
  await traffic(outageSeconds);
  clickhouse = await cluster.start('clickhouse');
  await traffic(2);
  await second.stop();
  const lanes = (await (await fetch(`${page.urls[0]}/lanes`)).json()) as Record<string, object>;
  expect(Object.keys(lanes).sort()).toEqual(tenants);
  expect(await one.signal('SIGTERM')).toBe(0);

  const log = connectLanes(loadConfig(cluster.env).kafka!, 'test', pino({ level: 'silent' }));
  onTestFinished(log.close);
  const ends = await lastPositions(log, tenants);
  const worked = async () =>
    (await (await fetch(`${worker.urls[0]}/lanes`)).json()) as Record<string, { position: number }>;
  await vi.waitFor(async () => {
    const positions = Object.entries(await worked()).map(([tenant, { position }]) => [tenant, position]);
    expect(Object.fromEntries(positions)).toEqual(ends);
    expect((await fetch(`${sink.urls[0]}/readyz`)).status).toBe(200);
    expect(await metricOf(sink.urls[0]!, 'hookwatch_sink_lag_records')).toBe(0);
  }, patience);
  const truth = await workOut(log, tenants);
  expectSameSet(await putOut(log), truth.emitted);
  const warehouse = createClickHouseWarehouse({ url: clickhouse.urls[0]!, username: 'hookwatch', password });
  onTestFinished(warehouse.close);
  await expectRows(warehouse, truth.rows);

  // What the commands say of it; a row less, and they say so; made anew, and it is there.
  expect(await cluster.run(['audit', '--values'], commands)).toMatchObject({ code: 0 });
  await warehouse.run("DELETE FROM hookwatch.events_rows WHERE type = 'centurylink.server.created'");
  const found = await cluster.run(['audit'], commands);
  expect(found.code, found.output).toBe(1);
  const rebuilt = await cluster.run(['rebuild'], commands);
  expect(rebuilt.code, rebuilt.output).toBe(0);
  const clean = await cluster.run(['audit', '--values'], commands);
  expect(clean.code, clean.output).toBe(0);
  await expectRows(warehouse, truth.rows);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
