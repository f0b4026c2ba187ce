/** One machine: stop, start another version, let it take over; and back again. As docs/operations.md has it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { LaneStatus } from '../../services/core/flow/summary.ts';
import {
  entry,
  environmentOf,
  type Installation,
  startInstallation,
  temporaryFolder,
} from '../supervisor/installation.ts';
import { startSender } from './provider.ts';
import { makeVersion } from './version.ts';

const patience = { timeout: 60_000, interval: 50 };

async function start(dataFolder: string, program: string): Promise<Installation> {
  const installation = await startInstallation({ dataFolder, program });
  onTestFinished(installation.dispose);
  return installation;
}

const laneOf = async ({ urls }: Installation) =>
  ((await (await fetch(`${urls.console}/lanes`)).json()) as Record<string, LaneStatus>).northwind;

/** Runs a command of a version beside an installation. */
async function run(program: string, args: string[], { dataFolder, urls, log }: Installation) {
  const internal = log().findLast(({ part, urls }) => part === 'edge' && urls)!.urls!.edgeInternal!;
  const portOf = (url: string) => new URL(url).port;
  const env = environmentOf(dataFolder, {
    HOOKWATCH_EDGE_INTERNAL_PORT: portOf(internal),
    HOOKWATCH_CONSOLE_PORT: portOf(urls.console),
    HOOKWATCH_CLICKHOUSE_PORT: portOf(urls.clickhouse),
  });
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [[code], out, error] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { code, output: out + error };
}

/** Some hundred deliveries. */
async function send({ urls, dataFolder }: Installation, seed: number): Promise<void> {
  const ledgerFile = join(dataFolder, `sender-${seed}.ledger`);
  writeFileSync(ledgerFile, '');
  const keyFile = join(dataFolder, 'demo', 'private.pem');
  const sender = startSender({ edgeUrls: [urls.edge], keyFile, ledgerFile, perSecond: 150, seed });
  await vi.waitUntil(() => statSync(ledgerFile).size > 30_000, patience);
  await sender.stop();
}

async function stop({ process, ended }: Installation): Promise<void> {
  process.kill('SIGTERM');
  expect(await ended).toBe(0);
}

test('another version is started, takes over when told to, and gives back', { timeout: 240_000 }, async () => {
  const dataFolder = temporaryFolder();
  const changed = makeVersion();
  let installation = await start(dataFolder, entry);
  await send(installation, 1);
  await stop(installation);

  for (const [turn, program] of [changed, entry].entries()) {
    installation = await start(dataFolder, program);
    const waits = async () => expect((await laneOf(installation))?.stopped).toContain('run "hookwatch upgrade"');
    await vi.waitFor(waits, patience);
    // It takes deliveries in while the lane waits.
    await send(installation, 10 * turn + 2);
    const { position = -1 } = (await laneOf(installation)) ?? {};
    expect(await run(program, ['upgrade'], installation)).toMatchObject({ code: 0 });
    await vi.waitFor(async () => expect(await laneOf(installation)).toMatchObject({ stopped: '', epoch: turn + 2 }));
    await send(installation, 10 * turn + 3);
    await vi.waitFor(
      async () => expect((await laneOf(installation))!.position).toBeGreaterThan(position + 400),
      patience,
    );
    // Once its worker has saved something.
    const saved = async () =>
      expect(await run(program, ['audit', '--values'], installation)).toMatchObject({ code: 0 });
    await vi.waitFor(saved, patience);
    await stop(installation);
  }
});
