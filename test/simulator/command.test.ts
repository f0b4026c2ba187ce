import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type SimulateContext, simulateCommand } from '../../services/simulator/command.ts';
import { accept, createKeys, findFreePort, startReceiver, tenantOf } from './fixtures.ts';

const keys = createKeys();

function makeDataFolder({ withKey = true } = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-simulate-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'demo'));
  if (withKey) writeFileSync(join(folder, 'demo', 'private.pem'), keys.privateKey);
  return folder;
}

async function run(argv: string[], fields: Partial<SimulateContext> = {}) {
  const [out, error]: [string[], string[]] = [[], []];
  const code = await simulateCommand(argv, {
    dataFolder: fields.dataFolder ?? makeDataFolder(),
    edgeUrl: 'http://127.0.0.1:1',
    clickhouseUrl: 'http://localhost:8123',
    tenants: [tenantOf()],
    out: { write: (text) => out.push(text) },
    error: { write: (text) => error.push(text) },
    ...fields,
  });
  return { code, out: out.join(''), error: error.join('') };
}

const short = ['--rate', '300', '--seconds', '1'];
const shortest = ['--rate', '100', '--seconds', '0.1'];

describe('usage', () => {
  test('--help names every option', async () => {
    const { code, out } = await run(['--help']);
    expect(code).toBe(0);
    for (const option of ['rate', 'seconds', 'seed', 'url', 'port-offset', 'tenant', 'ledger', 'help']) {
      expect(out).toContain(`--${option}`);
    }
  });

  test.each([
    { argv: ['--speed', '9'], message: /--speed/ },
    { argv: ['surplus'], message: /surplus/ },
    { argv: ['--rate', 'fast'], message: /--rate .* it is 'fast'/ },
    { argv: ['--rate', '0'], message: /--rate/ },
    { argv: ['--rate='], message: /--rate/ },
    { argv: ['--seconds', '-1'], message: /--seconds/ },
    { argv: ['--seed', '1.5'], message: /--seed as a whole number/ },
    { argv: ['--seed', '4294967296'], message: /--seed/ },
    { argv: ['--url', 'localhost:8080'], message: /--url/ },
    { argv: ['--port-offset', 'x'], message: /--port-offset/ },
    { argv: ['--tenant', 'southwind'], message: /tenant southwind: .* they are: northwind$/m },
  ])('$argv is wrong', async ({ argv, message }) => {
    const { code, error } = await run(argv);
    expect(error).toMatch(message);
    expect(code).toBe(2);
  });

  test('only a tenant with demo: true will do', async () => {
    const { code, error } = await run(['--tenant', 'northwind'], { tenants: [tenantOf({ demo: false })] });
    expect([code, error]).toEqual([2, expect.stringContaining('they are: none')]);
  });
});

describe('a run that cannot begin', () => {
  test('without the key', async () => {
    const dataFolder = makeDataFolder({ withKey: false });
    const { code, error } = await run([], { dataFolder });
    const path = join(dataFolder, 'demo', 'private.pem');
    expect(error).toContain(`start hookwatch first (npm start) so that ${path} exists`);
    expect(code).toBe(1);
  });

  test('with a key that is none', async () => {
    const dataFolder = makeDataFolder();
    writeFileSync(join(dataFolder, 'demo', 'private.pem'), 'nonsense');
    const { code, error } = await run([], { dataFolder });
    expect(error).toMatch(/Cannot sign with the demo key/);
    expect(code).toBe(1);
  });

  test('without an edge', async () => {
    const edgeUrl = `http://127.0.0.1:${await findFreePort()}`;
    const { code, error } = await run([], { edgeUrl });
    expect(error).toContain(`Cannot reach the edge at ${edgeUrl} (ECONNREFUSED): start hookwatch first (npm start)`);
    expect(code).toBe(1);
  });

  test('without endpoints', async () => {
    const { code, error } = await run([], { tenants: [tenantOf({ endpoints: [] })] });
    expect(error).toMatch(/Cannot simulate tenant northwind/);
    expect(code).toBe(1);
  });

  test('with a ledger that cannot be written', async () => {
    const receiver = await startReceiver();
    const { code, error } = await run(['--ledger', '/nowhere/at/all'], { edgeUrl: receiver.url });
    expect(error).toMatch(/Cannot write the ledger \/nowhere\/at\/all/);
    expect(code).toBe(1);
  });
});

