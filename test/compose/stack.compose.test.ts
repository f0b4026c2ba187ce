/**
 * The compose file, run as it is shipped, in containers made of Linux' namespaces instead of an engine's. Kafka, Caddy and
 * all that is ours are the real programs in the compose file's versions; ClickHouse is the embedded engine, Prometheus and
 * Alertmanager are Debian's. Grafana is not run. The tests are one story, told in order.
 */
import { createPrivateKey } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { signBody } from '../../services/simulator/sender.ts';
import { dashboards, prometheusQueries } from '../dashboards/grafana/dashboards.ts';
import { memoryBytesMax } from './stack/compose-file.ts';
import type { Container } from './stack/container.ts';
import { createInstallation, type Installation } from './stack/installation.ts';
import { type Alert, activeTargets, alertsSentTo, queryPrometheus } from './stack/monitoring.ts';
import { isOneShot } from './stack/order.ts';
import { factsOf, readChecks } from './stack/summary.ts';

const alertsPath = '/alerts';
/** Kafka has none without more programs. */
const withoutMetrics = ['kafka'];
/** Nothing goes wrong here, and the embedded engine's metrics are not those of a service called `clickhouse` here. */
const onlyInTrouble = /refused|reject|lost|went wrong|annotation Alerts|embedded engine/i;
const backupPath = '/backups/first';
const soon = { timeout: 60_000, interval: 500 };

let installation: Installation;
const stack = () => installation.stack;
const containersOf = (name: string): readonly Container[] => stack().containers.get(name) ?? [];
const stays = (name: string) => !isOneShot(stack().project.services[name]!);
const isOurs = (name: string) => stack().project.services[name]!.build !== undefined;

beforeAll(async () => {
  installation = await createInstallation({ within: '20s', webhookPath: alertsPath });
  await installation.stack.up(installation.services);
});

afterAll(async () => {
  await installation?.close();
});

/** Signed with the demo's key, to the one address that is published to the world. */
async function sendThroughCaddy(body: string, token = 'demo-account-updated') {
  const { host, volume } = stack();
  const ca = readFileSync(join(volume('caddy'), 'caddy/pki/authorities/local/root.crt'), 'utf8');
  const key = createPrivateKey(readFileSync(join(volume('demo'), 'private.pem'), 'utf8'));
  const headers = { 'content-type': 'application/json', 'Tier3-RsaSha1': await signBody(Buffer.from(body), key) };
  return host.request(`https://localhost/in/${token}`, { ca, body, headers });
}

async function arrived(body: string): Promise<void> {
  await vi.waitFor(async () => {
    const found = await installation.query(`SELECT verdict FROM hookwatch.deliveries WHERE body = '${body}'`);
    expect(found).toBe('verified\n');
  }, soon);
}

const prometheus = (expression: string) => queryPrometheus(stack(), expression);
const alerts = () => alertsSentTo(stack(), alertsPath);

function detectionAlerts(status: string): Alert[] {
  return alerts().filter((alert) => alert.labels.alertname === 'HighSeverityDetectionOpen' && alert.status === status);
}

/** How many rows there are of what was received up to a time, and which. */
function ids(table: string, latest: string): Promise<string> {
  const received = table === 'deliveries' ? 'received_at' : 'first_received_at';
  return installation.query(
    `SELECT '${table}', count(), sum(cityHash64(id)) FROM hookwatch.${table} WHERE ${received} <= '${latest.trim()}'`,
  );
}

