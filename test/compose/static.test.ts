/**
 * The compose stack, checked file against file: no tool and no container is needed. Each check is shown to find what it is
 * for in a copy with one mistake.
 */
import { describe, expect, test } from 'vitest';
import { containerChecks } from './checks/containers.ts';
import { imageChecks } from './checks/image.ts';
import { settingsChecks } from './checks/settings.ts';
import { parseStack, readStackFiles, type StackFiles } from './checks/stack.ts';
import { wiringChecks } from './checks/wiring.ts';

const checks = { ...containerChecks, ...imageChecks, ...settingsChecks, ...wiringChecks };
type CheckName = keyof typeof checks;

const files = readStackFiles();
const stack = parseStack(files);

test('the stack is one: ten parts and what they need', () => {
  const always = Object.keys(stack.services).filter((name) => !stack.services[name]!.profiles);
  expect(always).toEqual([
    ...['setup', 'kafka', 'topics', 'clickhouse', 'edge-1', 'edge-2', 'worker', 'sink', 'console'],
    ...['caddy', 'prometheus', 'alertmanager', 'grafana'],
  ]);
});

test.each(Object.keys(checks) as CheckName[])('%s finds nothing', (name) => {
  expect(checks[name](stack)).toEqual([]);
});

/** A mistake: in which file, what is replaced by what, and what the check says of it. */
type Mistake = [check: CheckName, file: keyof StackFiles, from: string | RegExp, to: string, fault: RegExp];

const anywhere = '$'.concat('{HOOKWATCH_BIND:-127.0.0.1}');

