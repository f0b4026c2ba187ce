/** Random faults over edges, partitions and restarts; a test's name is its seed, FORWARDER_SEED runs from there again. */
import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { LogRecord } from '../../../services/ports/log/log.ts';
import { createRandom, type Random } from '../../../services/simulator/random.ts';
import { temporaryFolder } from '../fixture.ts';
import {
  createTestJournal,
  createTestPartition,
  createTestProgress,
  createTestWorker,
  eventually,
  looked,
  recordsOf,
  rowsOf,
  startTestForwarder,
  type TestForwarder,
  type TestJournal,
  type TestPartition,
  type TestSnapshot,
} from './fixture.ts';

const stories = 20;
const actsMax = 60;
const first = Number(process.env.FORWARDER_SEED ?? randomInt(2 ** 31));

interface TestEdge {
  journal: TestJournal;
  hintFile: string;
  boots: number;
  /** The journal keeps what lies behind this position: a lane may go back to the backup. */
  keepFrom: number;
  forwarder: TestForwarder;
}

/** All lanes as they were, and what their workers had saved of them. */
interface Backup {
  records: ReadonlyMap<TestPartition, readonly LogRecord[]>;
  saved: readonly (readonly TestSnapshot[])[];
}

/** Some edges over some partitions, with a worker for each of two lanes. */
async function createWorld(random: Random) {
  const tenants = ['acme', 'bolt'];
  const shared = random.chance(0.5) ? createTestPartition() : undefined;
  const partitions = new Map(tenants.map((tenant) => [tenant, shared ?? createTestPartition()]));
  const lane = (tenant: string) => partitions.get(tenant)!;
  const progress = createTestProgress();
  const workers = tenants.map((tenant) => ({ tenant, worker: createTestWorker(lane(tenant), progress, tenant) }));
  /** Everything that was ever journaled, lane by lane. */
  const ids = new Map(tenants.map((tenant) => [tenant, new Set<string>()]));
  const limits = { batchRecordsMax: random.between(1, 5) };
  const start = ({ journal, hintFile }: Pick<TestEdge, 'journal' | 'hintFile'>) =>
    startTestForwarder({ journal, lane, progress, tenants, hintFile, limits, kept: true });

  async function createEdge(name: string): Promise<TestEdge> {
    const journal = createTestJournal({ edge: name, tenants });
    const hintFile = join(temporaryFolder(), 'forwarded.json');
    await journal.boot();
    return { journal, hintFile, boots: 1, keepFrom: Infinity, forwarder: await start({ journal, hintFile }) };
  }
  const edges = [await createEdge('edge-1')];
  if (random.chance(0.5)) edges.push(await createEdge('edge-2'));

  return {
    backup: undefined as Backup | undefined,
    tenants,
    partitions: [...new Set(partitions.values())],
    progress,
    workers,
    edges,
    ids,
    async note({ journal }: TestEdge) {
      for (const tenant of tenants) for (const id of await journal.ids(tenant)) ids.get(tenant)!.add(id);
    },
    start: async (edge: TestEdge) => {
      edge.forwarder = await start(edge);
    },
    async restart(edge: TestEdge, loseHint: boolean) {
      await edge.forwarder.stop(0);
      if (loseHint) rmSync(edge.hintFile, { force: true });
      edge.forwarder = await start(edge);
    },
  };
}

type World = Awaited<ReturnType<typeof createWorld>>;

async function act(world: World, random: Random): Promise<void> {
  const { tenants, partitions, progress, workers } = world;
  const edge = random.pick(world.edges);
  const tenant = random.pick(tenants);
  const dice = random.between(1, 112);
  if (dice <= 40) return edge.journal.deliver(random.between(1, 6), tenant);
  if (dice <= 50) return edge.journal.control('tick', {}, tenant);
  if (dice <= 62) return random.pick(workers).worker.work(random.chance(0.5));
  if (dice <= 72) return looked(progress, 1);
  if (dice <= 85) {
    random.pick(partitions).meet(random.pick(['kept', 'refused', 'landed', 'late', 'lost'] as const));
  } else if (dice <= 90) {
    const partition = random.pick(partitions);
    partition.away = !partition.away;
  } else if (dice <= 93) {
    edge.boots++;
    await edge.journal.boot();
  } else if (dice <= 96) {
    await world.restart(edge, random.chance(0.5));
  } else if (dice > 106) {
    if (world.backup) await restore(world, world.backup, random);
  } else if (dice > 100) {
    await backUp(world);
  } else if (edge.boots > 1) {
    await world.note(edge);
    await edge.journal.log.trim(Math.min(edge.keepFrom, edge.forwarder.covered()));
  }
}

