import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { endpointsCommand } from '../../../services/commands/endpoints/command.ts';
import { type Config, ConfigError, hashToken, loadConfig } from '../../../services/config.ts';
import { startEdge } from '../../../services/edge/process.ts';
import { createStatusApp, serve } from '../../../services/http.ts';
import { createMemoryCheckpoints } from '../../../services/ports/checkpoints/memory.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { createRegistry, workerMetrics } from '../../../services/telemetry.ts';
import { createWorker } from '../../../services/worker/worker.ts';
import { body, demoKeyPem, signature } from '../../edge/fixture.ts';

// Edges look at their files once a second, and each test waits for them several times.
vi.setConfig({ testTimeout: 60_000 });

const logger = pino({ level: 'silent' });
const yaml = `
tenants:
  - name: northwind
    demo: true
    roots: [centurylink:NWND]
    endpoints:
      - { name: server-created, provider: centurylink, event: Server.Created, account: NWND, token: of-the-yaml }
`;

/** Settings of an edge; both of an installation have one hookwatch.yaml and one endpoints.json. */
function configOf(folder: string, name: string): Config {
  return loadConfig({
    HOOKWATCH_CONFIG: join(folder, 'hookwatch.yaml'),
    HOOKWATCH_DATA: join(folder, name),
    HOOKWATCH_ENDPOINTS_FILE: join(folder, 'shared', 'endpoints.json'),
    HOOKWATCH_EDGE_NAME: name,
    HOOKWATCH_EDGE_PORT: '0',
    HOOKWATCH_EDGE_INTERNAL_PORT: '0',
  });
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-endpoints-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'hookwatch.yaml'), yaml);
  return folder;
}

async function startOne(folder: string, name: string) {
  const log = createMemoryLog();
  const registry = createRegistry('edge');
  const config = configOf(folder, name);
  const edge = await startEdge({ config, log, journalBytes: () => 0, demoKeyPem, registry, logger });
  onTestFinished(edge.close);
  const post = async (token: string) => {
    const headers = { 'content-type': 'application/json', 'tier3-rsasha1': signature(body) };
    return (await fetch(`${edge.url}/in/${token}`, { method: 'POST', headers, body })).status;
  };
  return { ...edge, log, config, post };
}

/** Two edges, and a worker on the lane of the first. */
async function start() {
  const folder = newFolder();
  const edges = [await startOne(folder, 'edge-1'), await startOne(folder, 'edge-2')] as const;
  const registry = createRegistry('test');
  const worker = createWorker({
    tenants: ['northwind'],
    records: edges[0].log,
    outputs: createMemoryLog(),
    checkpoints: createMemoryCheckpoints(),
    metrics: workerMetrics(registry),
    logger,
  });
  const running = worker.run();
  const app = createStatusApp(registry, worker.troubles);
  app.get('/lanes', (c) => c.json(worker.lanes()));
  const served = await serve(app, '127.0.0.1', 0);
  onTestFinished(async () => {
    await worker.stop();
    await running;
    await served.close();
  });
  const known = () => worker.lanes().northwind?.settings?.endpoints.map(({ name }) => name);
  await vi.waitFor(() => expect(known()).toEqual(['server-created']), { timeout: 15_000 });
  return { folder, edges, lanesUrl: served.url, known };
}

type Installation = Awaited<ReturnType<typeof start>>;

interface Fields {
  edgeUrls?: string[];
  lanesUrl?: string;
  timeoutMs?: number;
  publicUrl?: string;
}

/** Runs the command; what it printed as JSON where it was asked to. */
async function run({ edges, lanesUrl }: Installation, line: string, fields: Fields = {}) {
  const { edgeUrls = [edges[0].internalUrl, edges[1].url], publicUrl, timeoutMs = 15_000 } = fields;
  const printed = { out: '', error: '' };
  const writerTo = (name: keyof typeof printed) => ({
    write(text: string) {
      printed[name] += text;
    },
  });
  const code = await endpointsCommand(line.split(' '), () => ({
    config: { ...configOf(join(edges[0].config.dataFolder, '..'), 'edge-1'), edgeUrls },
    publicUrl,
    timeoutMs,
    urls: async () => ({ edgeInternalUrl: edges[0].internalUrl, lanesUrls: [fields.lanesUrl ?? lanesUrl] }),
    out: writerTo('out'),
    error: writerTo('error'),
  }));
  const json = line.includes('--json') && printed.out !== '' ? JSON.parse(printed.out) : undefined;
  return { code, ...printed, json };
}

const add = 'add acme --provider centurylink --event Server.Created --account acme --recursive';

