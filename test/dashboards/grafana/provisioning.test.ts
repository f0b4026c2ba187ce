/** What Grafana is given at its start: data sources for the compose stack and for a host, and where dashboards lie. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { dashboards } from './dashboards.ts';

const root = new URL('../../../', import.meta.url);
const read = (path: string) => parse(readFileSync(new URL(path, root), 'utf8'), { merge: true, maxAliasCount: -1 });

interface DataSource {
  name: string;
  uid: string;
  type: string;
  access: string;
  url?: string;
  isDefault?: boolean;
  editable: boolean;
  jsonData: Record<string, unknown>;
  secureJsonData?: Record<string, string>;
}

const stack = read('dashboards/grafana/provisioning/datasources/hookwatch.yaml') as Provisioned;
const host = read('dashboards/grafana/provisioning-host/datasources/hookwatch.yaml') as Provisioned;

interface Provisioned {
  apiVersion: number;
  prune: boolean;
  datasources: DataSource[];
}

const typed = ({ datasources }: Provisioned, type: string) => datasources.find((source) => source.type === type)!;

describe.each([
  ['the stack', stack],
  ['a host', host],
])('%s', (_, provisioned) => {
  test('has each kind of data source that dashboards ask for, once', () => {
    const variables = [...dashboards.values()].flatMap(({ templating }) => templating.list);
    const wanted = variables.filter(({ type }) => type === 'datasource').map(({ query }) => query);
    expect(provisioned.datasources.map(({ type }) => type).sort()).toEqual(wanted.sort());
    expect(provisioned.datasources.filter(({ isDefault }) => isDefault)).toHaveLength(1);
  });

  test('has fixed uids, and nobody edits them', () => {
    expect(provisioned).toMatchObject({ apiVersion: 1, prune: true });
    expect(provisioned.datasources.map(({ uid }) => uid)).toEqual(['hookwatch-prometheus', 'hookwatch-clickhouse']);
    for (const { access, editable } of provisioned.datasources) {
      expect({ access, editable }).toEqual({ access: 'proxy', editable: false });
    }
  });

  test('asks ClickHouse over HTTP, as somebody who only reads', () => {
    const { jsonData } = typed(provisioned, 'grafana-clickhouse-datasource');
    expect(jsonData).toMatchObject({ port: 8123, protocol: 'http', defaultDatabase: 'hookwatch' });
    expect(['analyst', 'default']).toContain(jsonData.username);
  });
});

test('the stack is reached by the names of its services, and the password comes from a file', () => {
  expect(typed(stack, 'prometheus').url).toBe('http://prometheus:9090');
  const { jsonData, secureJsonData } = typed(stack, 'grafana-clickhouse-datasource');
  expect(jsonData).toMatchObject({ host: 'clickhouse', username: 'analyst' });
  // Expanded while provisioning: pkg/services/provisioning/values and pkg/setting/expanders.go of Grafana.
  expect(secureJsonData).toEqual({ password: '$__file{/secrets/analyst.password}' });
});

test('a host is reached on loopback, without a password', () => {
  expect(typed(host, 'prometheus').url).toBe('http://localhost:9090');
  const { jsonData, secureJsonData } = typed(host, 'grafana-clickhouse-datasource');
  expect(jsonData).toMatchObject({ host: 'localhost', username: 'default' });
  expect(secureJsonData).toBe(undefined);
});

test('both differ in nothing else', () => {
  const [ofStack, ofHost] = [structuredClone(stack), structuredClone(host)];
  for (const { datasources } of [ofStack, ofHost]) {
    for (const source of datasources) {
      delete source.url;
      delete source.secureJsonData;
      delete source.jsonData.host;
      delete source.jsonData.username;
    }
  }
  expect(ofHost).toEqual(ofStack);
});

test('rates are taken over intervals that hold several answers of each part', () => {
  const { timeInterval } = typed(stack, 'prometheus').jsonData;
  for (const file of ['prometheus.yml', 'prometheus.host.yml']) {
    const { global, scrape_configs: jobs } = read(`dashboards/prometheus/${file}`) as {
      global: { scrape_interval: string };
      scrape_configs: { job_name: string; scrape_interval?: string }[];
    };
    const ours = jobs.filter(
      ({ job_name: name }) => !['caddy', 'prometheus', 'alertmanager', 'clickhouse', 'kafka'].includes(name),
    );
    expect(ours.length).toBeGreaterThan(0);
    for (const job of ours)
      expect([job.job_name, job.scrape_interval ?? global.scrape_interval]).toEqual([job.job_name, timeInterval]);
  }
});

test('dashboards are read from the folder that is mounted, and changed in files alone', () => {
  expect(read('dashboards/grafana/provisioning/dashboards/hookwatch.yaml')).toEqual({
    apiVersion: 1,
    providers: [
      {
        name: 'hookwatch',
        folder: 'Hookwatch',
        folderUid: 'hookwatch',
        type: 'file',
        disableDeletion: true,
        allowUiUpdates: false,
        updateIntervalSeconds: 60,
        options: { path: '/etc/hookwatch/grafana' },
      },
    ],
  });
});

test.each([
  ['grafana', 'provisioning'],
  ['host-grafana', 'provisioning-host'],
])('the compose file mounts what %s reads, where it reads it', (service, folder) => {
  const { services } = read('docker-compose.yml') as { services: Record<string, { volumes: unknown[] }> };
  expect(services[service]!.volumes).toEqual(
    expect.arrayContaining([
      `./dashboards/grafana/${folder}/datasources:/etc/grafana/provisioning/datasources:ro`,
      './dashboards/grafana/provisioning/dashboards:/etc/grafana/provisioning/dashboards:ro',
      './dashboards/grafana:/etc/hookwatch/grafana:ro',
    ]),
  );
});