const mistakes: Mistake[] = [
  ['notRoot', 'compose', 'user: "101:101"', 'user: root', /^clickhouse: runs as root/],
  ['notRoot', 'compose', 'user: "65534:65534"\n    command', 'command', /^alertmanager: runs as whoever/],
  ['readOnly', 'compose', 'read_only: true\n  cap_drop', 'cap_drop', /^kafka: writes/],
  ['noCapabilities', 'compose', 'cap_drop: [ALL]', 'cap_drop: [SYS_ADMIN]', /^kafka: keeps/],
  ['noCapabilities', 'compose', '[NET_BIND_SERVICE]', '[SYS_ADMIN]', /^caddy: adds SYS_ADMIN/],
  ['noCapabilities', 'compose', 'cap_add: [NET_BIND_SERVICE]\n', '\n', /^caddy: adds nothing/],
  ['noNewPrivileges', 'compose', 'no-new-privileges:true', 'no-new-privileges:false', /^grafana: may gain/],
  [
    'limited',
    'compose',
    /memory: .{2}HOOKWATCH_MEMORY_CLICKHOUSE:-4g}/,
    'swap: 1g',
    /^clickhouse: has no limit of memory/,
  ],
  ['limited', 'compose', 'HOOKWATCH_CPUS_KAFKA:-2.0', 'HOOKWATCH_CPUS_KAFKA:-4.0', /^kafka: has no limit of CPUs/],
  ['limited', 'compose', ', pids: 1024', '', /^kafka: has no limit of processes/],
  ['restarted', 'compose', 'restart: unless-stopped', 'restart: on-failure', /^kafka: stays down/],
  [
    'restarted',
    'compose',
    'command: [sink]\n',
    'command: [sink]\n    restart: "no"\n',
    /^sink: is never started again/,
  ],
  ['logsBounded', 'compose', 'max-size: 10m, ', '', /^kafka: logs without an end/],
  ['exactImages', 'compose', 'grafana/grafana:13.2.3', 'grafana/grafana:latest', /^grafana: .* another image/],
  ['exactImages', 'compose', 'apache/kafka:4.3.1', 'apache/kafka', /^kafka: /],
  ['checked', 'compose', '[CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8123/ping"]', '[CMD, curl]', /runs curl/],
  ['checked', 'compose', 'kafka-broker-api-versions.sh', 'kafka-versions.sh', /^kafka: .*does not have/],
  ['checked', 'compose', 'test: [CMD, node, ', 'none: [', /^edge-1: has no health check/],
  ['checked', 'compose', 'healthcheck: { disable: true }', 'labels: {}', /^setup: ends/],
  ['awaits', 'compose', 'kafka: { condition: service_healthy }', 'kafak: { condition: service_healthy }', /kafak/],
  [
    'awaits',
    'compose',
    'topics: { condition: service_completed_successfully }',
    'topics: { condition: service_healthy }',
    /topics never is service_healthy/,
  ],
  [
    'awaits',
    'compose',
    'edge-2: { condition: service_started }',
    'tools: { condition: service_completed_successfully }',
    /tools is started by a profile/,
  ],
  [
    'edgesAlone',
    'compose',
    'setup: { condition: service_completed_successfully }\n  networks',
    'kafka: { condition: service_healthy }\n  networks',
    /^edge-1: waits for kafka/,
  ],

  ['copied', 'dockerfile', 'COPY schemas ./schemas\n', '', /schemas\/clickhouse is read, and not copied/],
  [
    'copied',
    'dockerfile',
    'COPY services ./services',
    'COPY services/core ./services/core',
    /services\/hookwatch\.ts is read/,
  ],
  ['copied', 'dockerfile', /COPY dashboards.*\n/, '', /alertmanager\.yml is read, and not copied/],
  ['copied', 'dockerfile', 'COPY schemas', 'COPY schemas test', /test has tests in it/],
  ['copied', 'dockerfile', 'COPY schemas', 'COPY schemes', /schemes is copied, and not there/],
  ['packages', 'manifest', /"hono": .*\n/, '', /hono is loaded, and no package of production/],
  ['sent', 'dockerignore', '!schemas\n', '', /schemas is copied, and not sent/],
  ['sent', 'dockerignore', '!schemas\n', '!schemas\n!test\n', /test is sent, and not copied/],
  ['sent', 'dockerignore', '*\n', '', /more is sent/],
  ['dockerfile', 'dockerfile', 'USER 1000:1000\n', '', /runs as root/],
  ['dockerfile', 'dockerfile', 'node:24.21.0-bookworm-slim AS', 'node:24-slim AS', /another one tomorrow/],
  ['dockerfile', 'dockerfile', ' --omit=optional', '', /more packages/],
  ['dockerfile', 'dockerfile', '/app/scripts/healthcheck.mjs', '/app/scripts/health.mjs', /health\.mjs is not copied/],
  [
    'healthScript',
    'compose',
    '/app/scripts/healthcheck.mjs',
    '/app/scripts/health.mjs',
    /^worker: .* is not in the image/,
  ],
  ['folders', 'dockerfile', ' /backups', '', /^tools: \/backups belongs to root/],
  ['folders', 'dockerfile', ' /setup/caddy', '', /^setup: \/setup\/caddy belongs to root/],

  ['known', 'compose', 'HOOKWATCH_JOURNAL_MB: ', 'HOOKWATCH_JORNAL_MB: ', /^edge-1: HOOKWATCH_JORNAL_MB is no setting/],
  ['known', 'compose', 'HOOKWATCH_ALERT_SLACK_URL: ', 'HOOKWATCH_ALERT_SLAK_URL: ', /^setup: HOOKWATCH_ALERT_SLAK_URL/],
  ['given', 'compose', /.*HOOKWATCH_CHECKPOINT_SECONDS.*\n/, '', /HOOKWATCH_CHECKPOINT_SECONDS is given to no/],
  ['given', 'compose', /.*HOOKWATCH_ALERT_WEBHOOK_URL.*\n/, '', /HOOKWATCH_ALERT_WEBHOOK_URL is given to no/],
  [
    'given',
    'compose',
    'CLICKHOUSE_PASSWORD_FILE: /secrets/hookwatch.password',
    'CLICKHOUSE_PASSWORD: x',
    /CLICKHOUSE_PASSWORD is given/,
  ],
  [
    'taken',
    'compose',
    'HOOKWATCH_KAFKA_REPLICATION: "1"',
    'HOOKWATCH_KAFKA_REPLICATION: "0"',
    /^setup|HOOKWATCH_KAFKA_REPLICATION/,
  ],
  ['taken', 'compose', 'HOOKWATCH_LOG_LEVEL:-info', 'HOOKWATCH_LOG_LEVEL:-loud', /HOOKWATCH_LOG_LEVEL/],
  [
    'brought',
    'compose',
    'volumes: [*configuration, *sink-secrets]',
    'volumes: [*configuration]',
    /^sink: CLICKHOUSE_PASSWORD_FILE/,
  ],
  ['brought', 'compose', 'volumes: [*configuration, *demo]', 'volumes: [*demo]', /^simulator: HOOKWATCH_CONFIG/],

  [
    'paths',
    'compose',
    './dashboards/clickhouse/config.d',
    './dashboards/clickhouse/conf.d',
    /conf\.d is not in the repository/,
  ],
  ['paths', 'compose', ':-./hookwatch.yaml', ':-/etc/hookwatch.yaml', /is not in the repository/],
  ['paths', 'compose', '/etc/hookwatch/grafana:ro', '/etc/hookwatch/grafana', /^grafana: may write to/],
  [
    'published',
    'compose',
    '127.0.0.1:${HOOKWATCH_PUBLISH_GRAFANA',
    '0.0.0.0:${HOOKWATCH_PUBLISH_GRAFANA',
    /^grafana: .*not on loopback/,
  ],
  ['published', 'compose', 'HOOKWATCH_BIND:-127.0.0.1', 'HOOKWATCH_BIND:-0.0.0.0', /^caddy: .*not on loopback/],
  [
    'published',
    'compose',
    'GF_SERVER_HTTP_ADDR: 127.0.0.1',
    'GF_SERVER_HTTP_ADDR: 0.0.0.0',
    /^host-grafana: listens on every/,
  ],
  ['published', 'compose', /.*--web\.listen-address.*\n/, '', /^host-prometheus: listens on every/],
  [
    'opened',
    'compose',
    '127.0.0.1:${HOOKWATCH_PUBLISH_CLICKHOUSE',
    `${anywhere}:$\{HOOKWATCH_PUBLISH_CLICKHOUSE`,
    /reached from where/,
  ],
  [
    'listening',
    'compose',
    'HOOKWATCH_PUBLISH_CONSOLE:-8090}:8090',
    'HOOKWATCH_PUBLISH_CONSOLE:-8090}:8080',
    /^console: .*listens on 8090/,
  ],
  ['variables', 'example', '#HOOKWATCH_DOMAIN=localhost\n', '', /HOOKWATCH_DOMAIN is not in/],
  [
    'variables',
    'example',
    '#HOOKWATCH_DOMAIN=',
    '#HOOKWATCH_DOMIAN=',
    /HOOKWATCH_DOMIAN of .env.example is used nowhere/,
  ],
  ['variables', 'example', /# Partitions of every topic.*\n/, '', /HOOKWATCH_KAFKA_PARTITIONS of .* not explained/],
  [
    'noPasswords',
    'compose',
    'HOOKWATCH_ANALYST_PASSWORD:-',
    'HOOKWATCH_ANALYST_PASSWORD:-letmein',
    /has a (value|default)/,
  ],
  [
    'noPasswords',
    'compose',
    'GF_SECURITY_ADMIN_PASSWORD__FILE: /secrets/admin.password',
    'GF_SECURITY_ADMIN_PASSWORD: admin',
    /^grafana: GF_SECURITY/,
  ],
  ['noPasswords', 'example', 'HOOKWATCH_ALERT_SMTP_PASSWORD=', 'HOOKWATCH_ALERT_SMTP_PASSWORD=x', /has a value in/],
  [
    'secretsOfOne',
    'compose',
    'volumes: [*configuration]\n    depends_on:\n      topics',
    'volumes: [*configuration, *sink-secrets]\n    depends_on:\n      topics',
    /setup-sink: read by worker,sink/,
  ],
  [
    'secretsOfOne',
    'compose',
    /source: setup-grafana\n.*\n.*read_only: true/,
    'source: setup-grafana\n        target: /secrets',
    /setup-grafana: grafana must/,
  ],
  [
    'secretsOfOne',
    'compose',
    /(source: setup-alertmanager\n.*\n.*read_only: true\n).*nocopy: true.*\n/,
    '$1',
    /setup-alertmanager: alertmanager must/,
  ],
  ['volumes', 'compose', 'edge-2:/data', 'edge-1:/data', /edge-1 is written to by several/],
  [
    'volumes',
    'compose',
    '\n  prometheus:\n  alertmanager:\n  grafana:\n',
    '\n  prometheus:\n  grafana:\n',
    /^alertmanager is not declared/,
  ],
  ['edges', 'compose', 'HOOKWATCH_EDGE_NAME: edge-2', 'HOOKWATCH_EDGE_NAME: edge-1', /two edges have one name/],
  ['edges', 'compose', 'edge-2:/data', 'edge-1:/data', /two edges have one disk/],
  ['edges', 'compose', 'HOOKWATCH_EDGES: edge-1:8080 edge-2:8080', 'HOOKWATCH_EDGES: edge-1:8080', /Caddy forwards/],
  ['networks', 'compose', 'networks: [watch]', 'networks: [watch, front]', /^alertmanager is in front/],
  ['networks', 'compose', 'networks: [front]\n    ports', 'ports', /caddy reaches more/],
  ['targets', 'prometheus', 'sink:8083', 'sink:8084', /sink:8083 is not asked/],
  ['targets', 'prometheus', /(edge-1:8080), edge-2:8080/, '$1', /edge-2:8080 is not asked/],
  ['targets', 'prometheus', 'caddy:9180', 'caddy:9180, kafka:9092', /kafka:9092 is asked, and no service/],
  ['targets', 'compose', 'networks: [front, back, watch]', 'networks: [back, watch]', /caddy:9180 is in no network/],
];

describe('every check finds what it is for', () => {
  test.each(mistakes)('%s: %s with %j as %j', (name, file, from, to, fault) => {
    const text = files[file].replace(from, to);
    expect(text, 'there is nothing like that in the file').not.toBe(files[file]);
    expect(checks[name](parseStack({ ...files, [file]: text })).join('\n')).toMatch(new RegExp(fault.source, 'm'));
  });

  test('a check without a case is not known to work', () => {
    const shown = new Set<string>(mistakes.map(([name]) => name));
    expect(Object.keys(checks).filter((name) => !shown.has(name))).toEqual([]);
  });
});
