/** An edge as its user runs it, whose endpoints change while providers call: `hookwatch edge`, endpoints.json and SIGHUP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createPrivateKey, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { addEndpoint, disableEndpoint, rotateToken } from '../../services/commands/endpoints/changes.ts';
import { changeEndpoints } from '../../services/commands/endpoints/file.ts';
import { hashToken, loadConfig, type TenantConfig } from '../../services/config.ts';
import { type EndpointsContent, hashEndpoints, loadEndpoints } from '../../services/endpoints-file.ts';
import { entry, environmentOf, isAlive, metricOf } from '../supervisor/installation.ts';
import { head, rawClient, temporaryFolder } from './fixture.ts';

// Each starts a process or several.
vi.setConfig({ testTimeout: 60_000 });

const body = '{"name":"WA1NWNDWEB01"}';
const definition = { provider: 'centurylink', event: 'Server.Created', account: 'NWND', recursive: true };
const day = 86_400_000;
/** Machines may be slow; nothing here waits for that long. */
const soon = { timeout: 15_000 };

async function start() {
  const dataFolder = temporaryFolder();
  const env = environmentOf(dataFolder);
  const child = spawn(process.execPath, [entry, 'edge'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const log: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
  const urls: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => urls.push(line));
  await vi.waitFor(() => expect(urls).toHaveLength(2), soon);
  const [url, internalUrl] = urls as [string, string];
  const config = loadConfig(env);
  const privateKey = createPrivateKey(readFileSync(join(dataFolder, 'demo', 'private.pem')));
  const signature = sign('sha1', Buffer.from(body), privateKey).toString('base64');
  return { child, config, log, url, internalUrl, signature };
}

type Edge = Awaited<ReturnType<typeof start>>;

const askReady = async (url: string) =>
  (await (await fetch(`${url}/readyz`)).json()) as { endpoints: string; remarks?: string[] };
const saidBy = async (url: string) => (await askReady(url)).endpoints;

/** Changes endpoints.json as the command does, and waits until the edge has taken it up. */
async function change(
  { child, config, url }: Edge,
  how: (content: EndpointsContent, tenant: TenantConfig) => EndpointsContent,
  signal: boolean,
): Promise<void> {
  await changeEndpoints(config.endpointsFile, (content) => ({ content: how(content, config.tenants[0]!) }));
  if (signal) child.kill('SIGHUP');
  const wanted = hashEndpoints(loadEndpoints(config));
  await vi.waitFor(async () => expect(await saidBy(url)).toBe(wanted), soon);
}

/** Calls one endpoint over and over on many connections, until it is told to stop; how often it was answered what. */
function keepCalling({ url, signature }: Edge, token: () => string, connections = 8) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const answers: Record<string, number> = {};
  let stopped = false;
  const headers = { 'content-type': 'application/json', 'tier3-rsasha1': signature };
  const call = () =>
    new Promise<void>((resolve) => {
      const count = (what: string) => {
        answers[what] = (answers[what] ?? 0) + 1;
        resolve();
      };
      const sent = request(`${url}/in/${token()}`, { agent, method: 'POST', headers }, (answer) => {
        answer.resume().on('end', () => count(String(answer.statusCode)));
      });
      sent.on('error', (error) => count(error.message));
      sent.end(body);
    });
  const loops = Array.from({ length: connections }, async () => {
    while (!stopped) await call();
  });
  return {
    answers,
    async stop() {
      stopped = true;
      await Promise.all(loops);
      agent.destroy();
      return answers;
    },
  };
}

test('endpoints change fifteen times under load: nobody who is right is refused, and every request is accounted for', async () => {
  const edge = await start();
  const nowMs = Date.now();
  let newest = 'demo-server-created';
  const steady = keepCalling(edge, () => 'demo-account-created');
  const rotated = keepCalling(edge, () => newest);
  const stranger = keepCalling(edge, () => 'there-is-none', 2);
  for (let round = 0; round < 5; round++) {
    const name = `added-${round}`;
    const sha256 = hashToken(name);
    await change(edge, (content, tenant) => addEndpoint(content, tenant, { name, definition, sha256, nowMs }), true);
    const next = `token-${round}`;
    const rotation = { name: 'server-created', sha256: hashToken(next), graceMs: day, nowMs };
    await change(edge, (content, tenant) => rotateToken(content, tenant, rotation), round !== 2);
    newest = next;
    await change(edge, (content, tenant) => disableEndpoint(content, tenant, { name, nowMs }), true);
  }
  const [calm, changed, unknown] = await Promise.all([steady.stop(), rotated.stop(), stranger.stop()]);
  expect([Object.keys(calm), Object.keys(changed), Object.keys(unknown)]).toEqual([['202'], ['202'], ['404']]);
  expect(calm['202']! + changed['202']!).toBeGreaterThan(300);
  const total = calm['202']! + changed['202']! + unknown['404']!;
  expect(await metricOf(edge.url, 'hookwatch_edge_requests_total')).toBe(total);
  expect(await metricOf(edge.url, 'hookwatch_edge_journaled_total')).toBe(calm['202']! + changed['202']!);
  expect(await metricOf(edge.url, 'hookwatch_edge_refused_total')).toBe(unknown['404']);
  expect(edge.log.filter((line) => /"level":[5-9]0/.test(line))).toEqual([]);
});

