import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type DoctorContext, doctorCommand } from '../../../services/commands/doctor/command.ts';
import type { Finding } from '../../../services/commands/doctor/finding.ts';
import { type Config, ConfigError, hashToken, loadConfig } from '../../../services/config.ts';
import { keepCertificate } from '../../../services/edge/certificate.ts';
import { createRegistry, edgeTlsMetrics } from '../../../services/telemetry.ts';
import { createAuthority } from '../../edge/certificates.ts';
import { endpoint, startTestEdge, tenant, writeCertificate } from '../../edge/fixture.ts';
import { newAccount, startCenturylink } from '../../provider-api/centurylink.ts';

const host = 'hooks.example.com';
const authority = createAuthority();
const token = 'a-token-that-nobody-may-see';

type Rows = Record<string, unknown>[];

/** ClickHouse, with these rows for who asks for deliveries and reconciliations. */
function warehouseOf({ deliveries = [], reconciliations = [] }: { deliveries?: Rows; reconciliations?: Rows }) {
  const query = async (sql: string) => (sql.includes('hookwatch.deliveries') ? deliveries : reconciliations);
  return (() => ({ query, close: async () => {} })) as unknown as DoctorContext['openWarehouse'];
}

const called = { last: '2026-01-02 00:00:00.000', all: 3, rejected: 0, reason: '' };

/** An edge behind its own TLS, CenturyLink's API, and settings that lead to both. */
async function start() {
  const provider = await startCenturylink(new Map([['NWND', newAccount('NWND')]]));
  const files = writeCertificate(authority.issue({ names: [host] }));
  const logger = pino({ level: 'silent' });
  const certificate = keepCertificate({ files, metrics: edgeTlsMetrics(createRegistry('doctor')), logger });
  const tenants = [
    tenant({ demo: false, endpoints: [endpoint({ name: 'created', account: 'NWND', tokenSha256: hashToken(token) })] }),
  ];
  const edge = await startTestEdge({ tenants, certificate });
  const dataFolder = mkdtempSync(join(tmpdir(), 'hookwatch-doctor-'));
  onTestFinished(() => rmSync(dataFolder, { recursive: true }));
  mkdirSync(join(dataFolder, 'secrets'), { mode: 0o700 });
  const publicUrl = edge.url.replace('127.0.0.1', host);
  const loaded = loadConfig({
    HOOKWATCH_CONFIG: new URL('../../../hookwatch.yaml', import.meta.url).pathname,
    HOOKWATCH_DATA: dataFolder,
    HOOKWATCH_EDGES: edge.internalUrl,
    HOOKWATCH_PUBLIC_URL: publicUrl,
    HOOKWATCH_CLC_URL: provider.url,
    HOOKWATCH_CLC_USERNAME: provider.username,
    HOOKWATCH_CLC_PASSWORD: provider.password,
  });
  const config: Config = { ...loaded, tenants };
  const context: DoctorContext = {
    load: () => config,
    openWarehouse: warehouseOf({ deliveries: [{ tenant: 'northwind', endpoint: 'created', ...called }] }),
    lookup: async () => ['127.0.0.1'],
    freeBytes: async () => 1e12,
    authorities: authority.cert,
    limits: { retryMsFirst: 1, callsPerSecondMax: 10_000 },
  };
  const webhook = { recursive: true, targetUris: [`${publicUrl}/in/${token}`] };
  provider.cloud.get('NWND')!.webhooks.set('Server.Created', webhook);
  return { provider, edge, config, context, webhook };
}

async function run(context: DoctorContext, args: string[] = []) {
  let text = '';
  const out = { write: (part: string) => (text += part) };
  const code = await doctorCommand([...args, '--json'], { ...context, out });
  const { ok, findings } = JSON.parse(text) as { ok: boolean; findings: Finding[] };
  expect(text).not.toMatch(/nobody-may-see|correct-horse|bearer-token/);
  expect(ok).toBe(code === 0);
  const of = (check: string) => findings.filter((finding) => finding.check === check);
  return { code, findings, of };
}

