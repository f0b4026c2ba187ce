import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openWarehouse } from '../services/parts.ts';
import type { SqlWarehouse } from '../services/ports/warehouse/warehouse.ts';
import { measurePositions } from './backup-positions.ts';
import type { Report } from './backup-run.ts';
import { configOf, environmentOf, openSource, portOf, startClickHouse } from './backup-source.ts';
import { startChild, temporaryFolder } from './child.ts';
import { bytesIn, copyFolder, unpackFolder } from './copy.ts';
import { type Bench, type Figure, figureOf } from './figure.ts';
import { remedyFor } from './kafka.ts';

/** What is backed up at first, for its memory, and what is backed up and restored in the end. */
const fewDeliveries = 40_000;
const deliveries = 3 * fewDeliveries;
const rounds = 2;
const msMax = 120_000;
const script = join(import.meta.dirname, 'backup-run.ts');

type Say = (line: string) => void;

interface Round {
  backup: Report;
  restore: Report;
  copySeconds: number;
}

interface Measured {
  few: Report;
  /** In ClickHouse, at the end. */
  rows: number;
  backupBytes: number;
  /** Of the same, as it was before it was compressed. */
  plainBytes: number;
  rounds: readonly Round[];
}

/** The bytes that a backup holds are written anew as plain files, on the same disk, in the same minute. */
export const backup: Bench = {
  name: 'backup',
  about: 'backup and restore on one machine, as ratios to copying the same bytes; over Kafka, positions filled/s',
  async run(say) {
    const here = figuresOf(await measureHere(say));
    const remedy = remedyFor('kafka');
    if (!remedy) return [...here, ...(await measurePositions(say))];
    say(`positions are left out: ${remedy}`);
    return here;
  },
};

async function measureHere(say: Say): Promise<Measured> {
  using folder = temporaryFolder();
  const data = join(folder.path, 'data');
  await using clickhouse = startClickHouse(data);
  const port = await portOf(clickhouse);
  const env = environmentOf(data, port);
  const warehouse = openWarehouse(configOf(data, port));
  const source = await openSource(configOf(data, port), deliveries);
  try {
    await source.fill(fewDeliveries);
    const few = await runChild('backup', join(folder.path, 'few'), env);
    say(`${fewDeliveries} deliveries are backed up in ${few.seconds.toFixed(1)} s`);
    await source.fill(deliveries - fewDeliveries);
    const rows = await countRows(warehouse);
    const path = join(folder.path, 'backup');
    const plain = join(folder.path, 'plain');
    const found: Round[] = [];
    while (found.length < rounds) {
      found.push(await measureRound({ path, plain, beside: folder.path, env }, found.length % 2 === 0));
      say(`round ${found.length} of ${rounds}: ${describe(found.at(-1)!)}`);
    }
    return { few, rows, backupBytes: await bytesIn(path), plainBytes: await bytesIn(plain), rounds: found };
  } finally {
    await Promise.all([source.close(), warehouse.close()]);
  }
}

interface Place {
  /** A backup, which is made anew. */
  path: string;
  /** What it holds, once it was made. */
  plain: string;
  /** A folder for what is made and removed. */
  beside: string;
  env: Record<string, string>;
}

/** Every other time the other way round, so that a machine that speeds up or slows down favours nobody. */
async function measureRound({ path, plain, beside, env }: Place, forwards: boolean): Promise<Round> {
  const round: Partial<Round> = {};
  const steps = [
    async () => {
      await rm(path, { recursive: true, force: true });
      round.backup = await runChild('backup', path, env);
      if (!existsSync(plain)) await unpackFolder(path, plain);
    },
    async () => {
      const target = join(beside, 'copy');
      const startedMs = performance.now();
      await copyFolder(plain, target);
      round.copySeconds = (performance.now() - startedMs) / 1_000;
      await rm(target, { recursive: true });
    },
    async () => {
      const target = join(beside, 'restored');
      round.restore = await runChild('restore', path, environmentOf(target));
      await rm(target, { recursive: true });
    },
  ];
  for (const step of forwards ? steps : steps.reverse()) await step();
  return round as Round;
}

async function runChild(what: 'backup' | 'restore', path: string, env: Record<string, string>): Promise<Report> {
  await using child = startChild([script, what, path], { env });
  return JSON.parse(await child.printed(/\{.*\}/, msMax)) as Report;
}

async function countRows(warehouse: SqlWarehouse): Promise<number> {
  const [row] = await warehouse.query<{ rows: number }>(
    `SELECT toUInt32(sum(total_rows)) AS rows FROM system.tables WHERE database = 'hookwatch' AND endsWith(name, '_rows')`,
  );
  return row!.rows;
}

function describe({ backup: saved, restore, copySeconds }: Round): string {
  const [first, second, third] = [saved.seconds, restore.seconds, copySeconds].map((seconds) => seconds.toFixed(1));
  return `backup ${first} s, restore ${second} s, copy ${third} s`;
}

function figuresOf({ few, rows, backupBytes, plainBytes, rounds: found }: Measured): Figure[] {
  const figure = (name: string, unit: Figure['unit'], read: (round: Round) => number) =>
    figureOf({ name, unit }, found.map(read));
  return [
    figure('backup, ratio to copying the same bytes', '', (round) => round.copySeconds / round.backup.seconds),
    figure('restore, ratio to copying the same bytes', '', (round) => round.copySeconds / round.restore.seconds),
    figure('deliveries backed up, with their rows', '/s', ({ backup: { seconds } }) => deliveries / seconds),
    figure('rows backed up, with their deliveries', '/s', ({ backup: { seconds } }) => rows / seconds),
    figure('deliveries restored, with their rows', '/s', ({ restore: { seconds } }) => deliveries / seconds),
    figure('rows restored, with their deliveries', '/s', ({ restore: { seconds } }) => rows / seconds),
    figureOf({ name: 'bytes of a backup for each delivery', unit: 'bytes' }, [backupBytes / deliveries]),
    figureOf({ name: 'the same before they are compressed', unit: 'bytes' }, [plainBytes / deliveries]),
    figure('most memory of a backup', 'MB', ({ backup: { residentMegabytes } }) => residentMegabytes),
    figure('ratio to that of a third of the deliveries', '', ({ backup: { residentMegabytes } }) => residentMegabytes / few.residentMegabytes), // biome-ignore format: one thought
    figure('most memory of a restore', 'MB', ({ restore: { residentMegabytes } }) => residentMegabytes),
  ];
}
