import { spawn } from 'node:child_process';
import { sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { edgePidFile } from '../../services/supervisor/edge-pid.ts';
import { claimPorts } from '../../services/supervisor/ports.ts';
import {
  entry,
  environmentOf,
  type Installation,
  isAlive,
  type PartName,
  startInstallation,
  temporaryFolder,
} from './installation.ts';

const settings = [
  'HOOKWATCH_EDGE_PORT',
  'HOOKWATCH_EDGE_INTERNAL_PORT',
  'HOOKWATCH_CONSOLE_PORT',
  'HOOKWATCH_CLICKHOUSE_PORT',
];
const parts: PartName[] = ['edge', 'pipeline', 'clickhouse'];

async function start(fields?: Parameters<typeof startInstallation>[0]): Promise<Installation> {
  const installation = await startInstallation(fields);
  onTestFinished(installation.dispose);
  return installation;
}

/** Runs the command line until it ends by itself. */
async function run(args: string[], env: Record<string, string>) {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const [[code], stdout, stderr] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

/** Free ports as settings, each less the offset. */
async function freePorts(offset = 0): Promise<Record<string, string>> {
  const { ports } = await claimPorts(
    '127.0.0.1',
    settings.map((setting) => ({ port: 0, setting })),
  );
  return Object.fromEntries(settings.map((setting, index) => [setting, String(ports[index]! - offset)]));
}

/** Posts a signed delivery; resolves with the status. */
async function post({ urls, dataFolder }: Installation, userName: string): Promise<number> {
  const body = JSON.stringify({ accountAlias: 'NWND', userName });
  const signature = sign('sha1', Buffer.from(body), readFileSync(join(dataFolder, 'demo', 'private.pem'), 'utf8'));
  const headers = { 'content-type': 'application/json', 'tier3-rsasha1': signature.toString('base64') };
  return (await fetch(`${urls.edge}/in/demo-user-updated`, { method: 'POST', headers, body })).status;
}

/** Users of whom there is an event in ClickHouse. */
async function usersIn({ urls, dataFolder }: Installation): Promise<string[]> {
  const password = readFileSync(join(dataFolder, 'secrets', 'analyst.password'), 'utf8').trim();
  const authorization = `Basic ${Buffer.from(`analyst:${password}`).toString('base64')}`;
  const query = encodeURIComponent('SELECT subject FROM hookwatch.events ORDER BY position FORMAT TSV');
  const answer = await fetch(`${urls.clickhouse}/?query=${query}`, { headers: { authorization } });
  return (await answer.text()).split('\n').slice(0, -1);
}

test('prints its URLs, with the offset, and each answers', async () => {
  const ports = await freePorts(3);
  const installation = await start({ env: ports, args: ['--port-offset', '3'] });
  const { urls } = installation;
  expect(urls).toEqual({
    edge: `http://127.0.0.1:${Number(ports.HOOKWATCH_EDGE_PORT) + 3}`,
    console: `http://127.0.0.1:${Number(ports.HOOKWATCH_CONSOLE_PORT) + 3}`,
    clickhouse: `http://127.0.0.1:${Number(ports.HOOKWATCH_CLICKHOUSE_PORT) + 3}`,
  });
  for (const url of [
    `${urls.edge}/metrics`,
    `${urls.console}/`,
    `${urls.console}/metrics`,
    `${urls.clickhouse}/ping`,
  ]) {
    expect({ url, status: (await fetch(url)).status }).toEqual({ url, status: 200 });
  }
});

test('a second start names every port and its setting, and starts nothing', async () => {
  const ports = await freePorts();
  const first = await start({ env: ports });
  const dataFolder = temporaryFolder();
  onTestFinished(() => rmSync(dataFolder, { recursive: true }));
  const second = await run([entry, 'start'], environmentOf(dataFolder, ports));
  expect(second).toEqual({
    code: 2,
    stdout: '',
    stderr: [
      'Cannot start:',
      ...settings.map((setting) => `  port ${ports[setting]} is in use: set ${setting}`),
      'or shift all ports: npm start -- --port-offset 100',
      '',
    ].join('\n'),
  });
  expect(readdirSync(dataFolder)).toEqual([]);
  expect(await post(first, 'undisturbed')).toBe(202);
});

test('a second start in the same data folder is refused, on whatever ports', async () => {
  const first = await start();
  const second = await run([entry, 'start'], environmentOf(first.dataFolder, await freePorts()));
  expect(second).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('another process does') });
  expect(await post(first, 'undisturbed')).toBe(202);
});

