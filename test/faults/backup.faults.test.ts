/** One machine: a backup that is taken under load makes an installation that goes on from it, to the last value the same. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test, vi } from 'vitest';
import { parseManifest } from '../../services/commands/backup/manifest.ts';
import type { LaneSummary } from '../../services/core/flow/summary.ts';
import { createSqliteLog } from '../../services/ports/log/sqlite.ts';
import {
  entry,
  environmentOf,
  type Installation,
  metricOf,
  startInstallation,
  temporaryFolder,
} from '../supervisor/installation.ts';
import { allOf } from './lanes.ts';
import { readLedger, type SenderLedger } from './ledger.ts';
import { startSender } from './provider.ts';

const patience = { timeout: 60_000, interval: 50 };

async function start(dataFolder = temporaryFolder()): Promise<Installation> {
  const installation = await startInstallation({ dataFolder });
  onTestFinished(installation.dispose);
  return installation;
}

/** Runs a command beside an installation, or where there is none yet. */
async function run(args: string[], dataFolder: string, urls?: Installation['urls']) {
  const portOf = (url = 'http://127.0.0.1:0') => new URL(url).port || '0';
  const ports = { HOOKWATCH_CONSOLE_PORT: portOf(urls?.console), HOOKWATCH_CLICKHOUSE_PORT: portOf(urls?.clickhouse) };
  const env = environmentOf(dataFolder, { ...ports, HOOKWATCH_LOG_LEVEL: 'error' });
  const child = spawn(process.execPath, [entry, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [[code], out, error] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { code, output: out + error };
}

function sendTo({ urls, dataFolder }: Installation, ledgerFile: string, seed: number) {
  const keyFile = join(dataFolder, 'demo', 'private.pem');
  const sender = startSender({ edgeUrls: [urls.edge], keyFile, ledgerFile, perSecond: 150, seed });
  return {
    ...sender,
    async traffic(bytes: number) {
      const due = statSync(ledgerFile).size + bytes;
      await vi.waitUntil(() => statSync(ledgerFile).size >= due, patience);
    },
  };
}

async function recordsIn(dataFolder: string): Promise<string[]> {
  const log = createSqliteLog({ folder: join(dataFolder, 'records'), segmentBytesMax: 1 });
  const records: string[] = [];
  for await (const { position, key, frame } of allOf(log)) {
    records.push(`${position} ${key} ${Buffer.from(frame).toString('base64')}`);
  }
  await log.close();
  return records;
}

async function deliveriesOf({ urls, dataFolder }: Installation): Promise<Set<string>> {
  const password = readFileSync(join(dataFolder, 'secrets', 'analyst.password'), 'utf8').trim();
  const query = encodeURIComponent('SELECT id FROM hookwatch.deliveries FORMAT TSV');
  const headers = { 'x-clickhouse-user': 'analyst', 'x-clickhouse-key': password };
  return new Set((await (await fetch(`${urls.clickhouse}/?query=${query}`, { headers })).text()).split('\n'));
}

function promised({ answered }: SenderLedger): string[] {
  return [...answered.values()].filter(({ status }) => status === 202).map(({ id }) => id);
}

/** Resolves once all that the edge has journaled was worked on, and what followed is in ClickHouse. */
async function untilStored({ urls, dataFolder }: Installation): Promise<void> {
  const reaches = async (metric: string, folder: string) => {
    const log = createSqliteLog({ folder: join(dataFolder, folder), segmentBytesMax: 1 });
    const last = (await log.bounds()).next - 1;
    await log.close();
    const there = async () => expect(await metricOf(urls.console, metric)).toBeGreaterThanOrEqual(last);
    await vi.waitFor(there, patience);
  };
  await reaches('hookwatch_lane_position', 'records');
  await reaches('hookwatch_sink_position', 'outputs');
}

/** A restore that is killed when it has begun to change something: it is not gone on with, and what to do is said. */
async function expectInterrupted(folder: string): Promise<void> {
  const dataFolder = temporaryFolder();
  const child = spawn(process.execPath, [entry, 'restore', folder], {
    env: environmentOf(dataFolder, { HOOKWATCH_LOG_LEVEL: 'error' }),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => rmSync(dataFolder, { recursive: true, force: true }));
  await vi.waitUntil(() => existsSync(join(dataFolder, 'restore.partial', 'clickhouse')), patience);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(readdirSync(dataFolder).sort()).toEqual(['restore.partial', 'writer.lock', 'writer.lock-journal']);
  expect(await run(['start'], dataFolder)).toMatchObject({
    code: 2,
    output: expect.stringMatching(/restore\.partial, so a restore is at work .* out of the way, or set HOOKWATCH_DATA/),
  });
  expect(await run(['restore', folder], dataFolder)).toMatchObject({
    code: 1,
    output: expect.stringMatching(/restore\.partial is not empty\nMove .* out of the way, or set HOOKWATCH_DATA/),
  });
}

test('a backup under load goes on elsewhere', { timeout: 240_000 }, async () => {
  const first = await start();
  const ledgerFile = join(first.dataFolder, 'sender.ledger');
  writeFileSync(ledgerFile, '');
  const sender = sendTo(first, ledgerFile, 1);
  await sender.traffic(60_000);
  const backups = temporaryFolder();
  onTestFinished(() => rmSync(backups, { recursive: true, force: true }));
  const folder = join(backups, 'monday');
  const before = promised(readLedger(ledgerFile));
  expect(await run(['backup', folder], first.dataFolder, first.urls)).toMatchObject({ code: 0 });
  await sender.traffic(30_000);
  // What comes after it is lost: there is no other edge.
  for (const part of ['edge', 'pipeline', 'clickhouse'] as const) process.kill(first.pid(part)!, 'SIGKILL');
  first.process.kill('SIGKILL');
  await first.ended;
  await sender.stop();
  const { logs } = parseManifest(readFileSync(join(folder, 'manifest.json'), 'utf8'));

  await expectInterrupted(folder);
  const anew = temporaryFolder();
  expect(await run(['restore', folder], anew)).toMatchObject({ code: 0, output: expect.stringContaining('Done: ') });
  const records = await recordsIn(anew);
  expect(records).toEqual((await recordsIn(first.dataFolder)).slice(0, logs[0]!.next));
  const second = await start(anew);
  const secondLedger = join(anew, 'sender.ledger');
  writeFileSync(secondLedger, '');
  const goesOn = sendTo(second, secondLedger, 2);
  await goesOn.traffic(30_000);
  await goesOn.stop();
  await untilStored(second);

  const stored = await deliveriesOf(second);
  const after = promised(readLedger(secondLedger));
  expect(Math.min(before.length, after.length)).toBeGreaterThan(200);
  expect([...before, ...after].filter((id) => !stored.has(id))).toEqual([]);
  const lanes = (await (await fetch(`${second.urls.console}/lanes`)).json()) as Record<string, LaneSummary>;
  expect(lanes).toMatchObject({ northwind: { stopped: '', producersBehind: 0, repeats: 0 } });
  // The edge has gone on as the one that it was: its earlier start is closed, and there is one beginning of the lane.
  expect(lanes.northwind!.producers.filter(({ closed }) => !closed)).toHaveLength(1);
  expect(await run(['audit', '--values'], anew, second.urls)).toMatchObject({
    code: 0,
    output: expect.stringMatching(/northwind: equal in every value: \d+ records, .* from the lane's first record/),
  });
  const again = () => run(['restore', folder], anew);
  expect(await again()).toMatchObject({ code: 1, output: expect.stringContaining('Hookwatch runs there') });
  second.process.kill('SIGTERM');
  expect(await second.ended).toBe(0);
  expect(await again()).toMatchObject({
    code: 1,
    output: expect.stringMatching(/something already:\n.*clickhouse is not empty\n.*checkpoints is not empty\n/),
  });
});