describe('with two edges at work', () => {
  test('one that is added is listened to by both and known to the lane when the command ends', async () => {
    const installation = await start();
    const { code, json } = await run(installation, `${add} --json`);
    expect({ code, json }).toMatchObject({
      code: 0,
      json: { tenant: 'northwind', name: 'acme', done: true, edges: [{ ready: true }, { ready: true }] },
    });
    expect(json.token).toMatch(/^[\w-]{43}$/);
    expect(await Promise.all(installation.edges.map((edge) => edge.post(json.token)))).toEqual([202, 202]);
    expect(await Promise.all(installation.edges.map((edge) => edge.post('of-the-yaml')))).toEqual([202, 202]);
    expect(installation.known()).toEqual(['server-created', 'acme']);
    const stored = readFileSync(join(installation.folder, 'shared', 'endpoints.json'), 'utf8');
    expect(stored).not.toContain(json.token);
    expect(stored).toContain(hashToken(json.token));
  });

  test('a rotation takes both tokens, and with --now the new one alone', async () => {
    const installation = await start();
    const [edge] = installation.edges;
    const statuses = (...tokens: string[]) => Promise.all(tokens.map((token) => edge.post(token)));
    const first = (await run(installation, 'rotate server-created --json')).json;
    expect(await statuses('of-the-yaml', first.token)).toEqual([202, 202]);
    expect(Date.parse(first.beforeEndsAt) - Date.now()).toBeGreaterThan(23 * 3_600_000);
    const second = (await run(installation, 'rotate server-created --now --json')).json;
    expect(second).toMatchObject({ done: true, lane: { done: 'nothing has changed' } });
    expect(await statuses('of-the-yaml', first.token, second.token)).toEqual([404, 404, 202]);
  });

  test('a grace that is over ends the token before by the clock of the edges, and changes nothing else', async () => {
    const installation = await start();
    const [edge] = installation.edges;
    const { json } = await run(installation, 'rotate server-created --grace 1s --json');
    await vi.waitFor(async () => expect(await edge.post('of-the-yaml')).toBe(404), { timeout: 15_000 });
    expect(await edge.post(json.token)).toBe(202);
    expect((await run(installation, 'list')).code).toBe(0);
  });

  test('one that is disabled is answered as one that there never was, and comes back with its tokens', async () => {
    const installation = await start();
    const [edge] = installation.edges;
    const answerTo = async (token: string) => {
      const answer = await fetch(`${edge.url}/in/${token}`, { method: 'POST', body });
      return [answer.status, await answer.text()];
    };
    expect(await run(installation, 'disable server-created')).toMatchObject({ code: 0 });
    expect(await answerTo('of-the-yaml')).toEqual(await answerTo('there-never-was'));
    expect(installation.known()).toEqual([]);
    const { json } = await run(installation, 'list --json');
    expect(json.endpoints).toMatchObject([{ name: 'server-created', state: 'disabled', tokens: [], lane: true }]);
    expect(await run(installation, 'enable server-created')).toMatchObject({ code: 0 });
    expect(await edge.post('of-the-yaml')).toBe(202);
    expect(installation.known()).toEqual(['server-created']);
  });

  test('several at once are all listened to, and the lane knows all', async () => {
    const installation = await start();
    const names = ['a', 'b', 'c', 'd'];
    const added = await Promise.all(
      names.map((name) => run(installation, `${add.replace('acme', name)} --json`, { timeoutMs: 15_000 })),
    );
    expect(added.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect(installation.known()!.toSorted()).toEqual([...names, 'server-created']);
    const statuses = added.map(({ json }) => installation.edges[1].post(json.token));
    expect(await Promise.all(statuses)).toEqual([202, 202, 202, 202]);
  });

  test('a secret comes from a file, and verifies', async () => {
    const installation = await start();
    const { folder, edges } = installation;
    const line = `add ctx --provider citrix --account acme --secret-file ${join(folder, 'secret')} --json`;
    writeFileSync(join(folder, 'secret'), 'the-first-secret-of-acme\n');
    const { code, json } = await run(installation, line);
    expect(code).toBe(0);
    const present = async (secret: string) => {
      const headers = { 'content-type': 'application/json', authorization: secret };
      return (await fetch(`${edges[1].url}/in/${json.token}`, { method: 'POST', headers, body: '{}' })).status;
    };
    expect([await present('the-first-secret-of-acme'), await present('another')]).toEqual([202, 401]);
    const rotate = async (text: string, more: string) => {
      writeFileSync(join(folder, 'secret'), text);
      return run(installation, `rotate ctx --secret-file ${join(folder, 'secret')}${more}`);
    };
    expect(await rotate('the-second-secret-of-acme', '')).toMatchObject({ code: 0 });
    expect([await present('the-first-secret-of-acme'), await present('the-second-secret-of-acme')]).toEqual([202, 202]);
    const last = await rotate('the-third-secret-of-acme', ' --now');
    expect(last).toMatchObject({ code: 0, error: '' });
    expect(last.out).not.toContain('the-third');
    expect([await present('the-second-secret-of-acme'), await present('the-third-secret-of-acme')]).toEqual([401, 202]);
  });
});

describe('what is not done everywhere is said', () => {
  test('an edge that does not answer is named, and the change is written down all the same', async () => {
    const installation = await start();
    const [edge] = installation.edges;
    const edgeUrls = [edge.internalUrl, 'http://127.0.0.1:1'];
    const { code, json } = await run(installation, `${add} --json`, { edgeUrls, timeoutMs: 6_000 });
    expect(code).toBe(1);
    expect(json).toMatchObject({
      done: false,
      edges: [{ ready: true }, { ready: false, problem: expect.stringMatching(/^it does not answer: /) }],
    });
    expect(await edge.post(json.token)).toBe(202);
    expect(await run(installation, 'list', { edgeUrls })).toMatchObject({
      code: 1,
      out: expect.stringContaining('edge http://127.0.0.1:1: not ready: it does not answer'),
    });
  });

  test('an edge with another hookwatch.yaml is not ready until SIGHUP', async () => {
    const installation = await start();
    writeFileSync(join(installation.folder, 'hookwatch.yaml'), yaml.replace('account: NWND', 'account: NWNE'));
    const { code, out } = await run(installation, add, { timeoutMs: 1_500 });
    expect(code).toBe(1);
    expect(out).toMatch(/not ready: it has others\n[\s\S]*does so on SIGHUP/);
    for (const edge of installation.edges) edge.reload();
    await vi.waitFor(async () => expect((await run(installation, 'list')).code).toBe(0), { timeout: 15_000 });
  });

  test('a lane that nobody works on is not told, and what tells it is', async () => {
    const installation = await start();
    const { code, out } = await run(installation, add, { lanesUrl: 'http://127.0.0.1:1' });
    expect(code).toBe(1);
    expect(out).toContain('lane northwind: failed: Cannot reach http://127.0.0.1:1/lanes');
    expect(out).toContain('`hookwatch apply --tenant northwind` tells its lane.');
    const { json } = await run(installation, 'list --json');
    expect(json.endpoints.map(({ name, lane }: { name: string; lane: boolean }) => [name, lane])).toEqual([
      ['server-created', true],
      ['acme', false],
    ]);
  });

  test('what would not be a change is refused, and changes nothing', async () => {
    const installation = await start();
    await run(installation, add);
    const tokenFile = join(installation.folder, 'token');
    for (const line of [add, `rotate gone --token-file ${tokenFile}`, 'enable acme']) {
      expect(await run(installation, line)).toMatchObject({
        code: 1,
        out: '',
        error: expect.stringContaining('northwind/'),
      });
    }
    const { json } = await run(installation, 'list --json');
    expect(json.revision).toBe(1);
    expect(() => statSync(tokenFile)).toThrow();
  });
});

test('the URL is shown whole where it is known, or goes into a file for its owner alone', async () => {
  const installation = await start();
  const shown = await run(installation, add, { publicUrl: 'https://hooks.example.com/' });
  expect(shown.out).toMatch(/^ {2}https:\/\/hooks\.example\.com\/in\/[\w-]{43}$/m);
  const tokenFile = join(installation.folder, 'token');
  const written = await run(installation, `rotate acme --json --token-file ${tokenFile}`);
  expect(written.json).not.toHaveProperty('token');
  expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
  expect(await installation.edges[1].post(readFileSync(tokenFile, 'utf8').trim())).toBe(202);
});

test('the list is for people, too', async () => {
  const installation = await start();
  const { out } = await run(installation, 'list');
  const row = new RegExp(
    `^northwind/server-created +centurylink +Server\\.Created +NWND +no +ready +${hashToken('of-the-yaml').slice(0, 8)}$`,
    'm',
  );
  expect(out).toMatch(row);
  expect(out).toMatch(/^edge http:\/\/127\.0\.0\.1:\d+: ready$/m);
});

test.each<[line: string, message: string]>([
  ['', 'an action is missing'],
  ['remove a', 'there is no action remove'],
  ['list a', 'a is one word too many'],
  ['disable', 'disable needs the NAME of an endpoint'],
  ['disable a b', 'b is one word too many'],
  ['disable a --grace 1h', 'disable does not take --grace'],
  ['list --no-wait', 'list does not take --no-wait'],
  ['add a --provider citrix', 'add needs --account'],
  ['rotate a --now --grace 1h', '--now and --grace exclude each other'],
  ['rotate a --grace 1d', '--grace 1d must be a number and s, m or h'],
  ['rotate a --grace 2161h', '--grace 2161h must be a number and s, m or h, at most 2160h'],
  ['add a --provider nobody --account x', '--provider must be one of centurylink'],
  ['add a --provider centurylink --account x', 'event: must be one of Account.Created'],
  ['add A --provider centurylink --account ! --event Server.Created', 'account: must be an account of centurylink'],
  ['add a --provider centurylink --event Server.Created --account x --tenant z', '--tenant must be one of northwind'],
  ['rotate server-created --token-file /', 'Cannot write --token-file /'],
  ['rotate server-created --secret-file /nowhere', 'Cannot read --secret-file /nowhere'],
])('%s is wrong usage: %s', async (line, message) => {
  const folder = newFolder();
  const urls = () => Promise.reject(new Error('nobody is to be asked'));
  const command = endpointsCommand(line.split(' ').filter(Boolean), () => ({
    config: configOf(folder, 'edge-1'),
    urls,
  }));
  await expect(command).rejects.toThrow(ConfigError);
  await expect(command).rejects.toThrow(message);
});