describe('at the end', () => {
  test.each([
    ['SIGTERM to the supervisor', (pid: number) => process.kill(pid, 'SIGTERM')],
    ['Ctrl-C, which goes to the whole group of the terminal', (pid: number) => process.kill(-pid, 'SIGINT')],
  ])('%s: drains in order, and what was taken in is in ClickHouse at the next start', async (_, end) => {
    const installation = await start();
    const names = Array.from({ length: 50 }, (_, n) => `user${n}`);
    for (const name of names) expect(await post(installation, name)).toBe(202);
    const pids = parts.map((part) => installation.pid(part)!);
    const seen: boolean[][] = [];
    const watch = setInterval(() => seen.push(pids.map(isAlive)), 1);
    end(installation.process.pid!);
    expect(await installation.ended).toBe(0);
    clearInterval(watch);
    expect(pids.filter(isAlive)).toEqual([]);
    // Never is one gone before the one in front of it.
    for (const [edge, pipeline, clickhouse] of seen) {
      expect([edge && !pipeline, pipeline && !clickhouse]).toEqual([false, false]);
    }
    expect(installation.output()).toContain('Stopping: what was taken in is worked on first …');
    expect(installation.log().filter(({ msg }) => /died|killed|stopped before/.test(msg))).toEqual([]);
    const next = await start({ dataFolder: installation.dataFolder });
    expect(await usersIn(next)).toEqual(names);
  });

  test('nobody reads the output any more: it drains all the same', async () => {
    const installation = await start();
    installation.process.stdout!.destroy();
    installation.process.stderr!.destroy();
    const pids = parts.map((part) => installation.pid(part)!);
    expect(await post(installation, 'heard')).toBe(202);
    installation.process.kill('SIGTERM');
    expect(await installation.ended).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

describe('a crash', () => {
  test('of everything else: the edge goes on, and nothing is lost', async () => {
    const installation = await start();
    const edge = installation.pid('edge');
    const before = { pipeline: installation.pid('pipeline')!, clickhouse: installation.pid('clickhouse')! };
    for (const pid of Object.values(before)) process.kill(pid, 'SIGKILL');
    const names: string[] = [];
    await vi.waitFor(
      async () => {
        names.push(`user${names.length}`);
        expect(await post(installation, names.at(-1)!)).toBe(202);
        expect(installation.log().filter(({ msg }) => msg === 'part works')).toHaveLength(5);
      },
      { timeout: 30_000, interval: 50 },
    );
    expect(installation.pid('edge')).toBe(edge);
    expect(names.length).toBeGreaterThan(1);
    await vi.waitFor(async () => expect(await usersIn(installation)).toEqual(names), { timeout: 30_000 });
  });

  test('of the supervisor: the edge goes on, the others end; the next start says where the edge is', async () => {
    const ports = await freePorts();
    const installation = await start({ env: ports });
    const [edge, ...others] = parts.map((part) => installation.pid(part)!);
    // A sink that has not made its tables yet would wait for ClickHouse until its deadline.
    await vi.waitFor(async () => expect((await fetch(`${installation.urls.console}/readyz`)).status).toBe(200));
    installation.process.kill('SIGKILL');
    await installation.ended;
    await vi.waitFor(() => expect(others.filter(isAlive)).toEqual([]), { timeout: 30_000 });
    expect(await post(installation, 'orphan')).toBe(202);
    expect(Number(readFileSync(edgePidFile(installation.dataFolder), 'utf8'))).toBe(edge);
    const hint = `An edge of an earlier start may still be taking deliveries as process ${edge}: \`kill ${edge}\` drains and ends it.`;

    const samePorts = await run([entry, 'start'], environmentOf(installation.dataFolder, ports));
    expect(samePorts.code).toBe(2);
    expect(samePorts.stderr).toContain(`port ${ports.HOOKWATCH_EDGE_PORT} is in use: set HOOKWATCH_EDGE_PORT`);
    expect(samePorts.stderr).toContain(hint);
    const otherPorts = await run([entry, 'start'], environmentOf(installation.dataFolder));
    expect(otherPorts.code).toBe(1);
    expect(otherPorts.stderr).toContain(hint);

    process.kill(edge!, 'SIGTERM');
    await vi.waitFor(() => expect(isAlive(edge!)).toBe(false), { timeout: 10_000 });
    const next = await start({ dataFolder: installation.dataFolder, env: ports });
    expect(next.pid('edge')).not.toBe(edge);
    await vi.waitFor(async () => expect(await usersIn(next)).toEqual(['orphan']), { timeout: 10_000 });
  });
});

test('without the engine it says what to do', async () => {
  const tree = temporaryFolder();
  onTestFinished(() => rmSync(tree, { recursive: true }));
  const root = join(import.meta.dirname, '..', '..');
  mkdirSync(join(tree, 'node_modules'));
  for (const name of ['services', 'schemas', 'package.json']) symlinkSync(join(root, name), join(tree, name));
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name !== 'chdb') symlinkSync(join(root, 'node_modules', name), join(tree, 'node_modules', name));
  }
  const flags = ['--preserve-symlinks', '--preserve-symlinks-main'];
  const outcome = await run(
    [...flags, join(tree, 'services', 'hookwatch.ts'), 'start'],
    environmentOf(join(tree, 'data')),
  );
  expect(outcome).toEqual({
    code: 2,
    stdout: '',
    stderr:
      'Cannot start ClickHouse: the optional package chdb is not installed (there is none for Windows and musl).\n' +
      'Run `npm ci --include=optional`, or set CLICKHOUSE_URL to a ClickHouse server.\n',
  });
});
