import { randomInt } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import type { Output } from '../../services/core/flow/context.ts';
import { createLogCheckpoints } from '../../services/ports/checkpoints/logs.ts';
import type { Log } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { createRandom } from '../../services/simulator/random.ts';
import { createRegistry, workerMetrics } from '../../services/telemetry.ts';
import { createShares, type SharesOptions } from '../../services/worker/shares.ts';
import { createWorker, type Worker } from '../../services/worker/worker.ts';
import { allOf, drained, type Installation, install, logger, patience, start, storyOf } from './installation.ts';

/** Tenants of two partitions. */
const tenants = [
  ['acme', 'bolt'],
  ['cork', 'dune'],
];

const overLogs = (): Installation => ({
  ...install(),
  checkpoints: createLogCheckpoints({ pieces: createMemoryLog(), progress: createMemoryLog(), deadPiecesMin: 0 }),
});

function mixedOf(names: readonly string[], servers: number) {
  const stories = names.map((name) => storyOf(name, servers));
  return stories[0]!.flatMap((_, index) => stories.map((story) => story[index]!));
}

/** A process that is given partitions by hand. */
function startProcess(partitions: readonly Installation[], more: Partial<SharesOptions> = {}) {
  const given = Promise.withResolvers<(assigned: readonly number[]) => void>();
  const opened: number[] = [];
  let left = false;
  const metrics = workerMetrics(createRegistry('test'));
  const shares = createShares({
    join(assigned) {
      given.resolve(assigned);
      return {
        leave: async () => {
          left = true;
        },
      };
    },
    openPartition(partition) {
      opened.push(partition);
      return createWorker({
        tenants: tenants[partition]!,
        ...partitions[partition]!,
        partition: String(partition),
        metrics,
        logger,
        pollIntervalMs: 1,
        batchRecordsMax: 3,
        checkpointIntervalMs: 0,
      });
    },
    logger,
    ...more,
  });
  const ended = shares.run();
  onTestFinished(() => shares.stop());
  return {
    shares,
    ended,
    metrics,
    opened,
    give: async (...assigned: number[]) => (await given.promise)(assigned),
    hasLeft: () => left,
  };
}

/** Every version of every row that was ever put out, as text: the same whoever wrote it, and how often. */
async function versionsOf(outputs: Log): Promise<Set<string>> {
  const text = ({ kind, value }: Output) =>
    JSON.stringify([kind, value], (_, field) => (typeof field === 'bigint' ? String(field) : field));
  return new Set(((await allOf(outputs)) as Output[]).map(text));
}

async function calm(partition: number, servers: number): Promise<Set<string>> {
  const installation = install();
  await installation.records.append(mixedOf(tenants[partition]!, servers));
  await (await drained(installation, { tenants: tenants[partition]! })).stop();
  return versionsOf(installation.outputs);
}

const worksUpTo = ({ lanes }: Pick<Worker, 'lanes'>, tenant: string, position: number) =>
  expect.poll(() => lanes()[tenant]?.position, patience).toBe(position);

test('partitions that move about among processes lead to the same versions of the same rows', async () => {
  const seed = Number(process.env.SHARES_SEED ?? randomInt(2 ** 31));
  console.log(`SHARES_SEED=${seed}`);
  const random = createRandom(seed);
  const servers = 30;
  const partitions = [overLogs(), overLogs()];
  const processes = Array.from({ length: 3 }, () => startProcess(partitions, { keepMs: random.between(1, 200) }));
  const records = partitions.map((_, partition) => mixedOf(tenants[partition]!, servers));
  for (let from = 0; from < records[0]!.length; from += 6) {
    for (const [partition, { records: log }] of partitions.entries()) {
      await log.append(records[partition]!.slice(from, from + 6));
    }
    // Some have none, some are given to two: one that does not know yet that it has lost them.
    for (const { give } of processes) await give(...[0, 1].filter(() => random.fraction() < 0.5));
    for (let turns = random.between(0, 60); turns > 0; turns--) await new Promise(setImmediate);
  }
  for (const { give } of processes.slice(1)) await give();
  await processes[0]!.give(0, 1);
  for (const tenant of ['bolt', 'dune']) await worksUpTo(processes[0]!.shares, tenant, records[0]!.length - 1);
  await Promise.all(processes.map(({ shares }) => shares.stop()));
  for (const [partition, { outputs }] of partitions.entries()) {
    expect(await versionsOf(outputs)).toEqual(await calm(partition, servers));
  }
});

test('a worker that comes back from a long pause, and knows of nothing, does no harm', async () => {
  const installation = overLogs();
  const records = mixedOf(tenants[0]!, 12);
  const last = records.length - 1;
  await installation.records.append(records.slice(0, 10));
  let pause: Promise<void> | undefined;
  const paused: Log = {
    ...installation.records,
    async read(from, limits) {
      const batch = await installation.records.read(from, limits);
      // Between a read and what is made of it.
      await pause;
      return batch;
    },
  };
  const options = { tenants: tenants[0]!, batchRecordsMax: 4, checkpointIntervalMs: 0 };
  const stale = start({ ...installation, records: paused }, options).worker;
  await worksUpTo(stale, 'bolt', 9);
  const over = Promise.withResolvers<void>();
  pause = over.promise;
  await installation.records.append(records.slice(10, 20));
  const successor = start(installation, options).worker;
  await worksUpTo(successor, 'bolt', 19);
  pause = undefined;
  over.resolve();
  await installation.records.append(records.slice(20));
  await Promise.all([stale, successor].map((worker) => worksUpTo(worker, 'bolt', last)));
  await Promise.all([stale.stop(), successor.stop()]);
  expect(await versionsOf(installation.outputs)).toEqual(await calm(0, 12));
  await (await drained(installation, { tenants: tenants[0]! })).stop();
  expect(await versionsOf(installation.outputs)).toEqual(await calm(0, 12));
});

