import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { ConfigError, hashToken, loadConfig } from '../services/config.ts';
import { centurylinkEvents } from '../services/core/providers/centurylink/event-names.ts';
import { publishedKeyPem } from '../services/core/providers/centurylink/published-key.ts';

const endpoint = '{ name: a, provider: centurylink, event: Server.Created, account: nwnd, token: demo-server-created }';
const good = `tenants: [{ name: northwind, demo: true, roots: [centurylink:NWND], endpoints: [${endpoint}] }]`;

const sample = '{ name: s, provider: centurylink, event: Server, account: nwnd, path: sample, token: demo-sample }';

function load(yaml: string, environment: Record<string, string> = {}, portOffset = 0) {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'hookwatch.yaml');
  writeFileSync(file, yaml);
  writeFileSync(join(folder, 'token'), ' a-token-from-a-file \n');
  return loadConfig({ HOOKWATCH_CONFIG: file, ...environment }, portOffset);
}

test('the shipped example is valid, and has all ten events', () => {
  const { tenants } = loadConfig({ HOOKWATCH_CONFIG: new URL('../hookwatch.yaml', import.meta.url).pathname });
  const ofRoot = tenants[0]?.endpoints.filter(({ account }) => account === 'NWND') ?? [];
  expect(ofRoot.map(({ event }) => event).sort()).toEqual([...centurylinkEvents].sort());
});

test('what is not said has a default: loopback, the published key, five servers within an hour', () => {
  const config = load(good);
  expect(config).toMatchObject({ host: '127.0.0.1', ports: { edge: 8080, console: 8090, clickhouse: 8123 } });
  expect(config.keys).toEqual([{ id: 'centurylink-published', provider: 'centurylink', pem: publishedKeyPem }]);
  const [tenant] = config.tenants;
  expect(tenant?.rules).toEqual({ 'account-created-then-servers': { servers: 5, within_ms: 3_600_000 } });
  expect(tenant?.endpoints[0]).toMatchObject({
    account: 'NWND',
    recursive: false,
    tokenSha256: hashToken('demo-server-created'),
  });
});

test('an offset shifts every port but 0, and an empty variable counts as unset', () => {
  const { ports } = load(good, { HOOKWATCH_EDGE_PORT: '0', HOOKWATCH_CONSOLE_PORT: '' }, 100);
  expect(ports).toEqual({
    edge: 0,
    edgeInternal: 8181,
    console: 8190,
    clickhouse: 8223,
    worker: 8182,
    sink: 8183,
    reconcile: 8184,
  });
});

test('a token may stand in a file, and is kept as its hash only', () => {
  const config = load(
    good.replace('demo: true', 'demo: false').replace('token: demo-server-created', 'tokenFile: token'),
  );
  const [found] = config.tenants[0]!.endpoints;
  expect(found).toMatchObject({ tokenSha256: hashToken('a-token-from-a-file') });
  expect(found).not.toHaveProperty('token');
});

test('roots and accounts are known by one spelling', () => {
  const [tenant] = load(
    good.replace('[centurylink:NWND]', '[centurylink:nwnd], accounts: [centurylink:Other]'),
  ).tenants;
  expect(tenant).toMatchObject({ roots: ['centurylink:NWND'], accounts: ['centurylink:OTHER'] });
});

test('a sample URL may be open, and then needs no token', () => {
  const [withToken] = load(good.replace(endpoint, sample)).tenants[0]!.endpoints;
  expect(withToken).toMatchObject({ event: 'Server', sample: true, tokenSha256: hashToken('demo-sample') });
  expect(withToken).not.toHaveProperty('open');
  const [open] = load(good.replace(endpoint, sample.replace('token: demo-sample', 'open: true'))).tenants[0]!.endpoints;
  expect(open).toMatchObject({ event: 'Server', sample: true, open: true, tokenSha256: '' });
});

test('a tenant may have no endpoint yet', () => {
  expect(load(good.replace(endpoint, '')).tenants[0]?.endpoints).toEqual([]);
});

const citrix = '{ name: c, provider: citrix, account: acme, token: demo-citrix, secrets: [SECRETS] }';
const withSecrets = (secrets: string, yaml = good) => yaml.replace(endpoint, citrix.replace('SECRETS', secrets));

