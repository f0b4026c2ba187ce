/**
 * The compose file, run as it is shipped, in containers made of Linux' namespaces instead of an engine's. Kafka, Caddy and
 * all that is ours are the real programs in the compose file's versions; ClickHouse is the embedded engine, Prometheus and
 * Alertmanager are Debian's. Grafana is not run.
 */

import { createPrivateKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { signBody } from '../../services/simulator/sender.ts';
import { memoryBytesMax } from './stack/compose-file.ts';
import type { Container } from './stack/container.ts';
import { createInstallation, type Installation } from './stack/installation.ts';
import { isOneShot } from './stack/order.ts';
import { factsOf, readChecks } from './stack/summary.ts';

const alertsPath = '/alerts';
/** Kafka has none without more programs; the embedded engine has its own on the port of its queries. */
const withoutMetrics = ['kafka', 'clickhouse'];
const soon = { timeout: 60_000, interval: 500 };

let installation: Installation;
const stack = () => installation.stack;
const containersOf = (name: string): readonly Container[] => stack().containers.get(name) ?? [];
const stays = (name: string) => !isOneShot(stack().project.services[name]!);
const isOurs = (name: string) => stack().project.services[name]!.build !== undefined;

beforeAll(async () => {
  installation = await createInstallation({ within: '20s', webhookPath: alertsPath, image: { change: hurryAlerts } });
  await installation.stack.up(installation.services);
});

afterAll(async () => {
  await installation?.close();
});

interface Target {
  service: string;
  health: string;
  lastError: string;
}

/** What Prometheus reads, by the service that it is. */
async function activeTargets(): Promise<Target[]> {
  const { body } = await stack().host.request('http://127.0.0.1:9090/api/v1/targets?state=active');
  const { data } = JSON.parse(body) as { data: { activeTargets: (Omit<Target, 'service'> & { scrapeUrl: string })[] } };
  const services = new Map(
    [...stack().containers].flatMap(([name, all]) =>
      all.flatMap(({ plan }) => plan.attachments.map(({ address }) => [address, name] as const)),
    ),
  );
  return data.activeTargets
    .map(({ scrapeUrl, health, lastError }) => {
      const { hostname } = new URL(scrapeUrl);
      return {
        service: hostname === 'localhost' ? 'prometheus' : (services.get(hostname) ?? hostname),
        health,
        lastError,
      };
    })
    .filter(({ service }) => !withoutMetrics.includes(service));
}

/** Alertmanager waits for more of a group as shipped; that is for people. */
function hurryAlerts(root: string): void {
  const file = join(root, 'app/dashboards/alertmanager/alertmanager.yml');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replaceAll(/(group_wait|group_interval): \w+/g, '$1: 1s'));
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
      const found = await activeTargets();
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
  const account = 'NWND';

  test('comes in through Caddy with a certificate, and nothing else does', async () => {
    const { host, volume } = stack();
    const ca = readFileSync(join(volume('caddy'), 'caddy/pki/authorities/local/root.crt'), 'utf8');
    const key = createPrivateKey(readFileSync(join(volume('demo'), 'private.pem'), 'utf8'));
    const body = JSON.stringify({ accountAlias: account, businessName: 'through the front door' });
    const answer = await host.request('https://localhost/in/demo-account-updated', {
      ca,
      body,
      headers: { 'content-type': 'application/json', 'Tier3-RsaSha1': await signBody(Buffer.from(body), key) },
    });
    expect(answer).toMatchObject({ status: 202 });
    await expect(host.request('https://localhost/in/demo-account-updated', { body })).rejects.toThrow(/certificate/);
    expect(await host.request('https://localhost/metrics', { ca })).toMatchObject({ status: 404 });
    await vi.waitFor(async () => {
      const found = await installation.query(`SELECT verdict FROM hookwatch.deliveries WHERE body = '${body}'`);
      expect(found).toBe('verified\n');
    }, soon);
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

  test('of a fraud calls somebody, and the call is over when the window is', async () => {
    const { host } = stack();
    const sent = () => host.received.filter(({ path }) => path === alertsPath).map(({ body }) => JSON.parse(body));
    const alerts = () => sent().flatMap(({ alerts }) => alerts as { status: string; labels: Record<string, string> }[]);
    const about = (status: string) =>
      alerts().filter((alert) => alert.labels.alertname === 'HighSeverityDetectionOpen' && alert.status === status);
    await vi.waitFor(() => expect(about('firing')).not.toEqual([]), soon);
    expect(about('firing')[0]!.labels).toMatchObject({ tenant: 'northwind', rule: 'account-created-then-servers' });
    await vi.waitFor(() => expect(about('resolved')).not.toEqual([]), { timeout: 180_000, interval: 500 });
    // Nothing else was wrong all the time.
    expect(new Set(alerts().map(({ labels }) => labels.alertname))).toEqual(new Set(['HighSeverityDetectionOpen']));
  });
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
    for (const name of installation.services.filter(isOurs)) {
      const limit = memoryBytesMax(stack().project.services[name]!);
      for (const container of containersOf(name)) {
        expect(container.memoryBytesMax(), name).toBeLessThan(limit!);
      }
    }
  });
});

describe('docker compose down', () => {
  test('SIGTERM ends every process of ours in time, and well', async () => {
    const order = installation.services.filter(stays);
    const codes = new Map<string, (number | undefined)[]>();
    for (const name of order.sort((one, other) => Number(isOurs(other)) - Number(isOurs(one)))) {
      codes.set(name, await stack().stop(name));
    }
    for (const [name, ended] of codes) {
      if (isOurs(name)) expect(ended, name).toEqual(ended.map(() => 0));
      else expect(ended, name).not.toContain(undefined);
    }
  });
});
