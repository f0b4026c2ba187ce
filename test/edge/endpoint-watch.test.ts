import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ConfigError, hashToken, type TenantConfig } from '../../services/config.ts';
import type { Listened } from '../../services/edge/endpoint-set.ts';
import { type EndpointSource, watchEndpoints } from '../../services/edge/endpoint-watch.ts';
import { type EndpointEntry, parseEndpoints, renderEndpoints } from '../../services/endpoints-file.ts';
import { createRegistry, edgeMetrics } from '../../services/telemetry.ts';
import { endpoint, temporaryFolder, tenant } from './fixture.ts';

/** Machines may be slow; nothing here waits for that long. */
const soon = { timeout: 10_000 };
const madeAt = '2026-01-01T00:00:00.000Z';
const definition = { provider: 'centurylink', event: 'Server.Created', account: 'ACME', recursive: false };
const added = (name: string): EndpointEntry => ({
  tenant: 'northwind',
  name,
  definition,
  tokens: [{ sha256: hashToken(name), madeAt }],
});

interface Fields {
  folder?: string;
  source?: EndpointSource;
  configured?: () => Listened;
  monotonicMs?: () => number;
}

function prepare({
  folder = temporaryFolder(),
  configured = () => ({ tenants: [tenant()], keys: [] }),
  ...more
}: Fields = {}) {
  const file = join(folder, 'endpoints.json');
  const copyFile = join(folder, 'edge', 'endpoints.json');
  const registry = createRegistry('edge');
  const lines: { level: number; msg: string }[] = [];
  const open = () =>
    watchEndpoints({
      file,
      copyFile,
      configured: configured(),
      readConfigured: configured,
      metrics: edgeMetrics(registry),
      logger: pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
      intervalMs: 5,
      ...more,
    });
  const refused = async () =>
    (await registry.getSingleMetric('hookwatch_edge_endpoints_refused')!.get()).values[0]!.value;
  return { folder, file, copyFile, lines, open, refused };
}

/** A watch that works; `heard`: what it has told the edge to listen to. */
function start(fields: Fields = {}) {
  const prepared = prepare(fields);
  const watch = prepared.open();
  const heard: string[][] = [];
  let unusable = '';
  watch.start(({ tenants }) => {
    if (unusable) throw new Error(unusable);
    heard.push(namesOf(tenants));
  });
  onTestFinished(watch.stop);
  const write = (...endpoints: EndpointEntry[]) => writeEndpoints(prepared.file, ...endpoints);
  const refuse = (message: string) => {
    unusable = message;
  };
  return { ...prepared, watch, heard, write, refuse };
}

const namesOf = (tenants: readonly TenantConfig[]) =>
  tenants.flatMap(({ endpoints }) => endpoints.map(({ name }) => name));

function writeEndpoints(file: string, ...endpoints: EndpointEntry[]): void {
  writeFileSync(`${file}.new`, renderEndpoints({ format: 1, revision: 1, endpoints }));
  renameSync(`${file}.new`, file);
}

test('a file that appears, changes and changes again is listened to each time, and not in between', async () => {
  const { heard, write, watch } = start();
  for (const names of [['b'], ['b', 'c'], ['c']]) {
    write(...names.map(added));
    await vi.waitFor(() => expect(heard.at(-1)).toEqual(['server-created', ...names]), soon);
  }
  expect(heard).toHaveLength(3);
  expect(watch.remarks()).toEqual([]);
  expect(namesOf(watch.listened().tenants)).toEqual(['server-created', 'c']);
});