test('a secret lies in a file, or under a demo in the settings; nothing that prints settings shows it', () => {
  const secrets = '{ id: one, file: token }, { id: two, text: "Basic of-the-demo" }';
  const [found] = load(withSecrets(secrets)).tenants[0]!.endpoints;
  expect(found!.secrets!.map(({ id, reveal }) => [id, reveal()])).toEqual([
    ['one', 'a-token-from-a-file'],
    ['two', 'Basic of-the-demo'],
  ]);
  for (const printed of [JSON.stringify(found), inspect(found, { depth: 9 })]) {
    expect(printed).not.toMatch(/a-token-from-a-file|of-the-demo/);
  }
  expect(found).toMatchObject({ event: '', account: 'acme' });
});

test.each<[mistake: string, yaml: string, message: RegExp]>([
  [
    'a plain secret outside of a demo',
    withSecrets('{ id: a, text: "Basic plain-secret" }').replace('demo: true', 'demo: false'),
    /northwind\.c: secret a: a plain text is allowed only under demo: true; give a file/,
  ],
  ['a secret that is nowhere', withSecrets('{ id: a }'), /endpoints\.0\.secrets\.0: needs a file or/],
  ['a secret in two places', withSecrets('{ id: a, file: token, text: "Basic x" }'), /secrets\.0: needs a file or/],
  ['a secret file that is not there', withSecrets('{ id: a, file: absent }'), /cannot read .*absent/],
  [
    'a secret that no header can have',
    withSecrets('{ id: a, text: short }'),
    /northwind\.c: secret a: it is no value of an/,
  ],
  [
    'one secret twice',
    withSecrets('{ id: a, file: token }, { id: a, file: token }'),
    /secret of northwind\.c a is given twice/,
  ],
  [
    'three secrets',
    withSecrets('{ id: a, file: token }, { id: b, file: token }, { id: c, file: token }'),
    /endpoints\.0\.secrets: may have two at most/,
  ],
  [
    'an event where bodies say what they are',
    withSecrets('{ id: a, file: token }').replace('account: acme', 'event: Create, account: acme'),
    /endpoints\.0\.event: citrix says in its bodies what they are: leave it out/,
  ],
  [
    'a public key of a provider that has none',
    `keys: [{ id: a, provider: backup, file: token }]\n${good}`,
    /keys\.0\.provider: backup has no public keys/,
  ],
  [
    'a plain token outside of a demo',
    good.replace('demo: true', 'demo: false'),
    /a plain token is allowed only under demo: true/,
  ],
  ['no token', good.replace(', token: demo-server-created', ''), /needs exactly one of tokenSha256, tokenFile/],
  [
    'an unknown event',
    good.replace('Server.Created', 'Server.Exploded'),
    /endpoints\.0\.event: must be one of Account\.Created, .*Alert/,
  ],
  ['no event', good.replace('event: Server.Created, ', ''), /endpoints\.0\.event: must be one of Account\.Created/],
  [
    'an unknown provider',
    good.replace('provider: centurylink', 'provider: acme'),
    /endpoints\.0\.provider: must be one of centurylink/,
  ],
  [
    'an account that the provider cannot have',
    good.replace('nwnd', '"nw nd"'),
    /endpoints\.0\.account: must be an account of centurylink: /,
  ],
  [
    'a root of nobody',
    good.replace('[centurylink:NWND]', '[NWND]'),
    /roots\.0: must be provider:account, with a provider/,
  ],
  ['a root that is no account', good.replace(':NWND', ':N_D'), /roots\.0: must be an account of centurylink/],
  [
    'a secret where nothing is signed with one',
    good.replace('token: demo', 'secrets: [{ id: a, file: token }], token: demo'),
    /endpoints\.0\.secrets: centurylink has no secrets/,
  ],
  [
    'a sample URL for an event that is named',
    good.replace('token: demo', 'path: sample, token: demo'),
    /endpoints\.0\.path: sample goes with event Account, User, Server, Alert of centurylink/,
  ],
  [
    'an open endpoint at any other URL',
    good.replace('token: demo-server-created', 'open: true'),
    /endpoints\.0\.open: goes with path: sample alone/,
  ],
  [
    'a sample URL twice',
    good.replace(endpoint, `${sample}, ${sample.replace('name: s', 'name: t').replace('demo-sample', 'demo-another')}`),
    /the sample URL of event Server is given twice/,
  ],
  [
    'sample URLs of two tenants',
    `tenants: [{ name: one, demo: true, roots: [centurylink:ONE], endpoints: [${sample}] },
      { name: two, demo: true, roots: [centurylink:TWO], endpoints: [${sample.replaceAll('Server', 'User').replace('demo-sample', 'demo-two')}] }]`,
    /path: sample is given by one and two: one tenant may have it/,
  ],
  [
    'a key of a provider that has none',
    `keys: [{ id: a, provider: centurylink, file: token }]\n${good}`,
    /key a \(token\): it is no public key in PEM/,
  ],
  ['an unknown key', good.replace('demo: true', 'demo: true, colour: red'), /Unrecognized key: "colour"/],
  [
    'a token twice',
    good.replace(endpoint, `${endpoint}, ${endpoint.replace('name: a', 'name: b')}`),
    /token of endpoint .* is given twice/,
  ],
  [
    'an endpoint name twice',
    good.replace(endpoint, `${endpoint}, ${endpoint.replace('demo-server-created', 'demo-another-one')}`),
    /endpoint of northwind a is given twice/,
  ],
  [
    'a token file that is not there',
    good.replace('token: demo-server-created', 'tokenFile: absent'),
    /cannot read .*absent/,
  ],
  [
    'a window without a unit',
    good.replace('demo: true', 'demo: true, rules: { account-created-then-servers: { within: "60" } }'),
    /for example 1h/,
  ],
  ['no YAML', 'tenants: [', /Cannot read .*hookwatch.yaml/],
  ['nothing', '', /Cannot start/],
])('%s is refused, with its place', (_mistake, yaml, message) => {
  expect(() => load(yaml)).toThrow(ConfigError);
  expect(() => load(yaml)).toThrow(message);
});

