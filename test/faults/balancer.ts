/** Two edges behind Caddy, under deliveries that come in bursts, each sent once: what became of every one of them. */
import { createHash } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import { decode } from '../../services/core/records/codec.ts';
import { createSqliteLog } from '../../services/ports/log/sqlite.ts';
import { claimPorts } from '../../services/supervisor/ports.ts';
import { type Caddy, startCaddy } from '../compose/caddy.ts';
import { type Cluster, type ClusterProcess, createCluster } from './cluster.ts';
import { readLedger, type SenderLedger } from './ledger.ts';
import { startSender } from './provider.ts';

export const names = ['edge-1', 'edge-2'] as const;
export type EdgeName = (typeof names)[number];

export interface Balanced {
  caddy: Caddy;
  /** `host:port`, the same after every start. */
  address: Record<EdgeName, string>;
  /** Starts an edge on its data; resolves when it takes deliveries in. */
  start(name: EdgeName): Promise<void>;
  /** Resolves when the edge has ended, if it is a signal that ends it. */
  signal(name: EdgeName, signal: NodeJS.Signals): Promise<unknown>;
  /** Resolves within a burst, once about so many more deliveries have been sent and answered. */
  pass(deliveries: number): Promise<void>;
}

export interface Outcome extends SenderLedger {
  /** What is on the disks, by the SHA-256 of the body: how often. */
  stored: Map<string, number>;
  /** Numbers of the deliveries that were neither taken in nor found to be forged, with what became of them. */
  lost: Map<number, string>;
  /** Deliveries that were answered 202 and are on no disk. */
  missing: number[];
  /** Records beyond the first one of a delivery. */
  duplicates: number;
}

const tenant = 'northwind';
const perSecond = 200;
/** Linux' memory: a disk that others keep busy for a second has an edge answer 503, rightly, which is not what is tried here. */
const memoryFolder = '/dev/shm';
/** Of a delivery in the sender's ledger, both lines. */
const ledgerBytes = 130;

/** Sends while `disturb` does its worst, ends everything, and reads the journals. `change` makes another Caddyfile. */
export async function sendThrough(
  disturb: (balanced: Balanced) => Promise<void>,
  change?: (caddyfile: string) => string,
): Promise<Outcome> {
  // Without brokers the journal is the lane; nobody works on it here, so nothing is trimmed.
  const env = { HOOKWATCH_KAFKA_BROKERS: '', HOOKWATCH_REJECTED_PER_MINUTE: '100000', HOOKWATCH_LOG_LEVEL: 'warn' };
  const cluster = createCluster({ bootstrap: [], prefix: 'none', tenants: [tenant], env, parentFolder: memoryFolder });
  onTestFinished(cluster.dispose);
  const edges = await startEdges(cluster);
  const caddy = await startCaddy(Object.values(edges.address), change);
  const ledgerFile = join(cluster.dataFolder(), 'sender.ledger');
  writeFileSync(ledgerFile, '');
  const sender = startSender(
    {
      edgeUrls: [caddy.url],
      tenants: [tenant],
      keyFile: join(cluster.dataFolder(), 'demo', 'private.pem'),
      ledgerFile,
      perSecond,
      seed: 7,
    },
    caddy.caFile,
  );
  const pass = async (deliveries: number) => {
    const due = statSync(ledgerFile).size + deliveries * ledgerBytes;
    await vi.waitUntil(() => statSync(ledgerFile).size >= due, { timeout: 60_000, interval: 1 });
  };
  await pass(100);
  await disturb({ caddy, pass, ...edges });
  await pass(100);
  await sender.stop();
  for (const name of names) expect(await edges.signal(name, 'SIGTERM')).toBe(0);
  return weigh(readLedger(ledgerFile), await readJournals(cluster));
}

async function startEdges(cluster: Cluster): Promise<Pick<Balanced, 'address' | 'start' | 'signal'>> {
  const { ports } = await claimPorts('127.0.0.1', names.map((setting) => ({ port: 0, setting }))); // biome-ignore format: one thought
  const address = { 'edge-1': `127.0.0.1:${ports[0]}`, 'edge-2': `127.0.0.1:${ports[1]}` };
  const running = new Map<EdgeName, ClusterProcess>();
  const start = async (name: EdgeName) => {
    const env = { HOOKWATCH_EDGE_PORT: address[name].split(':')[1]! };
    running.set(name, await cluster.start('edge', { name, env }));
  };
  await Promise.all(names.map(start));
  return { address, start, signal: (name, signal) => running.get(name)!.signal(signal) };
}

/** How often each body is in the journals of the edges, by its SHA-256. */
async function readJournals(cluster: Cluster): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const name of names) {
    const folder = join(cluster.dataFolder(name), 'records');
    const log = createSqliteLog({ folder, segmentBytesMax: 1 });
    const { next } = await log.bounds();
    for (let { first: position } = await log.bounds(); position < next; ) {
      const records = await log.read(position, { records: 5_000, bytes: 16 * 1024 * 1024 });
      position = records.at(-1)!.position + 1;
      for (const { frame } of records) {
        const record = decode(frame);
        if (record.kind !== 'delivery') continue;
        const sha256 = createHash('sha256').update(record.value.body).digest('hex');
        counts.set(sha256, (counts.get(sha256) ?? 0) + 1);
      }
    }
    await log.close();
  }
  return counts;
}

/** 401 is the answer to a forged delivery, of which there are some. */
function weigh(ledger: SenderLedger, stored: Map<string, number>): Outcome {
  const { sent, answered, failed } = ledger;
  const refused = [...answered].flatMap(([n, { status }]): [number, string][] =>
    status === 202 || status === 401 ? [] : [[n, String(status)]],
  );
  const known = new Set(sent.values());
  expect([...stored.keys()].filter((sha256) => !known.has(sha256))).toEqual([]);
  const outcome = {
    ...ledger,
    stored,
    lost: new Map([...failed, ...refused]),
    missing: [...answered].flatMap(([n, { status }]) => (status === 202 && !stored.has(sent.get(n)!) ? [n] : [])),
    duplicates: [...stored.values()].reduce((sum, count) => sum + count - 1, 0),
  };
  const reasons = Map.groupBy(outcome.lost.values(), (reason) => reason);
  const lost = [...reasons].map(([reason, all]) => `${all.length} × ${reason}`).join(', ') || 'none';
  console.log(`${sent.size} sent; lost: ${lost}; ${outcome.duplicates} on disk twice`);
  return outcome;
}
