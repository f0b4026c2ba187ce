/**
 * The command as a process of its own, killed (SIGKILL) before or behind requests that a seed chooses, and started again
 * until it has ended by itself. KILL_SEED runs the same kills again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { reconcileTenant } from '../../services/reconcile/tenant.ts';
import { createTestTime, deliveriesOf, endpoint, tenant } from '../edge/fixture.ts';
import { startInstallation } from '../installation.ts';
import {
  type Cloud,
  type ModelServer,
  newAccount,
  recordedCloud,
  startCenturylink,
} from '../provider-api/centurylink.ts';

const seed = Number(process.env.KILL_SEED ?? randomInt(2 ** 31));
const program = fileURLToPath(new URL('../../services/hookwatch.ts', import.meta.url));

/** Two recorded servers in the account ALTD: few enough for a process that makes five calls a second. */
function smallCloud(): Cloud {
  const altd = newAccount('ALTD');
  altd.dataCenters.set('DE1', { id: 'root', name: 'DE1 Hardware', groups: [] });
  for (const server of [...recordedCloud().get('ALTD')!.servers.values()].slice(0, 2)) {
    altd.servers.set(server.id, { ...server, groupId: 'root' });
  }
  return new Map([['ALTD', altd]]);
}

/** Passes requests on to the API and to the edge, and tells of each before and behind it. */
async function startGate(apiUrl: string, edgeUrl: string, onRequest: (when: 'before' | 'behind') => void) {
  const pass = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    onRequest('before');
    const { url = '', method = '', headers } = incoming;
    const { authorization = '' } = headers;
    const answer = await fetch(`${url.startsWith('/v2/') ? new URL(apiUrl).origin : edgeUrl}${url}`, {
      method,
      headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    });
    const text = await answer.text();
    onRequest('behind');
    outgoing.writeHead(answer.status, { 'content-type': 'application/json' }).end(text);
  };
  const server = createServer((incoming, outgoing) => {
    pass(incoming, outgoing).catch((error) => outgoing.destroy(error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

async function start() {
  const time = createTestTime(Date.now());
  const tenants = [tenant({ roots: ['centurylink:ALTD'], endpoints: [endpoint({ account: 'ALTD' })] })];
  const { edge, lane, urls } = await startInstallation({ time, tenants });
  const ticking = setInterval(() => {
    time.pass(1_000);
    edge.tick();
  }, 10);
  const cloud = await startCenturylink(smallCloud());
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-killed-'));
  let child: ChildProcess | undefined;
  onTestFinished(() => {
    clearInterval(ticking);
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  let killAt = Number.POSITIVE_INFINITY;
  let moments = 0;
  const port = await startGate(cloud.url, edge.internalUrl, () => {
    if (++moments >= killAt) child?.kill('SIGKILL');
  });
  const config = join(folder, 'hookwatch.yaml');
  writeFileSync(config, 'tenants: [{ name: northwind, roots: ["centurylink:ALTD"] }]\n');
  const variables = {
    HOOKWATCH_DATA: join(folder, 'data'),
    HOOKWATCH_CONFIG: config,
    HOOKWATCH_EDGE_INTERNAL_PORT: String(port),
    HOOKWATCH_CONSOLE_PORT: new URL(urls.lanesUrls[0]!).port,
    HOOKWATCH_CLC_URL: `http://127.0.0.1:${port}/v2`,
    HOOKWATCH_CLC_USERNAME: cloud.username,
    HOOKWATCH_CLC_PASSWORD: cloud.password,
  };
  return {
    edge,
    lane,
    /** Within this process, and undisturbed. */
    compare: () =>
      reconcileTenant({
        ...urls,
        tenant: 'northwind',
        roots: ['centurylink:ALTD'],
        dataFolder: variables.HOOKWATCH_DATA,
        api: { ...cloud, baseUrl: cloud.url, limits: { callsPerSecondMax: 100_000 } },
        settleMs: 0,
        laneLimits: { pollIntervalMs: 5 },
      }),
    servers: cloud.cloud.get('ALTD')!.servers,
    /** Resolves to its exit code and what it wrote; null where it was killed, after so many moments. */
    async run(moment = Number.POSITIVE_INFINITY): Promise<{ code: number | null; out: string; error: string }> {
      moments = 0;
      killAt = moment;
      const args = [program, 'reconcile', '--settle', '0s', '--json'];
      const started = spawn(process.execPath, args, { env: { PATH: process.env.PATH, ...variables } });
      child = started;
      let out = '';
      let error = '';
      started.stdout.on('data', (data) => (out += data));
      started.stderr.on('data', (data) => (error += data));
      const [code] = await once(started, 'close');
      return { code, out, error };
    },
  };
}

/** Small numbers that follow from the seed. */
function* draws(bound: number): Generator<number> {
  for (let state = seed >>> 0; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield 1 + Math.floor((state / 2 ** 32) * bound);
  }
}

test('whenever it is killed, it goes on, and everything is told once in effect', { timeout: 120_000 }, async () => {
  const { run, compare, servers, edge, lane } = await start();
  expect((await compare()).complete).toBe(true);
  const [changed, gone] = [...servers.values()] as [ModelServer, ModelServer];
  servers.set(changed.id, { ...changed, status: 'archived' });
  servers.delete(gone.id);
  const now = new Date(Date.now() + 1_000).toISOString().replace(/\.\d+/, '');
  const text = JSON.stringify({ ...changed, changeInfo: { createdDate: now, modifiedDate: now } });
  servers.set(
    'de1altdnew01',
    JSON.parse(text.replaceAll(changed.id, 'de1altdnew01').replaceAll(changed.name, 'DE1ALTDNEW01')),
  );
  const events = () => lane()?.ledger?.events ?? 0;
  const first = deliveriesOf(await edge.log.records()).length;
  await expect.poll(() => lane()?.ledger?.journaled).toBe(first);
  const before = events();

  const kills = draws(16);
  let killed = 0;
  let last = await run(kills.next().value!);
  for (; last.code === null && killed < 20; killed++) {
    // Those that come far are killed further on, so that it comes to an end.
    last = await run(kills.next().value! + killed * 12);
  }
  expect([last.code, last.error], `KILL_SEED=${seed}`).toEqual([0, expect.any(String)]);
  expect(killed, `KILL_SEED=${seed}`).toBeGreaterThan(0);
  const [report] = JSON.parse(last.out);
  expect(report.accounts, `KILL_SEED=${seed}`).toMatchObject([
    { missed_creations: 1, missed_changes: 1, missed_deletions: 1, complete: true },
  ]);
  const told = deliveriesOf(await edge.log.records()).filter(({ headers }) => headers['hookwatch-run'] === report.run);
  expect(new Set(told.map(({ headers }) => headers['hookwatch-id'])).size, `KILL_SEED=${seed}`).toBe(3);
  await expect.poll(() => events() - before).toBe(3);
  expect((await compare()).claims, `KILL_SEED=${seed}`).toEqual([]);
  expect(events() - before, `KILL_SEED=${seed}`).toBe(3);
});