describe('docker compose up', () => {
  test('every service starts after what it depends on, and becomes healthy or completes', () => {
    const { history, project } = stack();
    for (const name of installation.services) {
      const started = history.indexOf(`${name} started`);
      expect(started, name).toBeGreaterThanOrEqual(0);
      expect(history, name).toContainEqual(expect.stringMatching(`^${name} (healthy|completed)$`));
      for (const [other, { condition }] of Object.entries(project.services[name]!.depends_on ?? {})) {
        const words = {
          service_started: 'started',
          service_healthy: 'healthy',
          service_completed_successfully: 'completed',
        };
        const reached = history.indexOf(`${other} ${words[condition]}`);
        expect(reached, `${other} of ${name}`).toBeGreaterThanOrEqual(0);
        expect(reached, `${other} of ${name}`).toBeLessThan(started);
      }
    }
  });

  test('Prometheus has every service as a target, and every target is up', async () => {
    const targets = await vi.waitFor(async () => {
      const found = (await activeTargets(stack())).filter(({ service }) => !withoutMetrics.includes(service));
      expect(found.filter(({ health }) => health !== 'up')).toEqual([]);
      expect(found.filter(({ service }) => service === 'worker')).toHaveLength(2);
      return found;
    }, soon);
    const expected = installation.services.filter((name) => stays(name) && !withoutMetrics.includes(name));
    expect([...new Set(targets.map(({ service }) => service))].sort()).toEqual(expected.sort());
  });

  test('nothing is written to a root file system, and nobody is root', async () => {
    for (const container of installation.services.filter(stays).flatMap(containersOf)) {
      const { name } = container.plan;
      const written = await container.execute(['touch', '/written'], { asRoot: true });
      expect(written, name).toMatchObject({ code: 1, output: expect.stringContaining('Read-only file system') });
      const { output } = await container.execute(['grep', '-E', '^(Uid|CapEff|NoNewPrivs)', '/proc/1/status']);
      expect(output, name).toMatch(/^Uid:\s+[1-9]/);
      expect(output, name).toMatch(/CapEff:\s+0{16}\n/);
      expect(output, name).toMatch(/NoNewPrivs:\s+1\n/);
    }
  });
});

describe('a delivery', () => {
  test('comes in through Caddy with a certificate, and nothing else does', async () => {
    const body = JSON.stringify({ accountAlias: 'NWND', businessName: 'through the front door' });
    expect(await sendThroughCaddy(body)).toMatchObject({ status: 202 });
    await arrived(body);
    const { host, volume } = stack();
    await expect(host.request('https://localhost/in/demo-account-updated', { body })).rejects.toThrow(/certificate/);
    const ca = readFileSync(join(volume('caddy'), 'caddy/pki/authorities/local/root.crt'), 'utf8');
    expect(await host.request('https://localhost/metrics', { ca })).toMatchObject({ status: 404 });
  });

  test('of the demo is counted as the simulator counts it', async () => {
    const { code, output } = await stack().run('simulator');
    expect({ code, output }).toMatchObject({ code: 0 });
    const checks = readChecks(output);
    expect(checks.map(({ what }) => what)).toContain('detections, the labelled fraud alone');
    for (const { what, sql, expected } of checks) {
      expect(expected, what).not.toEqual([]);
      await vi.waitFor(async () => expect(factsOf(await installation.query(sql)), what).toEqual(expected), soon);
    }
  });

  test('of a fraud calls somebody', async () => {
    await vi.waitFor(() => expect(detectionAlerts('firing')).not.toEqual([]), soon);
    const [{ labels }] = detectionAlerts('firing') as [Alert];
    expect(labels).toMatchObject({ tenant: 'northwind', rule: 'account-created-then-servers' });
  });
});

describe('docker compose run --rm', () => {
  test('setup show prints the passwords that people have, and setup makes no other ones', async () => {
    const shown = () => stack().run('setup', ['show']);
    const { code, output } = await shown();
    expect({ code, output }).toMatchObject({ code: 0 });
    const password = /ClickHouse +user analyst +password (\S+)/.exec(output)?.[1] ?? '';
    expect(await installation.query('SELECT 1', password)).toBe('1\n');
    await expect(installation.query('SELECT 1', `${password}x`)).rejects.toThrow('Authentication failed');
    expect(await stack().run('setup')).toMatchObject({ code: 0 });
    expect((await shown()).output).toBe(output);
  });

  test('tools audit finds nothing that differs', async () => {
    expect(await stack().run('tools', ['audit'])).toMatchObject({ code: 0 });
  });

  test('tools backup writes into its volume', async () => {
    expect(await stack().run('tools', ['backup', backupPath])).toMatchObject({ code: 0 });
    expect(existsSync(join(stack().volume('backups'), 'first/SHA256SUMS'))).toBe(true);
  });
});