test('a request whose head was taken is taken to its end, though its endpoint is disabled meanwhile', async () => {
  const edge = await start();
  const client = rawClient(Number(new URL(edge.url).port));
  const lines = [
    'Content-Type: application/json',
    `Tier3-RsaSha1: ${edge.signature}`,
    `Content-Length: ${body.length}`,
  ];
  client.send(head([...lines, 'Expect: 100-continue'], { to: 'demo-server-created' }));
  await vi.waitFor(() => expect(client.received()).toContain('100 Continue'), soon);
  client.send(body.slice(0, 5));
  const disabling = { name: 'server-created', nowMs: Date.now() };
  await change(edge, (content, tenant) => disableEndpoint(content, tenant, disabling), true);
  client.send(body.slice(5));
  await vi.waitFor(() => expect(client.received()).toContain('HTTP/1.1 202 '), soon);
  client.send(`${head(lines, { to: 'demo-server-created' })}${body}`);
  await vi.waitFor(() => expect(client.received()).toContain('HTTP/1.1 404 '), soon);
});

test('a damaged file is told of on both ports, in the log and in the metrics, and ends nothing', async () => {
  const edge = await start();
  const before = await saidBy(edge.url);
  writeFileSync(edge.config.endpointsFile, 'damaged');
  for (const url of [edge.url, edge.internalUrl]) {
    await vi.waitFor(
      async () => expect((await askReady(url)).remarks).toEqual([expect.stringMatching(/it is no JSON/)]),
      soon,
    );
    expect(await saidBy(url)).toBe(before);
  }
  expect(await metricOf(edge.url, 'hookwatch_edge_endpoints_refused')).toBe(1);
  expect(await metricOf(edge.url, 'hookwatch_edge_endpoints_info', `hash="${before}"`)).toBe(1);
  expect(edge.log.filter((line) => line.includes('Endpoints were not read again'))).toHaveLength(1);
  const listed = (await (await fetch(`${edge.internalUrl}/endpoints`)).json()) as { endpoints: object[] };
  expect(listed.endpoints).toHaveLength(edge.config.tenants.flatMap(({ endpoints }) => endpoints).length);
  expect(JSON.stringify(listed)).not.toMatch(/token|sha256|[0-9a-f]{64}|demo-/i);
  expect((await fetch(`${edge.url}/endpoints`)).status).toBe(404);
});

test('without a certificate SIGHUP has an edge read its endpoints again and ends nothing', async () => {
  const { child, log } = await start();
  child.kill('SIGHUP');
  await vi.waitFor(() => expect(log.some((line) => line.includes('Endpoints were read again'))).toBe(true), soon);
  await setImmediate();
  expect(isAlive(child.pid!)).toBe(true);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

/** The exit code and what was printed. */
async function run(args: string[], env: Record<string, string>) {
  const child: ChildProcess = spawn(process.execPath, [entry, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) child[name]!.on('data', (chunk) => (printed[name] += chunk));
  const [code] = await once(child, 'close');
  return { code, ...printed };
}

test('the command as its user runs it: help, wrong usage, and an edge that does not run yet', async () => {
  const env = environmentOf(temporaryFolder());
  const [help, wrong] = await Promise.all([
    run(['endpoints', '--help'], env),
    run(['endpoints', 'rotate', 'x', '--gone'], env),
  ]);
  expect(help).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Usage: .* endpoints/) });
  expect(wrong).toMatchObject({ code: 2, stdout: '' });
  const line = ['endpoints', 'add', 'x', '--provider', 'centurylink', '--event', 'User.Created', '--account', 'nwnd'];
  const added = await run([...line, '--no-wait', '--json'], env);
  expect(added).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(added.stdout)).toMatchObject({ name: 'x', token: expect.stringMatching(/^[\w-]{43}$/) });
  expect(await run([...line, '--no-wait'], env)).toEqual({
    code: 1,
    stdout: '',
    stderr: 'northwind/x is there already\n',
  });
});
