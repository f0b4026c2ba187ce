/**
 * The worker against a Kafka Streams program with the same topology, on one broker: by hand, since it needs Maven and a
 * quiet machine with two cores. bench/streams/README.md says what is compared and how.
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startKafka, type TestKafka } from '../test/kafka/broker.ts';
import { canPin } from './child.ts';
import { quantileOf } from './figure.ts';
import { batchesOf, fillLanes, namesOfTenants } from './lanes.ts';
import { openArena } from './streams/arena.ts';
import { writeAwkwardLane } from './streams/awkward.ts';
import { compareSides } from './streams/comparison.ts';
import { type Run, runSide } from './streams/run.ts';
import { createStreamsSide, createWorkerSide, type Side } from './streams/side.ts';

const usage = `Usage: "$(node scripts/preflight.mjs --node)" bench/streams.ts [options] [key=value ...]

  --seconds N     length of each lane, at 500 deliveries a second; default 200
  --tenants N     default 8
  --partitions N  default 4
  --rounds N      default 5
  --check         only compares what both make of the same lanes

key=value are settings of Kafka Streams and its clients, for example statestore.cache.max.bytes=10485760.
Exit codes: 0 done, 1 failed or outputs differ, 2 wrong usage.
`;

const options = {
  seconds: { type: 'string', default: '200' },
  tenants: { type: 'string', default: '8' },
  partitions: { type: 'string', default: '4' },
  rounds: { type: 'string', default: '5' },
  check: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

const rate = 500;
const project = join(import.meta.dirname, 'streams');
const built = join(import.meta.dirname, '..', '.cache', 'streams');
const classPath = `${join(built, 'hookwatch-streams.jar')}:${join(built, 'lib', '*')}`;
/** Of the broker and of whoever watches; the program that is measured has the other one. */
const brokerCore = '0';

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (!canPin) throw new Error('Cannot hold the broker and the programs to a core each: taskset or a core is missing');
  build();
  spawnSync('taskset', ['--all-tasks', '--pid', '--cpu-list', brokerCore, String(process.pid)]);
  const kafka = await startKafka({ config: { 'log.flush.interval.messages': String(Number.MAX_SAFE_INTEGER) } });
  try {
    if (!(await check(kafka, positionals))) return 1;
    if (!values.check) await measure(kafka, values, positionals);
    return 0;
  } finally {
    await kafka.dispose();
  }
}

function build(): void {
  const { status } = spawnSync('mvn', ['--quiet', '--batch-mode', 'clean', 'package'], {
    cwd: project,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`Cannot build ${project}: Maven ended with code ${status}`);
}

/** Both sides over short lanes with repeats and rarities. Resolves to whether they made the same of them. */
async function check(kafka: TestKafka, settings: readonly string[]): Promise<boolean> {
  const [awkward, ...tenants] = namesOfTenants(4) as [string, ...string[]];
  await using arena = await openArena({
    ...{ bootstrap: kafka.bootstrap, prefix: 'check', partitions: 2 },
    tenants: [awkward, ...tenants],
  });
  let total = await fillLanes(arena.lanes, { tenants, rate, seconds: 20, repeats: true });
  for (const batch of batchesOf(awkward, writeAwkwardLane(awkward))) {
    await arena.lanes.records(arena.lanes.partitionOf(awkward)).append(batch);
    total += batch.length;
  }
  const [ours, theirs] = [createWorkerSide(arena), createStreamsSide(arena, classPath, settings)];
  for (const side of [ours, theirs]) await runSide(arena, side, total, kafka.pid(1));
  const { counts, differences } = await compareSides(arena, ours, theirs);
  say(
    `${total} records led both to: ${Object.entries(counts)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(', ')}`,
  );
  for (const difference of differences) say(`differs: ${difference}`);
  return differences.length === 0;
}

type Options = Record<'seconds' | 'tenants' | 'partitions' | 'rounds', string>;

async function measure(kafka: TestKafka, values: Options, settings: readonly string[]): Promise<void> {
  const tenants = namesOfTenants(Number(values.tenants));
  await using arena = await openArena({
    ...{ bootstrap: kafka.bootstrap, prefix: 'bench', partitions: Number(values.partitions) },
    tenants,
  });
  const total = await fillLanes(arena.lanes, { tenants, rate, seconds: Number(values.seconds) });
  say(`${total} records of ${tenants.length} tenants in ${values.partitions} partitions`);
  const sides = [createWorkerSide(arena), createStreamsSide(arena, classPath, settings)];
  const runs: Record<Side['name'], Run[]> = { worker: [], streams: [] };
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      const run = await runSide(arena, side, total, kafka.pid(1));
      runs[side.name].push(run);
      say(`round ${round + 1}, ${side.name}: ${describe(run)}`);
    }
  }
  print(runs);
}

function describe({ perSecond, steadyPerSecond, perCpuSecond, brokerCpu }: Run): string {
  const share = `${Math.round(brokerCpu * 100)} % of a core`;
  return `${whole(perSecond)}/s in all, ${whole(steadyPerSecond)}/s steady, ${whole(perCpuSecond)} per second of CPU, broker ${share}`;
}

function print({ worker, streams }: Record<Side['name'], Run[]>): void {
  const line = (name: string, cells: readonly string[]) =>
    process.stdout.write(`  ${[name.padEnd(28), ...cells.map((cell) => cell.padStart(9))].join(' ')}\n`);
  process.stdout.write(`${cpus().length} cores, Node ${process.version}\n`);
  line('records/s', ['median', ...worker.map((_, index) => `round ${index + 1}`)]);
  const samples = (of: (index: number) => number, format: (value: number) => string) => {
    const found = worker.map((_, index) => of(index));
    return [quantileOf(found, 0.5), ...found].map(format);
  };
  for (const [name, key] of [
    ['steady', 'steadyPerSecond'],
    ['in all', 'perSecond'],
  ] as const) {
    line(
      `worker, ${name}`,
      samples((index) => worker[index]![key], whole),
    );
    line(
      `Kafka Streams, ${name}`,
      samples((index) => streams[index]![key], whole),
    );
    line(
      `ratio, ${name}`,
      samples(
        (index) => worker[index]![key] / streams[index]![key],
        (value) => value.toFixed(2),
      ),
    );
  }
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const wrongUsage = (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${wrongUsage ? (error as Error).message : ((error as Error).stack ?? error)}\n`);
  process.exitCode = wrongUsage ? 2 : 1;
}