describe('docker compose exec', () => {
  test('edge-1 hookwatch endpoints add: every edge listens to it, the lane knows it, and nothing starts again', async () => {
    const endpoint = '--provider centurylink --event Account.Updated --account NWND --recursive'.split(' ');
    const command = ['hookwatch', 'endpoints', 'add', 'added-later', ...endpoint, '--json'];
    const { code, output } = await containersOf('edge-1')[0]!.execute(command);
    expect({ code, output }).toMatchObject({ code: 0 });
    const { token, edges } = JSON.parse(output) as { token: string; edges: object[] };
    expect(edges).toMatchObject(['edge-1', 'edge-2'].map((name) => ({ url: `http://${name}:8080`, ready: true })));
    // By both edges in turn.
    for (const businessName of ['to an endpoint that was added', 'to it once more']) {
      const body = JSON.stringify({ accountAlias: 'NWND', businessName });
      expect(await sendThroughCaddy(body, token)).toMatchObject({ status: 202 });
      await arrived(body);
    }
    const written = await containersOf('edge-2')[0]!.execute(['hookwatch', 'endpoints', 'disable', 'added-later']);
    expect(written).toMatchObject({ code: 1, output: expect.stringContaining('read-only file system') });
  });

  test.each([
    ['apply', 'northwind: nothing has changed\n'],
    ['upgrade', expect.stringMatching(/^northwind: flow \w+ works on it already\n$/)],
  ])('edge-1 hookwatch %s reaches the lanes', async (command, output) => {
    expect(await containersOf('edge-1')[0]!.execute(['hookwatch', command])).toEqual({ code: 0, output });
  });
});

test('every panel of the pipeline has an answer from Prometheus', async () => {
  const queries = prometheusQueries(dashboards.get('pipeline')!);
  const silent: string[] = [];
  for (const { name, expression } of queries) {
    const asked = expression.replaceAll('$__rate_interval', '20s').replaceAll('$tenant', '.*');
    if ((await prometheus(asked)).length === 0 && !onlyInTrouble.test(name)) silent.push(name);
  }
  expect(queries.length).toBeGreaterThan(50);
  expect(silent).toEqual([]);
});

describe('limits', () => {
  test('caddy reaches neither Kafka nor ClickHouse', async () => {
    const [caddy] = containersOf('caddy');
    for (const name of ['kafka', 'clickhouse', 'worker']) {
      expect(await caddy!.execute(['getent', 'hosts', name]), name).toMatchObject({ code: 2 });
    }
    expect(await caddy!.execute(['getent', 'hosts', 'edge-1'])).toMatchObject({ code: 0 });
    const address = containersOf('kafka')[0]!.plan.attachments[0]!.address;
    const tried = await caddy!.execute(['wget', '-q', '--tries=1', '--timeout=2', `http://${address}:9092`]);
    expect(tried.code).not.toBe(0);
  });

  test('every process of ours keeps within its memory', () => {
    for (const name of installation.services.filter((service) => isOurs(service) && stays(service))) {
      const limit = memoryBytesMax(stack().project.services[name]!);
      for (const container of containersOf(name)) {
        expect(container.memoryBytesMax(), name).toBeGreaterThan(0);
        expect(container.memoryBytesMax(), name).toBeLessThan(limit!);
      }
    }
  });
});