describe('a run', () => {
  test('sends each event to its endpoint and sums up what it sent', async () => {
    const receiver = await startReceiver();
    const ledgerFile = join(makeDataFolder(), 'ledger');
    const { code, out } = await run([...short, '--ledger', ledgerFile], { edgeUrl: receiver.url });
    expect(code).toBe(0);
    expect(receiver.received).toHaveLength(300);
    expect(out).toContain('Sent 300 deliveries');
    expect(out).toMatch(
      /Labelled fraud: account R\w+, created and then given 8 distinct servers; expect one detection/,
    );

    const lines = readFileSync(ledgerFile, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' '));
    const events = lines.filter(([kind]) => kind === 'sent').map(([, , event]) => event!);
    const paths = events.map((event) => `/in/demo-${event.toLowerCase().replace('.', '-')}`);
    expect(receiver.received.map(({ path }) => path).sort()).toEqual(paths.sort());
    expect(lines.filter(([kind]) => kind === 'answered')).toHaveLength(300);
    // The one of a stranger is no fact.
    const created = events.filter((event) => event === 'Server.Created').length - 1;
    expect(out).toMatch(new RegExp(`Server.Created +${created}\n`));
  });

  test('prints commands for a shell that ask ClickHouse', async () => {
    const receiver = await startReceiver();
    const { out } = await run(shortest, { edgeUrl: receiver.url });
    const commands = [...out.matchAll(/^ *curl '([^']+)'$/gm)].map(([, url]) => new URL(url!));
    const queries = commands.map((url) => url.searchParams.get('query')!);
    expect(new Set(commands.map(({ origin, pathname }) => origin + pathname))).toEqual(
      new Set(['http://localhost:8123/']),
    );
    for (const view of ['deliveries', 'events', 'episodes', 'detections']) {
      expect(queries.some((query) => query.includes(`FROM hookwatch.${view} `))).toBe(true);
    }
    const tag = /contain (R\w{5})/.exec(out)![1]!;
    expect(queries.filter((query) => !query.includes(`${tag}%'`))).toEqual([]);
  });

  test('1 when some were not answered 202, with advice', async () => {
    const receiver = await startReceiver((response, received, count) => {
      if (count % 100 === 1) response.writeHead(503).end();
      else if (count % 100 === 2) response.destroy();
      else accept(response, received, count);
    });
    const { code, out } = await run(short, { edgeUrl: receiver.url });
    expect(code).toBe(1);
    expect(out).toContain('294 were answered 202');
    expect(out).toMatch(/3 times 503: .*journal/);
    expect(out).toMatch(/3 times ECONNRESET: /);
    expect(receiver.received).toHaveLength(300);
  });

  test('does not send what no endpoint listens to', async () => {
    const receiver = await startReceiver();
    const { endpoints } = tenantOf();
    const tenant = tenantOf({
      endpoints: [
        ...endpoints.filter(({ event }) => event === 'Server.Created'),
        // Not told of sub-accounts, and of another provider: neither would be called.
        { ...endpoints[0]!, event: 'User.Updated', recursive: false },
        { ...endpoints[0]!, event: 'User.Created', provider: 'citrix' },
      ],
    });
    const { code, out } = await run(short, { edgeUrl: receiver.url, tenants: [tenant] });
    expect(code).toBe(0);
    expect(new Set(receiver.received.map(({ path }) => path))).toEqual(new Set(['/in/demo-server-created']));
    expect(out).toContain(`${300 - receiver.received.length} more had no endpoint`);
  });

  test('adds the port offset to both ports', async () => {
    const receiver = await startReceiver();
    const port = Number(new URL(receiver.url).port);
    const { code, out } = await run([...shortest, '--port-offset', '3'], { edgeUrl: `http://127.0.0.1:${port - 3}` });
    expect(code).toBe(0);
    expect(out).toContain("curl 'http://localhost:8126/?query=");
  });

  test('--url goes before the configured address', async () => {
    const receiver = await startReceiver();
    expect(await run([...shortest, '--url', receiver.url])).toMatchObject({ code: 0 });
    expect(receiver.received).toHaveLength(10);
  });

  test('the thresholds of the tenant shape the fraud', async () => {
    const receiver = await startReceiver();
    const tenant = tenantOf({ rules: { 'account-created-then-servers': { servers: 10, within_ms: 3_600_000 } } });
    const { out } = await run(['--rate', '150', '--seconds', '2'], { edgeUrl: receiver.url, tenants: [tenant] });
    expect(out).toContain('given 13 distinct servers; expect one detection on it.');
  });

  test('stops when told to and sums up what was sent so far', async () => {
    const stop = new AbortController();
    const receiver = await startReceiver((response, received, count) => {
      if (count === 5) stop.abort();
      accept(response, received, count);
    });
    const { code, out } = await run(['--rate', '50', '--seconds', '3600'], {
      edgeUrl: receiver.url,
      signal: stop.signal,
    });
    expect(code).toBe(0);
    expect(out).toContain(`Sent ${receiver.received.length} deliveries`);
    expect(out).toContain('the run was too short');
  });

  test('SIGINT stops it too', async () => {
    const listenersBefore = process.listenerCount('SIGINT');
    const receiver = await startReceiver((response, received, count) => {
      if (count === 5) process.emit('SIGINT');
      accept(response, received, count);
    });
    const { code, out } = await run(['--rate', '50', '--seconds', '3600'], { edgeUrl: receiver.url });
    expect(code).toBe(0);
    expect(out).toContain(`Sent ${receiver.received.length} deliveries`);
    expect(process.listenerCount('SIGINT')).toBe(listenersBefore);
  });
});