test.each<[name: string, environment: Record<string, string>, segmentMb: number]>([
  ['256 MB', {}, 256],
  ['what is asked for', { HOOKWATCH_SEGMENT_MB: '100' }, 100],
  ['an eighth of a small journal', { HOOKWATCH_JOURNAL_MB: '64' }, 8],
  ['an eighth of the journal where more is asked for', { HOOKWATCH_JOURNAL_MB: '80', HOOKWATCH_SEGMENT_MB: '80' }, 10],
])('a segment has %s', (_name, environment, segmentMb) => {
  expect(load(good, environment).journal.segmentBytesMax).toBe(segmentMb * 1024 * 1024);
});

test.each<[environment: Record<string, string>, message: RegExp]>([
  [{ HOOKWATCH_JOURNAL_MB: '63' }, /HOOKWATCH_JOURNAL_MB: must be at least 64/],
  [
    { HOOKWATCH_JOURNAL_MB: '100', HOOKWATCH_SEGMENT_MB: '101' },
    /HOOKWATCH_SEGMENT_MB: must not be above HOOKWATCH_JOURNAL_MB: it is 101, and the journal may have 100/,
  ],
  [{ HOOKWATCH_SEGMENT_MB: '9000' }, /HOOKWATCH_SEGMENT_MB: must not be above/],
])('%j is refused', (environment, message) => {
  expect(() => load(good, environment)).toThrow(ConfigError);
  expect(() => load(good, environment)).toThrow(message);
});

test('an edge speaks TLS where it is given both files', () => {
  const [HOOKWATCH_EDGE_TLS_CERT, HOOKWATCH_EDGE_TLS_KEY] = ['/tls/cert.pem', '/tls/key.pem'];
  expect(load(good).edgeTls).toBeUndefined();
  const both = { certFile: HOOKWATCH_EDGE_TLS_CERT, keyFile: HOOKWATCH_EDGE_TLS_KEY };
  expect(load(good, { HOOKWATCH_EDGE_TLS_CERT, HOOKWATCH_EDGE_TLS_KEY }).edgeTls).toEqual(both);
  for (const half of [{ HOOKWATCH_EDGE_TLS_CERT }, { HOOKWATCH_EDGE_TLS_KEY }]) {
    expect(() => load(good, half)).toThrow(/HOOKWATCH_EDGE_TLS_CERT: goes with HOOKWATCH_EDGE_TLS_KEY: give both/);
  }
});