test('what a process has in memory is kept, checked, and goes on from where it stands', async () => {
  const installation = install();
  let restored = 0;
  const checkpoints: Installation['checkpoints'] = {
    ...installation.checkpoints,
    async newest(lane, upTo) {
      const newest = await installation.checkpoints.newest(lane, upTo);
      if (!newest) return undefined;
      async function* counted() {
        restored++;
        yield* newest!.chunks;
      }
      return { ...newest, chunks: { [Symbol.asyncIterator]: counted } };
    },
  };
  const records = mixedOf(tenants[0]!, 12);
  await installation.records.append(records.slice(0, 12));
  const { shares, give, opened } = startProcess([{ ...installation, checkpoints }]);
  await give(0);
  await worksUpTo(shares, 'bolt', 11);
  await give();
  await expect.poll(() => shares.lanes()).toEqual({});
  expect((await installation.checkpoints.newest('bolt'))?.final).toBe(false);
  // Meanwhile another one has it.
  await installation.records.append(records.slice(12, 20));
  const other = start(installation, { tenants: tenants[0]! }).worker;
  await worksUpTo(other, 'bolt', 19);
  await other.leave();
  await give(0);
  await worksUpTo(shares, 'bolt', 19);
  expect({ opened, restored }).toEqual({ opened: [0], restored: 0 });
  await installation.records.append(records.slice(20));
  await worksUpTo(shares, 'bolt', records.length - 1);
  await shares.stop();
  expect((await installation.checkpoints.newest('bolt'))?.final).toBe(true);
  expect(await versionsOf(installation.outputs)).toEqual(await calm(0, 12));
});

test('what a process has in memory and the log no longer has stops the lane', async () => {
  const installation = install();
  await installation.records.append(mixedOf(tenants[0]!, 3));
  const { next } = await installation.records.bounds();
  let records = installation.records;
  const replaced = new Proxy(records, { get: (_, name: keyof Log) => records[name] });
  const { shares, give } = startProcess([{ ...installation, records: replaced }]);
  await give(0);
  await worksUpTo(shares, 'bolt', next - 1);
  await give();
  await expect.poll(() => shares.lanes()).toEqual({});
  records = createMemoryLog();
  await records.append(mixedOf(tenants[0]!, 3).toReversed());
  await give(0);
  await expect
    .poll(shares.troubles)
    .toEqual(tenants[0]!.map((lane) => expect.stringMatching(`lane ${lane} stopped: .*its state ends with record`)));
});

test('where another worker has ended behind it, a lane begins from there', async () => {
  const installation = install();
  const records = mixedOf(tenants[0]!, 6);
  await installation.records.append(records.slice(0, 8));
  const { shares, give } = startProcess([installation]);
  await give(0);
  await worksUpTo(shares, 'bolt', 7);
  await give();
  await expect.poll(() => shares.lanes()).toEqual({});
  await installation.records.append(records.slice(8));
  await (await drained(installation, { tenants: tenants[0]! })).stop();
  const written = (await installation.outputs.bounds()).next;
  await give(0);
  await worksUpTo(shares, 'bolt', records.length - 1);
  expect((await installation.outputs.bounds()).next).toBe(written);
  // It is not the last word any more.
  expect((await installation.checkpoints.newest('bolt'))?.final).toBe(false);
});

test.each([
  ['that are kept too long', { keepMs: 1 }],
  ['beyond those that may be kept', { keptMax: 1 }],
])('partitions %s are let go', async (_name, limits) => {
  const partitions = [install(), install()];
  const { shares, give, opened, metrics } = startProcess(partitions, limits);
  await give(0, 1);
  await expect.poll(shares.troubles).toEqual([]);
  await give(1);
  await give();
  await expect.poll(async () => (await metrics.recordLag.get()).values).toEqual([]);
  // Given again until the first was let go.
  await expect
    .poll(async () => {
      await give(0);
      await give();
      return opened.filter((partition) => partition === 0).length;
    })
    .toBeGreaterThan(1);
});

test('a process says what it lacks, ends where a log fails for good, and leaves the others at its stop', async () => {
  const partitions = [install(), install()];
  const broken = {
    ...partitions[1]!,
    records: { ...partitions[1]!.records, bounds: () => Promise.reject(new Error('no')) },
  };
  const { shares, ended, give, hasLeft } = startProcess([partitions[0]!, broken]);
  expect(shares.troubles()).toEqual(['worker: it has not been given any partitions yet']);
  await give();
  expect(shares.troubles()).toEqual([]);
  await give(0, 1);
  await expect(ended).rejects.toThrow('no');
  await shares.stop();
  expect(hasLeft()).toBe(true);
});