/** Copies what a restore needs. What edges let go of from then on, the backup has. */
async function backUp(world: World): Promise<void> {
  const { workers, partitions, edges } = world;
  for (const { worker } of workers) if (worker.saved().length < 2) await worker.work(true);
  for (const edge of edges) edge.keepFrom = Math.min(edge.keepFrom, edge.forwarder.covered());
  const saved = workers.map(({ worker }) => worker.saved());
  const records = new Map<TestPartition, readonly LogRecord[]>();
  for (const partition of partitions) records.set(partition, await recordsOf(partition));
  world.backup = { saved, records };
}

/**
 * Lanes go back to the backup, under the same names. Edges have been stopped and come back one after the other, and
 * each drives the lanes on before the next one does; or they go on all the while.
 */
async function restore(world: World, backup: Backup, random: Random): Promise<void> {
  const { edges, partitions, workers, progress } = world;
  for (const partition of partitions) {
    partition.calm();
    partition.away = false;
  }
  await driveOn(world, edges, random);
  const stopped = random.chance(0.3) ? [] : random.chance(0.5) ? edges : edges.toReversed();
  for (const { forwarder } of stopped) await forwarder.stop(0);
  for (const partition of partitions) await partition.restore(backup.records.get(partition)!);
  // Edges that were not stopped remember what they were told of the lanes before.
  if (stopped.length > 0) progress.forget();
  for (const [n, { worker }] of workers.entries()) await worker.restore(backup.saved[n]!);
  for (const edge of stopped) {
    if (random.chance(0.5)) {
      edge.boots++;
      await edge.journal.boot();
    }
    await world.start(edge);
    await driveOn(world, [edge], random);
  }
}

/** What edges take in comes into the lanes, is worked on and saved, and edges know it. */
async function driveOn(world: World, edges: readonly TestEdge[], random: Random): Promise<void> {
  for (let rounds = random.between(0, 4); rounds > 0; rounds--) {
    for (const { journal } of edges) await journal.deliver(random.between(1, 20), random.pick(world.tenants));
    for (const { forwarder } of edges)
      await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(0));
    for (const { worker } of world.workers) await worker.work(true);
    await looked(world.progress, 2 * edges.length);
  }
}

/** Faults end, time goes on, and everything that was ever journaled is worked on. */
async function settle(world: World): Promise<void> {
  for (const partition of world.partitions) {
    partition.calm();
    partition.away = false;
  }
  for (const edge of world.edges) await world.note(edge);
  await eventually(async () => {
    for (const { tenant, worker } of world.workers) {
      for (const { journal } of world.edges) await journal.control('tick', {}, tenant);
      await worker.work();
    }
    for (const { tenant, worker } of world.workers) {
      expect(worker.taken()).toEqual(expect.arrayContaining([...world.ids.get(tenant)!]));
      expect(worker.summary().producersBehind).toBe(0);
    }
  });
}

test.each(Array.from({ length: stories }, (_, n) => first + n))('FORWARDER_SEED=%i', async (seed) => {
  const random = createRandom(seed);
  const world = await createWorld(random);
  onTestFinished(() => {
    for (const partition of world.partitions) partition.away = false;
  });
  // A lane that has lost its very beginning is for people to look at.
  await eventually(async () => {
    for (const { worker } of world.workers) await worker.work();
    for (const { worker } of world.workers) expect(worker.summary().settings).toBeDefined();
  });
  for (let n = random.between(10, actsMax); n > 0; n--) await act(world, random);
  await settle(world);

  for (const { forwarder } of world.edges) {
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(0));
    expect(await forwarder.metric('unforwardedBytes')).toBe(0);
  }
  const [edge] = world.edges;
  for (const { tenant, worker } of world.workers) {
    const { ledger } = worker.summary();
    expect(new Set(worker.taken()).size).toBe(worker.taken().length);
    expect(ledger).toMatchObject({ journaled: ledger.events, rejects: 0 });
    // The order of two producers is nobody's; that of one is the journal's.
    if (world.edges.length > 1 || edge!.boots > 1) continue;
    await eventually(async () => {
      await worker.work();
      expect(worker.rows()).toEqual(await rowsOf(edge!.journal, tenant));
    });
  }
});