test('an installation that takes deliveries: each check says so, but for the name that leads to this machine', async () => {
  const { context } = await start();
  const { code, findings, of } = await run(context);
  expect(of('name')).toMatchObject([{ status: 'fail', what: `${host} is 127.0.0.1: this machine alone reaches that` }]);
  expect(of('path')).toMatchObject([{ status: 'warn' }]);
  const others = findings.filter(({ check, what }) => !['name', 'path'].includes(check) && !what.includes(host));
  expect(others.filter(({ status }) => status !== 'ok')).toEqual([]);
  expect([...new Set(findings.map(({ check }) => check))]).toEqual([
    ...['settings', 'name', 'port', 'certificate', 'path', 'edges', 'signatures', 'clock', 'disk', 'secrets'],
    ...['subscriptions', 'deliveries', 'reconcile'],
  ]);
  expect(code).toBe(1);
});

test('what is wrong has a remedy, and what is not has none', async () => {
  const { findings } = await run((await start()).context);
  for (const { status, todo } of findings) expect(todo === '').toBe(status === 'ok');
});

describe('exit code', () => {
  const quiet = async () => {
    const { config, context } = await start();
    const { publicUrl: _, ...providerApis } = config.providerApis;
    return { ...context, load: () => ({ ...config, providerApis: { ...providerApis, publicUrl: undefined } }) };
  };

  test('0 where nothing fails, and 1 where a warning counts', async () => {
    const context = await quiet();
    const { code, of } = await run(context);
    expect(of('settings')).toMatchObject([{ status: 'ok' }, { status: 'warn', what: /HOOKWATCH_PUBLIC_URL/ }]);
    expect(code).toBe(0);
    expect((await run(context, ['--strict'])).code).toBe(1);
  });

  test('1 where settings are wrong: the mistake is told', async () => {
    const load = () => {
      throw new ConfigError('Cannot start:\n  hookwatch.yaml: tenants: missing');
    };
    const { code, findings } = await run({ load, openWarehouse: warehouseOf({}) });
    expect(code).toBe(1);
    expect(findings).toMatchObject([
      { check: 'settings', status: 'fail', what: expect.stringContaining('tenants: missing') },
      { check: 'signatures', status: 'ok' },
    ]);
  });

  test('another argument is wrong usage', async () => {
    const { context } = await start();
    await expect(doctorCommand(['--fix'], context)).rejects.toMatchObject({ code: 'ERR_PARSE_ARGS_UNKNOWN_OPTION' });
  });
});

test('for people: a line each, and what to do below', async () => {
  const { context } = await start();
  let text = '';
  await doctorCommand([], { ...context, out: { write: (part) => (text += part) } });
  expect(text).toMatch(/^ok {4}settings {7}1 tenants with 1 endpoints$/m);
  expect(text).toMatch(/^fail {2}name .* this machine alone reaches that\n {21}→ Let the name lead/m);
  expect(text).toMatch(/\n\n\d+ ok, \d+ warn, 1 fail\n$/);
});

describe('edges', () => {
  test('one that has other endpoints, one that is not ready, and one that does not answer', async () => {
    const { config, context, edge } = await start();
    const other = await startTestEdge();
    const full = await startTestEdge({ tenants: config.tenants, journalBytes: () => 2_000_000 });
    await fetch(`${full.internalUrl}/metrics`);
    const edgeUrls = [edge.internalUrl, other.internalUrl, full.internalUrl, 'http://127.0.0.1:1'];
    const { of } = await run({ ...context, load: () => ({ ...config, edgeUrls }) });
    expect(of('edges')).toMatchObject([
      { status: 'ok', what: expect.stringContaining(edge.internalUrl) },
      { status: 'warn', what: expect.stringContaining('it has others') },
      { status: 'fail', what: expect.stringContaining('journal is full') },
      { status: 'fail', what: expect.stringContaining('does not answer') },
    ]);
  });
});

