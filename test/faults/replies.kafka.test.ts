/** Answers that are lost and checkpoints that are torn, on a real broker: neither changes what a lane leads to. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { encode } from '../../services/core/records/codec.ts';
import { placeOf } from '../../services/core/records/place.ts';
import { startForwarder } from '../../services/edge/forwarder/forwarder.ts';
import { flowHash } from '../../services/flow-hash.ts';
import type { KafkaLanes } from '../../services/kafka-lanes.ts';
import { createLogCheckpoints } from '../../services/ports/checkpoints/logs.ts';
import type { Log } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { createRegistry, forwarderMetrics, workerMetrics } from '../../services/telemetry.ts';
import { createWorker, type Worker } from '../../services/worker/worker.ts';
import { startKafka } from '../kafka/broker.ts';
import { openLanes } from '../kafka/lanes.ts';
import { type KafkaRelay, startRelay } from '../kafka/relay.ts';
import { storyOf } from '../worker/installation.ts';
import { expectSameSet, lastPositions, putOut, workOut } from './lanes.ts';
import { recompute } from './recomputation.ts';

const logger = pino({ level: 'silent' });
const patience = { timeout: 60_000, interval: 50 };
const tenants = ['acme', 'bolt'];

test('a lost answer to an append: it is made again, and has one effect', { timeout: 180_000 }, async () => {
  const relay = await startRelay();
  onTestFinished(relay.close);
  await startBehind(relay);
  const lanes = await openLanes({ bootstrap: [relay.address] }, { partitions: 2 });
  onTestFinished(lanes.close);

  const journal = createMemoryLog();
  const unforwarded = await forward(journal, lanes);
  const workers = [0, 1].map((partition) => startWorker(lanes, partition));
  const stories = tenants.map((tenant) => storyOf(tenant, 60));
  for (const index of stories[0]!.keys()) {
    await journal.append(stories.map((story) => story[index]!));
    if (index % 20 !== 0) continue;
    // Of whoever appends next: the forwarder, or a worker with any of its outputs.
    relay.cutProduced(1);
    await vi.waitFor(() => expect(relay.cuts()).toBe(index / 20 + 1), patience);
  }
  await vi.waitFor(async () => expect(await unforwarded()).toBe(0), patience);
  await untilWorked(lanes, workers);
  for (const { worker } of workers) await worker.stop(5_000);

  const truth = await workOut(lanes, tenants);
  expectSameSet(await putOut(lanes), truth.emitted);
  // Repeats take positions, and change nothing else.
  const undisturbed = await Promise.all(tenants.map(async (tenant) => (await recompute(journal, tenant)).emitted));
  expectSameSet(withoutPositions(truth.emitted), withoutPositions(undisturbed.flatMap((emitted) => [...emitted])));
});

test('a checkpoint that is torn in the middle is passed over', { timeout: 180_000 }, async () => {
  const kafka = await startKafka();
  onTestFinished(kafka.dispose);
  const lanes = await openLanes(kafka);
  onTestFinished(lanes.close);
  const story = storyOf('acme', 60);
  const half = Math.floor(story.length / 2);
  await lanes.records(0).append(story.slice(0, half));
  const first = startWorker(lanes, 0);
  await untilWorked(lanes, [first]);
  await first.worker.leave();
  const saved = (await lanes.checkpoints(0).list('acme')).at(-1)!;
  expect(saved).toBe(half - 1);

  await lanes.records(0).append(story.slice(half));
  await tear(lanes, story.length - 1);
  const damages: unknown[] = [];
  const second = startWorker(lanes, 0, (error) => damages.push(error));
  await untilWorked(lanes, [second]);
  await second.worker.stop(5_000);
  expect(damages).toHaveLength(1);
  expectSameSet(await putOut(lanes), (await workOut(lanes, ['acme'])).emitted);
});

/** What a writer leaves behind whose last piece the log has lost: one of two, and a word that all are there. */
async function tear(lanes: KafkaLanes, position: number): Promise<void> {
  const id = 'torn';
  const data = Buffer.from('{"half a');
  const pieces = lanes.kafka.log(lanes.topics.checkpoints, 0);
  const frame = encode('checkpoint', { tenant: 'acme', snapshot: id, number: 0, data });
  const at = await pieces.append([{ key: 'acme', frame }]);
  const [record] = await lanes.records(0).read(position, { records: 1, bytes: 1 });
  const progress = encode('progress', {
    tenant: 'acme',
    published_at: Date.now(),
    position,
    record_id: placeOf(record!.frame).id,
    flow: flowHash(),
    final: false,
    producers: [],
    snapshot: { id, first: at, pieces: 2, bytes: 2 * data.length, sha256: '0'.repeat(64) },
  });
  await lanes.kafka.log(lanes.topics.progress, 0).append([{ key: 'acme', frame: progress }]);
}

/** A broker that tells everybody to come through the relay. */
async function startBehind(relay: KafkaRelay): Promise<void> {
  const kafka = await startKafka({ config: { 'advertised.listeners': `PLAINTEXT://${relay.address}` } });
  onTestFinished(kafka.dispose);
  relay.target(kafka.bootstrap[0]!);
}

/** Resolves to what tells how many records the lanes have not acknowledged yet. */
async function forward(journal: Log, lanes: KafkaLanes): Promise<() => Promise<number>> {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-replies-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const metrics = forwarderMetrics(createRegistry('test'));
  const forwarder = await startForwarder({
    journal,
    lane: (tenant) => lanes.records(lanes.partitionOf(tenant)),
    progress: lanes.progress(),
    tenants,
    hintFile: join(folder, 'forwarded.json'),
    metrics,
    logger,
    limits: { pauseMsMin: 10, batchRecordsMax: 20, noteIntervalMs: 100 },
  });
  onTestFinished(() => forwarder.stop(0));
  const gauge = async (name: 'unforwardedRecords' | 'forwarded') => (await metrics[name].get()).values[0]?.value ?? 0;
  return async () => {
    const { first, next } = await journal.bounds();
    return next - first - (await gauge('forwarded')) + (await gauge('unforwardedRecords'));
  };
}

interface Started {
  partition: number;
  worker: Worker;
}

function startWorker(lanes: KafkaLanes, partition: number, onDamage?: (error: unknown) => void): Started {
  const checkpoints = createLogCheckpoints({
    pieces: lanes.kafka.log(lanes.topics.checkpoints, partition),
    progress: lanes.kafka.log(lanes.topics.progress, partition),
    ...(onDamage && { onDamage }),
  });
  const worker = createWorker({
    tenants: tenants.filter((tenant) => lanes.partitionOf(tenant) === partition),
    records: lanes.records(partition),
    outputs: lanes.outputs(partition),
    checkpoints,
    checkpointIntervalMs: 200,
    metrics: workerMetrics(createRegistry('test')),
    logger,
    batchRecordsMax: 20,
  });
  const running = worker.run();
  onTestFinished(async () => {
    await worker.stop();
    await running;
  });
  return { partition, worker };
}

async function untilWorked(lanes: KafkaLanes, started: readonly Started[]): Promise<void> {
  const ends = await lastPositions(lanes, tenants);
  const positions = () => {
    const known = started.flatMap(({ worker }) => Object.entries(worker.lanes()));
    return Object.fromEntries(
      known.filter(([tenant]) => tenant in ends).map(([tenant, { position }]) => [tenant, position]),
    );
  };
  await vi.waitFor(() => expect(positions()).toEqual(ends), patience);
}

function withoutPositions(texts: Iterable<string>): Set<string> {
  return new Set([...texts].map((text) => text.replace(/"position":\d+/, '')));
}
