/** Random faults over edges, partitions and restarts; a test's name is its seed, FORWARDER_SEED runs from there again. */
import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createRandom, type Random } from '../../../services/simulator/random.ts';
import { temporaryFolder } from '../fixture.ts';
import {
  createTestJournal,
  createTestPartition,
  createTestProgress,
  createTestWorker,
  eventually,
  looked,
  rowsOf,
  startTestForwarder,
  type TestForwarder,
  type TestJournal,
} from './fixture.ts';

const stories = 20;
const actsMax = 60;
const first = Number(process.env.FORWARDER_SEED ?? randomInt(2 ** 31));

interface TestEdge {
  journal: TestJournal;
  hintFile: string;
  boots: number;
  forwarder: TestForwarder;
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
    startTestForwarder({ journal, lane, progress, tenants, hintFile, limits });

  async function createEdge(name: string): Promise<TestEdge> {
    const journal = createTestJournal({ edge: name, tenants });
    const hintFile = join(temporaryFolder(), 'forwarded.json');
    await journal.boot();
    return { journal, hintFile, boots: 1, forwarder: await start({ journal, hintFile }) };
  }
  const edges = [await createEdge('edge-1')];
  if (random.chance(0.5)) edges.push(await createEdge('edge-2'));

  return {
    tenants,
    partitions: [...new Set(partitions.values())],
    progress,
    workers,
    edges,
    ids,
    async note({ journal }: TestEdge) {
      for (const tenant of tenants) for (const id of await journal.ids(tenant)) ids.get(tenant)!.add(id);
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
  const dice = random.between(1, 100);
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
  } else if (edge.boots > 1) {
    await world.note(edge);
    await edge.journal.log.trim(edge.forwarder.covered());
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