test.each<[what: string, damage: (file: string) => void, remark: RegExp]>([
  ['no JSON', (file) => writeFileSync(file, '{"format":1,'), /Cannot use .*: it is no JSON/],
  [
    'half of itself',
    (file) => writeFileSync(file, renderEndpoints({ format: 1, revision: 1, endpoints: [] }).slice(0, 40)),
    /it is no JSON/,
  ],
  ['of another writer', (file) => writeFileSync(file, '{"format":1,"revision":1,"endpoints":[]}'), /its digest is not/],
  ['gone', (file) => rmSync(file), /Cannot read .*: it is gone/],
  ['too large', (file) => writeFileSync(file, Buffer.alloc(9 * 1024 * 1024)), /it is no file of at most/],
])('where the file is %s those before are listened to, until it is right again', async (_what, damage, remark) => {
  const { file, heard, write, watch, lines, refused } = start();
  write(added('b'));
  await vi.waitFor(() => expect(heard).toHaveLength(1), soon);
  damage(file);
  await vi.waitFor(() => expect(watch.remarks()).toEqual([expect.stringMatching(remark)]), soon);
  expect(watch.remarks()[0]).toMatch(/^the endpoints before are listened to: /);
  expect(await refused()).toBe(1);
  expect(namesOf(watch.listened().tenants)).toEqual(['server-created', 'b']);
  write(added('c'));
  await vi.waitFor(() => expect(heard.at(-1)).toEqual(['server-created', 'c']), soon);
  await vi.waitFor(() => expect(watch.remarks()).toEqual([]), soon);
  expect(await refused()).toBe(0);
  // Told once, however often it was looked at.
  expect(lines.filter(({ level }) => level === 50)).toHaveLength(1);
});

test('what the edge cannot listen to is refused like a damaged file', async () => {
  const { heard, write, watch, refuse } = start();
  refuse('a secret is none');
  write(added('b'));
  await vi.waitFor(
    () => expect(watch.remarks()).toEqual(['the endpoints before are listened to: a secret is none']),
    soon,
  );
  refuse('');
  await vi.waitFor(() => expect(heard).toEqual([['server-created', 'b']]), soon);
});

test('a secret whose file is missing is refused, and taken once it is there', async () => {
  const { folder, heard, write, watch } = start();
  const secrets = [{ id: 'one', file: 'secret-of-b', madeAt }];
  write({ ...added('b'), definition: { ...definition, provider: 'citrix', event: '' }, secrets });
  await vi.waitFor(() => expect(watch.remarks()).toEqual([expect.stringContaining('secret-of-b')]), soon);
  writeFileSync(join(folder, 'secret-of-b'), 'a-secret-of-some-length\n');
  await vi.waitFor(() => expect(heard).toEqual([['server-created', 'b']]), soon);
});

test('a copy is kept, by which an edge begins while the file is damaged or gone', async () => {
  const first = start();
  first.write(added('b'));
  await vi.waitFor(() => expect(existsSync(first.copyFile)).toBe(true), soon);
  expect(parseEndpoints(readFileSync(first.copyFile, 'utf8'), '').endpoints).toEqual([added('b')]);
  expect(statSync(first.copyFile).mode & 0o777).toBe(0o600);
  first.watch.stop();
  for (const damage of [() => writeFileSync(first.file, 'damaged'), () => rmSync(first.file)]) {
    damage();
    const { watch, heard, write } = start({ folder: first.folder });
    expect(namesOf(watch.listened().tenants)).toEqual(['server-created', 'b']);
    expect(watch.remarks()).toEqual([expect.stringMatching(/^the endpoints before are listened to: Cannot/)]);
    write(added('b'), added('c'));
    await vi.waitFor(() => expect(heard.at(-1)).toEqual(['server-created', 'b', 'c']), soon);
    // The copy has been replaced by then.
    await vi.waitFor(() => expect(watch.remarks()).toEqual([]), soon);
    watch.stop();
    writeEndpoints(first.copyFile, added('b'));
  }
});

test('without a copy an edge does not begin by a damaged file: it would take what has ended', () => {
  const { file, open } = prepare();
  writeFileSync(file, 'damaged');
  expect(open).toThrow(ConfigError);
});

test('a damaged copy is no reason not to begin by a file that is whole', async () => {
  const { file, folder, copyFile, open } = prepare();
  writeEndpoints(file, added('b'));
  const first = open();
  first.start(() => {});
  await vi.waitFor(() => expect(existsSync(copyFile)).toBe(true), soon);
  first.stop();
  writeFileSync(copyFile, 'damaged');
  expect(namesOf(start({ folder }).watch.listened().tenants)).toEqual(['server-created', 'b']);
});