describe('deliveries', () => {
  const withRows = async (rows: Parameters<typeof warehouseOf>[0]) => {
    const { context } = await start();
    return run({ ...context, openWarehouse: warehouseOf(rows) });
  };

  test('an endpoint that was never called is named', async () => {
    const { of } = await withRows({ deliveries: [{ tenant: 'northwind', endpoint: 'another', ...called }] });
    expect(of('deliveries')).toMatchObject([{ status: 'warn', what: 'never called yet: northwind/created' }]);
  });

  test('one whose deliveries were all rejected fails', async () => {
    const row = { tenant: 'northwind', endpoint: 'created', ...called, rejected: 3, reason: 'signature mismatch' };
    const { of } = await withRows({ deliveries: [row] });
    const what = 'northwind/created: all 3 deliveries were rejected: signature mismatch';
    expect(of('deliveries')).toMatchObject([{ status: 'fail', what }]);
  });

  test('a ClickHouse that is away fails', async () => {
    const { context } = await start();
    const query = () => Promise.reject(Object.assign(new Error('no connection'), { code: 'WAREHOUSE_UNAVAILABLE' }));
    const openWarehouse = (() => ({ query, close: async () => {} })) as unknown as DoctorContext['openWarehouse'];
    const { of } = await run({ ...context, openWarehouse });
    expect(of('deliveries')).toMatchObject([{ status: 'fail', what: expect.stringContaining('no connection') }]);
  });

  test('before the first start nothing is made', async () => {
    const { context, config } = await start();
    const { existsSync } = await import('node:fs');
    rmSync(join(config.dataFolder, 'secrets'), { recursive: true });
    const { providerApis } = config;
    const load = () => ({ ...config, providerApis: { ...providerApis, publicUrl: undefined } });
    const { of } = await run({ ...context, load, openWarehouse: () => expect.unreachable('it was opened') });
    expect(of('deliveries')).toMatchObject([{ status: 'warn', what: 'Hookwatch was never started here' }]);
    expect(existsSync(join(config.dataFolder, 'secrets'))).toBe(false);
  });

  test('where ClickHouse has a login and we have none, it is not asked', async () => {
    const { context, config } = await start();
    const load = () => ({ ...config, clickhouseUrl: 'http://clickhouse:8123' });
    const { of } = await run({ ...context, load, openWarehouse: () => expect.unreachable('it was opened') });
    expect(of('deliveries')).toMatchObject([{ status: 'warn', what: expect.stringContaining('no login') }]);
  });

  test('a reconciliation that is too long ago', async () => {
    const reconciliations = [
      { account: 'centurylink:NWND', last: '2026-01-01 00:00:00.000', hours: 40 },
      { account: 'centurylink:SUB', last: '2026-01-01 00:00:00.000', hours: 36 },
    ];
    const { of } = await withRows({ reconciliations });
    expect(of('reconcile')).toMatchObject([{ status: 'warn', what: 'centurylink:NWND was compared 40 h ago' }]);
  });
});

describe('subscriptions', () => {
  test('an event that the provider does not tell us of', async () => {
    const { context, webhook } = await start();
    webhook.targetUris.length = 0;
    const { of } = await run(context);
    const what = 'CenturyLink Cloud does not call what it should for account NWND: Server.Created';
    const todo = expect.stringContaining('hookwatch subscribe clc --account NWND');
    expect(of('subscriptions')).toMatchObject([{ status: 'warn', what, todo }]);
  });

  test('nothing is changed there, and a provider in trouble is told', async () => {
    const { context, provider } = await start();
    provider.fail({ do: 'answer', status: 403, on: 'GET', text: '{"message":"not yours"}' });
    const { of } = await run(context);
    expect(of('subscriptions')).toMatchObject([{ status: 'warn', what: expect.stringContaining('not yours') }]);
    expect(provider.calls().filter((call) => !/^(GET|HEAD|POST \/v2\/authentication)/.test(call))).toEqual([]);
  });

  test('without credentials the provider is not asked', async () => {
    const { context, config, provider } = await start();
    const credentials = () => {
      throw new ConfigError('none');
    };
    const centurylink = { ...config.providerApis.centurylink, credentials };
    const { of } = await run({
      ...context,
      load: () => ({ ...config, providerApis: { ...config.providerApis, centurylink } }),
    });
    expect(of('subscriptions')).toEqual([]);
    expect(provider.calls()).toEqual(['HEAD /v2']);
  });
});