test('a password may stand in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-password-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'password');
  writeFileSync(file, 'from the file\n');
  expect(load(good, { CLICKHOUSE_PASSWORD_FILE: file }).clickhousePassword).toBe('from the file');
  expect(load(good, { CLICKHOUSE_PASSWORD: 'from here' }).clickhousePassword).toBe('from here');
  expect(() => load(good, { CLICKHOUSE_PASSWORD_FILE: file, CLICKHOUSE_PASSWORD: 'from here' })).toThrow(
    /CLICKHOUSE_PASSWORD_FILE: stands for CLICKHOUSE_PASSWORD: give one of them/,
  );
  writeFileSync(file, '\n');
  expect(() => load(good, { CLICKHOUSE_PASSWORD_FILE: file })).toThrow(/CLICKHOUSE_PASSWORD_FILE: .* is empty/);
  const missing = { CLICKHOUSE_PASSWORD_FILE: join(folder, 'missing') };
  expect(() => load(good, missing)).toThrow(ConfigError);
  expect(() => load(good, missing)).toThrow(/CLICKHOUSE_PASSWORD_FILE: cannot read .*missing: ENOENT/);
});

test('all mistakes are reported together', () => {
  const mistakes = { HOOKWATCH_EDGE_PORT: '99999', HOOKWATCH_LOG_LEVEL: 'loud', CLICKHOUSE_URL: 'nowhere' };
  expect(() => load(good, mistakes)).toThrow(
    /HOOKWATCH_EDGE_PORT[\s\S]*CLICKHOUSE_URL|CLICKHOUSE_URL[\s\S]*HOOKWATCH_EDGE_PORT/,
  );
  expect(() => load(good, mistakes)).toThrow(/HOOKWATCH_LOG_LEVEL/);
});

test('brokers make it an installation over Kafka; what is not said has a default', () => {
  expect(load(good).kafka).toBeUndefined();
  expect(load(good, { HOOKWATCH_KAFKA_BROKERS: 'one:9092,two:9092' }).kafka).toEqual({
    brokers: ['one:9092', 'two:9092'],
    prefix: 'hookwatch',
    partitions: 12,
    replication: 3,
    minInSyncReplicas: 2,
    recordsRetentionMs: 168 * 3_600_000,
    outputsRetentionMs: 72 * 3_600_000,
    tls: false,
    sasl: undefined,
    sessionTimeoutMs: 30_000,
  });
});

test.each([
  [{ HOOKWATCH_KAFKA_BROKERS: 'one' }, 'HOOKWATCH_KAFKA_BROKERS: must be host:port'],
  [{ HOOKWATCH_WORKERS: 'worker:8082' }, 'HOOKWATCH_WORKERS.0: must be http://host:port'],
  [{ HOOKWATCH_KAFKA_REPLICATION: '1' }, 'HOOKWATCH_KAFKA_MIN_ISR: must not be above HOOKWATCH_KAFKA_REPLICATION'],
  [{ HOOKWATCH_KAFKA_SASL_MECHANISM: 'plain' }, 'HOOKWATCH_KAFKA_SASL_MECHANISM: needs HOOKWATCH_KAFKA_USERNAME'],
])('settings of Kafka that cannot be: %o', (environment, problem) => {
  const kafka = { HOOKWATCH_KAFKA_BROKERS: 'one:9092', ...environment };
  expect(() => load(good, kafka)).toThrow(problem);
  // Told together with every other mistake.
  expect(() => load(good, { ...kafka, HOOKWATCH_EDGE_PORT: 'x' })).toThrow(
    /HOOKWATCH_EDGE_PORT.*HOOKWATCH_(KAFKA|WORKERS)/s,
  );
});
