/**
 * Invariants A to D of DESIGN.md §8 under crashes: a 202 means that the delivery is on disk, every delivery has exactly
 * one effect, nothing appears that was not received, and what is stored is what the lane leads to.
 *
 * The parts of an installation are killed at random moments while a provider sends. CRASH_SEED reruns a run's kills and
 * traffic, not its timing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, vi } from 'vitest';
import type { OutputKind } from '../../services/core/records/codec.ts';
import type { Log } from '../../services/ports/log/log.ts';
import { createClickHouseWarehouse } from '../../services/ports/warehouse/clickhouse.ts';
import { createRandom } from '../../services/simulator/random.ts';
import { entry, environmentOf, type Installation, metricOf } from '../supervisor/installation.ts';
import { findContradictions, readLedger, type SenderLedger, type StoredDelivery } from './ledger.ts';
import { startSender } from './provider.ts';
import { recompute, textOf } from './recomputation.ts';
import { untold } from './traffic.ts';

/** An installation of either kind, as far as killing it goes. */
export interface Deployment {
  installation: Installation;
  /** Each part and how often it is killed. */
  kills: Readonly<Record<string, number>>;
  /** Process of a part; undefined while it is dead. */
  pid(part: string): number | undefined;
  /** What brings a part back that nobody looks after; called once it is dead. */
  revive?(part: string): Promise<void>;
  /** The log with the only lane. Open until `close`. */
  records: Log;
  /** Whether records may be in it more than once. */
  sendsAgain: boolean;
  /** Where the worker tells of the lane. */
  workerUrl(): string;
  /** Resolves once the lane has everything that edges have journaled. */
  untilForwarded(): Promise<void>;
  /** Resolves once all outputs are in ClickHouse. */
  untilStored(): Promise<void>;
  close(): Promise<void>;
}
/** ClickHouse once more at the end, under a sink at work: what it lost then, no restart of the pipeline writes again. */
const lastKill = 'clickhouse';
const perSecond = 150;
/**
 * Bytes by which the sender's ledger grows between two kills, about 125 for a delivery. It grows while a burst is under
 * way, so that is when the kills come.
 */
const pauseBytes = { min: 2_000, max: 75_000 };
const tables: Record<OutputKind, string> = {
  backup: 'backups',
  change: 'changes',
  control: 'control',
  coverage: 'coverage',
  delivery: 'deliveries',
  detection: 'detections',
  episode: 'episodes',
  event: 'events',
  hierarchy: 'hierarchy',
  loss: 'losses',
  pane: 'panes',
  reconciliation: 'reconciliations',
  reject: 'rejects',
};

export async function survivesKills(open: () => Promise<Deployment>): Promise<void> {
  const seed = Number(process.env.CRASH_SEED ?? randomInt(2 ** 31));
  console.log(`CRASH_SEED=${seed}`);
  const deployment = await open();
  const { installation, records } = deployment;
  const { dataFolder, urls } = installation;
  const ledgerFile = join(dataFolder, 'sender.ledger');
  writeFileSync(ledgerFile, '');
  const sender = startSender({
    edgeUrls: [urls.edge],
    keyFile: join(dataFolder, 'demo', 'private.pem'),
    ledgerFile,
    perSecond,
    seed,
  });
  await killAll(deployment, seed, () => statSync(ledgerFile).size);
  await sender.stop();
  await deployment.untilForwarded();
  const last = async () => expect(await workedTo(deployment)).toBeGreaterThanOrEqual((await records.bounds()).next - 1);
  await vi.waitFor(last, { timeout: 60_000, interval: 200 });
  await deployment.untilStored();

  const ledger = readLedger(ledgerFile);
  const rows = await deliveriesIn(installation);
  describeRun(ledger, rows);
  expect(findContradictions(ledger, rows).slice(0, 10)).toEqual([]);
  expect(new Set(rows.map(({ position }) => position)).size).toBe(rows.length);
  await expectOneRowPerId(installation);
  const outcomes = await outcomesIn(deployment);
  const { journaled, events = 0, twins = 0, rejects = 0, pending = 0 } = outcomes;
  expect(journaled).toBe(events + twins + rejects + pending);
  expect(journaled).toBe(rows.length);

  // Frozen, for as long as there are ticks there may be another row.
  installation.process.kill('SIGTERM');
  expect(await installation.ended).toBe(0);
  await expectTruth(deployment, outcomes, rows.length);
}

async function expectTruth(
  { installation, records, sendsAgain, close }: Deployment,
  ledger: object,
  count: number,
): Promise<void> {
  const { dataFolder } = installation;
  const expected = await recompute(records);
  await close();
  expect(expected.summary).toMatchObject({ ledger, producersBehind: 0 });
  if (!sendsAgain) expect(expected.summary.repeats).toBe(0);
  expect(expected.deliveries).toBe(count);
  await using engine = await startClickHouse(dataFolder);
  for (const [kind, stored] of await allRows(engine.url, dataFolder)) {
    const wanted = expected.rows.get(kind) ?? new Map();
    const wrong = [...stored].filter(([id, row]) => wanted.get(id) !== row).map(([, row]) => row);
    const missing = [...wanted].filter(([id]) => !stored.has(id)).map(([, row]) => row);
    expect({ kind, wrong: wrong.slice(0, 3), missing: missing.slice(0, 3) }).toEqual({ kind, wrong: [], missing: [] });
    // A run without any of them would prove nothing.
    expect({ kind, some: stored.size > 0 }).toEqual({ kind, some: !untold.has(kind) });
  }
}