test('hookwatch.yaml is read again when that is asked for, and only then', async () => {
  let endpoints = [endpoint()];
  const { heard, write, watch } = start({ configured: () => ({ tenants: [tenant({ endpoints })], keys: [] }) });
  endpoints = [endpoint({ name: 'renamed' })];
  write(added('b'));
  await vi.waitFor(() => expect(heard).toEqual([['server-created', 'b']]), soon);
  await watch.reload();
  expect(heard.at(-1)).toEqual(['renamed', 'b']);
});

test('a mistake in hookwatch.yaml stays a remark until it is read again without one', async () => {
  let mistake: string | undefined;
  const configured = (): Listened => {
    if (mistake) throw new ConfigError(mistake);
    return { tenants: [tenant()], keys: [] };
  };
  const { heard, write, watch, refused } = start({ configured });
  mistake = 'tenants: wrong';
  await watch.reload();
  write(added('b'));
  await vi.waitFor(() => expect(heard).toEqual([['server-created', 'b']]), soon);
  expect(watch.remarks()).toEqual(['the endpoints before are listened to: tenants: wrong']);
  expect(await refused()).toBe(1);
  mistake = undefined;
  await watch.reload();
  expect(watch.remarks()).toEqual([]);
  expect(await refused()).toBe(0);
});

test('an endpoint that moves to hookwatch.yaml under its name is never missing', async () => {
  let endpoints = [endpoint({ name: 'a' })];
  const { heard, write, watch } = start({ configured: () => ({ tenants: [tenant({ endpoints })], keys: [] }) });
  write(added('b'));
  await vi.waitFor(() => expect(heard).toEqual([['a', 'b']]), soon);
  endpoints = [endpoint({ name: 'b', account: 'MOVED', tokenSha256: hashToken('b') }), endpoint({ name: 'a' })];
  await watch.reload();
  expect(heard.at(-1)).toEqual(['b', 'a']);
  expect(watch.listened().tenants[0]!.endpoints[0]).toMatchObject({ account: 'MOVED', tokenSha256: hashToken('b') });
  expect(watch.remarks()).toEqual([]);
});

test('what would make one token lead to two endpoints is refused', async () => {
  let endpoints = [endpoint({ name: 'a' })];
  const { heard, write, watch } = start({ configured: () => ({ tenants: [tenant({ endpoints })], keys: [] }) });
  write(added('b'));
  await vi.waitFor(() => expect(heard).toEqual([['a', 'b']]), soon);
  endpoints = [endpoint({ name: 'c', tokenSha256: hashToken('b') })];
  await watch.reload();
  expect(watch.remarks()).toEqual([expect.stringContaining('they have the same token')]);
  expect(namesOf(watch.listened().tenants)).toEqual(['a', 'b']);
});

test('a tenant that is new begins with a restart, and one that is gone is listened to no more', async () => {
  let names = ['northwind', 'southwind'];
  const other = endpoint({ name: 'other', tokenSha256: hashToken('other') });
  const tenantNamed = (name: string) => tenant({ name, endpoints: name === 'northwind' ? [endpoint()] : [other] });
  const { heard, watch } = start({ configured: () => ({ tenants: names.map(tenantNamed), keys: [] }) });
  names = ['northwind', 'eastwind'];
  await watch.reload();
  expect(heard).toEqual([['server-created']]);
  expect(watch.remarks()).toEqual(['tenant eastwind is new: it begins when the edge starts again']);
});

test('a file system that hangs hangs nobody, and becomes a remark', async () => {
  let nowMs = 0;
  const source: EndpointSource = {
    mark: () => new Promise(() => {}),
    text: async () => '',
    secret: async () => '',
  };
  const { watch } = start({ source, monotonicMs: () => nowMs });
  nowMs = 10_000;
  expect(watch.remarks()).toEqual([]);
  nowMs = 10_001;
  expect(watch.remarks()).toEqual(['endpoints.json could not be looked at for 10 s']);
});
