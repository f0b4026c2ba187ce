/**
 * One worker, then three, then one again, under load; one of them stopped for longer than its group waits, and going on
 * as if nothing had happened. Whoever worked on a lane, and however many at once: the same outputs.
 */
import { randomInt } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { loadConfig } from '../../services/config.ts';
import { connectLanes } from '../../services/kafka-lanes.ts';
import { createClickHouseWarehouse } from '../../services/ports/warehouse/clickhouse.ts';
import { startKafka } from '../kafka/broker.ts';
import { type ClusterProcess, createCluster } from './cluster.ts';
import { expectRows, expectSameSet, lastPositions, putOut, untilInClickHouse, workOut } from './lanes.ts';
import { findContradictions, readLedger } from './ledger.ts';
import { startSender } from './provider.ts';

const tenants = ['amber', 'birch', 'cedar', 'dune', 'ember', 'fjord'];
const patience = { timeout: 60_000, interval: 100 };

test('1 → 3 → 1 workers under load, one of them stopped beyond its session', { timeout: 300_000 }, async () => {
  const seed = Number(process.env.CRASH_SEED ?? randomInt(2 ** 31));
  console.log(`CRASH_SEED=${seed}`);
  const kafka = await startKafka();
  onTestFinished(kafka.dispose);
  const env = { HOOKWATCH_KAFKA_SESSION_SECONDS: '6', HOOKWATCH_CHECKPOINT_SECONDS: '2' };
  const cluster = createCluster({ bootstrap: kafka.bootstrap, prefix: 'shared', tenants, partitions: 4, env });
  onTestFinished(cluster.dispose);
  expect(await cluster.run(['topics', '--apply'])).toMatchObject({ code: 0 });
  const clickhouse = await cluster.start('clickhouse');
  const password = readFileSync(join(cluster.dataFolder(), 'secrets', 'hookwatch.password'), 'utf8').trim();
  const login = { CLICKHOUSE_URL: clickhouse.urls[0]!, CLICKHOUSE_USER: 'hookwatch', CLICKHOUSE_PASSWORD: password };
  const edges = [await cluster.start('edge', { name: 'edge-1' }), await cluster.start('edge', { name: 'edge-2' })];
  const sinks = [await cluster.start('sink', { env: login }), await cluster.start('sink', { env: login })];
  const a = await cluster.start('worker');
  const ledgerFile = join(cluster.dataFolder(), 'sender.ledger');
  writeFileSync(ledgerFile, '');
  const sender = startSender({
    edgeUrls: edges.map(({ urls }) => urls[0]!),
    tenants,
    keyFile: join(cluster.dataFolder(), 'demo', 'private.pem'),
    ledgerFile,
    perSecond: 150,
    seed,
  });
  /** So much more has been sent. */
  const traffic = async (bytes = 30_000) => {
    const due = statSync(ledgerFile).size + bytes;
    await vi.waitUntil(() => statSync(ledgerFile).size >= due, patience);
  };
  await untilShared([a]);
  await traffic();
  const [b, c] = [await cluster.start('worker'), await cluster.start('worker')];
  await untilShared([a, b, c]);
  await traffic();
  await b.signal('SIGSTOP');
  await untilShared([a, c]);
  await traffic();
  await b.signal('SIGCONT');
  await untilShared([a, b, c]);
  await traffic();
  await c.signal('SIGKILL');
  await untilShared([a, b]);
  await traffic();
  expect(await a.signal('SIGTERM')).toBe(0);
  await untilShared([b]);
  await traffic();
  await sender.stop();
  // They bring into the lanes what they have taken in.
  for (const edge of edges) expect(await edge.signal('SIGTERM')).toBe(0);

  const lanes = connectLanes(loadConfig(cluster.env).kafka!, 'test', pino({ level: 'silent' }));
  onTestFinished(lanes.close);
  const ends = await lastPositions(lanes, tenants);
  await vi.waitFor(async () => expect(positionsIn(await lanesOf(b))).toEqual(ends), patience);
  await untilInClickHouse(lanes, sinks.map(({ urls }) => urls[0]!)); // biome-ignore format: one thought

  const truth = await workOut(lanes, tenants);
  expectSameSet(await putOut(lanes), truth.emitted);
  const warehouse = createClickHouseWarehouse({ url: clickhouse.urls[0]!, username: 'hookwatch', password });
  onTestFinished(warehouse.close);
  await expectRows(warehouse, truth.rows);
  const rows = await warehouse.query<{ id: string; sha256: string }>(
    'SELECT id, lower(hex(SHA256(body))) AS sha256 FROM hookwatch.deliveries',
  );
  expect(rows.length).toBe(truth.deliveries);
  const ledger = readLedger(ledgerFile);
  console.log(`${ledger.sent.size} sent, ${rows.length} stored, ${truth.emitted.size} outputs`);
  expect(findContradictions(ledger, rows).slice(0, 10)).toEqual([]);
});

type Lanes = Record<string, { position?: number; stopped: string }>;

async function lanesOf({ urls }: ClusterProcess): Promise<Lanes> {
  return (await fetch(`${urls[0]}/lanes`)).json() as Promise<Lanes>;
}

function positionsIn(lanes: Lanes): Record<string, number | undefined> {
  return Object.fromEntries(Object.entries(lanes).map(([tenant, { position }]) => [tenant, position]));
}

/** Every lane is worked on by one of the workers, and each of them has some. */
async function untilShared(workers: readonly ClusterProcess[]): Promise<void> {
  await vi.waitFor(async () => {
    const shares = await Promise.all(workers.map(lanesOf));
    const worked = shares.map((lanes) => Object.keys(lanes).filter((tenant) => lanes[tenant]?.stopped === ''));
    expect(worked.flat().sort()).toEqual(tenants);
    expect(worked.filter((lanes) => lanes.length === 0)).toEqual([]);
  }, patience);
}