/** Kills the parts in a seeded order, each once a ledger has grown by a seeded number of bytes. ClickHouse is back then. */
async function killAll(deployment: Deployment, seed: number, ledgerBytes: () => number): Promise<void> {
  const { installation, kills, pid: pidOf } = deployment;
  const random = createRandom(seed);
  const victims = Object.entries(kills).flatMap(([part, count]) => Array<string>(count).fill(part));
  const ranked = victims.map((part) => ({ part, rank: random.fraction() })).sort((a, b) => a.rank - b.rank);
  const killNext = async (part: string) => {
    const pid = await vi.waitUntil(() => pidOf(part), { timeout: 30_000, interval: 5 });
    const due = ledgerBytes() + random.between(pauseBytes.min, pauseBytes.max);
    await vi.waitUntil(() => ledgerBytes() >= due, { timeout: 60_000, interval: 1 });
    process.kill(pid, 'SIGKILL');
    await vi.waitUntil(() => pidOf(part) !== pid, { timeout: 10_000, interval: 5 });
    await deployment.revive?.(part);
  };
  for (const { part } of ranked) await killNext(part);
  const atWork = async () => expect((await fetch(`${installation.urls.console}/readyz`)).status).toBe(200);
  await vi.waitFor(atWork, { timeout: 60_000, interval: 100 });
  await killNext(lastKill);
  const answers = async () => expect((await fetch(`${installation.urls.clickhouse}/ping`)).status).toBe(200);
  await vi.waitFor(answers, { timeout: 30_000, interval: 20 });
}

function workedTo({ workerUrl }: Deployment): Promise<number> {
  return metricOf(workerUrl(), 'hookwatch_lane_position');
}

async function ask<Row>({ urls, dataFolder }: Installation, sql: string): Promise<Row[]> {
  const password = readFileSync(join(dataFolder, 'secrets', 'analyst.password'), 'utf8').trim();
  const authorization = `Basic ${Buffer.from(`analyst:${password}`).toString('base64')}`;
  const url = `${urls.clickhouse}/?query=${encodeURIComponent(`${sql} FORMAT JSONEachRow`)}`;
  const response = await fetch(url, { headers: { authorization } });
  const text = await response.text();
  expect({ status: response.status, text: response.ok ? '' : text }).toEqual({ status: 200, text: '' });
  return text.split('\n').slice(0, -1).map((line) => JSON.parse(line)); // biome-ignore format: one thought
}

function deliveriesIn(installation: Installation): Promise<(StoredDelivery & { position: string })[]> {
  return ask(
    installation,
    'SELECT id, toString(position) AS position, lower(hex(SHA256(body))) AS sha256 FROM hookwatch.deliveries',
  );
}

async function expectOneRowPerId(installation: Installation): Promise<void> {
  for (const table of Object.values(tables)) {
    const shown = table === 'control' ? "NOT withdrawn AND kind != 'tick'" : 'NOT withdrawn';
    const [counts] = await ask<Record<string, string>>(
      installation,
      `SELECT toString(count()) AS rows, toString(uniqExact(id)) AS ids,
        (SELECT toString(count()) FROM hookwatch.${table}_rows FINAL WHERE ${shown}) AS final
        FROM hookwatch.${table}`,
    );
    expect({ table, ...counts }).toEqual({ table, rows: counts!.ids, ids: counts!.ids, final: counts!.ids });
  }
}

async function outcomesIn({ workerUrl }: Deployment): Promise<Record<string, number>> {
  const names = ['journaled', 'events', 'twins', 'rejects', 'pending'];
  const values = names.map((name) => metricOf(workerUrl(), 'hookwatch_ledger_deliveries', `outcome="${name}"`));
  return Object.fromEntries((await Promise.all(values)).map((value, index) => [names[index]!, value]));
}

function describeRun({ sent, answered, failed }: SenderLedger, rows: readonly StoredDelivery[]): void {
  const stored = new Set(rows.map(({ sha256 }) => sha256));
  const landed = [...failed.keys()].filter((n) => stored.has(sent.get(n)!)).length;
  const outcomes = [...[...answered.values()].map(({ status }) => String(status)), ...failed.values()];
  const counts = [...Map.groupBy(outcomes, (outcome) => outcome)].map(([outcome, all]) => `${all.length} × ${outcome}`);
  console.log(`${sent.size} sent: ${counts.join(', ')}; ${rows.length} stored, ${landed} of them without an answer`);
}

/** ClickHouse alone on the data of an installation that has ended. */
async function startClickHouse(dataFolder: string): Promise<{ url: string } & AsyncDisposable> {
  const child: ChildProcess = spawn(process.execPath, [entry, 'clickhouse'], {
    env: environmentOf(dataFolder),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'exit');
  const [url] = await once(createInterface({ input: child.stdout! }), 'line');
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function allRows(url: string, dataFolder: string): Promise<Map<OutputKind, Map<string, string>>> {
  const password = readFileSync(join(dataFolder, 'secrets', 'hookwatch.password'), 'utf8').trim();
  const warehouse = createClickHouseWarehouse({ url, username: 'hookwatch', password });
  const all = new Map<OutputKind, Map<string, string>>();
  for (const kind of Object.keys(tables) as OutputKind[]) {
    const rows = await warehouse.rows(kind, { limit: 1_000_000 });
    all.set(kind, new Map(rows.map((row) => [row.id, textOf(row)])));
  }
  await warehouse.close();
  return all;
}