test('the call is over when the window is; nothing else was found, and nothing is wrong', async () => {
  await vi.waitFor(() => expect(detectionAlerts('resolved')).not.toEqual([]), { timeout: 180_000, interval: 500 });
  const findings = alerts().filter(({ labels }) => labels.kind === 'finding');
  expect(new Set(findings.map(({ labels }) => labels.alertname))).toEqual(new Set(['HighSeverityDetectionOpen']));
  await vi.waitFor(async () => expect(await prometheus('ALERTS{alertstate="firing"}')).toEqual([]), soon);
});

test('Kafka and ClickHouse are lost: all comes back as docs/operations.md says, with what came in meanwhile', async () => {
  const latest = await installation.query('SELECT max(received_at) FROM hookwatch.deliveries');
  const facts = () =>
    Promise.all(['deliveries', 'events', 'episodes', 'detections'].map((table) => ids(table, latest)));
  const before = await facts();
  expect(before.filter((rows) => /\t0\t/.test(rows))).toEqual([]);
  for (const name of ['worker', 'sink', 'console', 'kafka', 'clickhouse']) await stack().stop(name);
  for (const name of ['kafka', 'clickhouse']) rmSync(stack().volume(name), { recursive: true });
  const body = JSON.stringify({ accountAlias: 'NWND', businessName: 'while Kafka burnt' });
  expect(await sendThroughCaddy(body)).toMatchObject({ status: 202 });

  installation.set({ HOOKWATCH_KAFKA_PREFIX: 'hookwatch-2' });
  await Promise.all(['kafka', 'clickhouse'].map((name) => stack().renew(name)));
  expect(await stack().run('topics')).toMatchObject({ code: 0 });
  expect(await stack().run('tools', ['restore', backupPath])).toMatchObject({ code: 0 });
  await Promise.all(['worker', 'sink', 'console'].map((name) => stack().renew(name)));
  for (const name of ['edge-1', 'edge-2']) await stack().renew(name);
  await arrived(body);
  expect(await stack().run('tools', ['audit', '--values'])).toMatchObject({ code: 0 });
  expect(await facts()).toEqual(before);
});

test('whoever keeps something starts again on what he has kept', async () => {
  const ca = () => readFileSync(join(stack().volume('caddy'), 'caddy/pki/authorities/local/root.crt'), 'utf8');
  const [caBefore, rows] = [ca(), await installation.query('SELECT count() FROM hookwatch.deliveries')];
  const scrapes = async () =>
    (await prometheus('count_over_time(up{job="prometheus"}[10m])')).map(({ value }) => Number(value[1]));
  const [scraped = 0] = await scrapes();
  const keepers = ['kafka', 'clickhouse', 'caddy', 'prometheus', 'alertmanager'];
  await Promise.all(keepers.map((name) => stack().renew(name)));
  expect(ca()).toBe(caBefore);
  expect(await installation.query('SELECT count() FROM hookwatch.deliveries')).toBe(rows);
  await vi.waitFor(async () => expect((await scrapes())[0]).toBeGreaterThan(scraped), soon);
  const body = JSON.stringify({ accountAlias: 'NWND', businessName: 'after a restart' });
  await vi.waitFor(async () => expect(await sendThroughCaddy(body)).toMatchObject({ status: 202 }), soon);
  await arrived(body);
});

describe('docker compose down', () => {
  test('SIGTERM ends every process of ours in time, and well', async () => {
    // Those that started last end first: nobody is left without what he depends on.
    const order = stack()
      .history.filter((what) => what.endsWith(' started'))
      .map((what) => what.split(' ')[0]!);
    const codes = new Map<string, (number | undefined)[]>();
    for (const name of order.filter(stays).reverse()) {
      codes.set(name, await stack().stop(name));
    }
    for (const [name, ended] of codes) {
      if (isOurs(name)) expect(ended, name).toEqual(ended.map(() => 0));
      else expect(ended, name).not.toContain(undefined);
    }
  });
});
