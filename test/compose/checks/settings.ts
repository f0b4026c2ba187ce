/** Whether our services are given settings that exist, with values that are taken, and all that make sense. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, settingNames } from '../../../services/config.ts';
import { providerSettingNames } from '../../../services/provider-settings.ts';
import { type Check, isOurs, pathOf, textOf } from './stack.ts';

const ofCommands = 'of commands, which are given it with `docker compose exec -e`';

/** Settings that the stack leaves alone, and why. */
const left: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    providerSettingNames.filter((name) => name !== 'HOOKWATCH_PUBLIC_URL').map((name) => [name, ofCommands]),
  ),
  HOOKWATCH_DATA: 'the image says where',
  HOOKWATCH_EDGE_PORT: 'a container has its ports to itself',
  HOOKWATCH_EDGE_INTERNAL_PORT: 'a container has its ports to itself',
  HOOKWATCH_CONSOLE_PORT: 'a container has its ports to itself',
  HOOKWATCH_WORKER_PORT: 'a container has its ports to itself',
  HOOKWATCH_SINK_PORT: 'a container has its ports to itself',
  HOOKWATCH_RECONCILE_PORT: 'a container has its ports to itself',
  HOOKWATCH_CLICKHOUSE_PORT: 'there is no embedded engine',
  HOOKWATCH_OUTPUTS_MB: 'of one machine: outputs are in Kafka',
  HOOKWATCH_EDGE_TLS_CERT: 'Caddy speaks TLS',
  HOOKWATCH_EDGE_TLS_KEY: 'Caddy speaks TLS',
  CLICKHOUSE_PASSWORD: 'it stands in a file',
  HOOKWATCH_KAFKA_TLS: 'the broker is reached from within only',
  HOOKWATCH_KAFKA_SASL_MECHANISM: 'the broker is reached from within only',
  HOOKWATCH_KAFKA_USERNAME: 'the broker is reached from within only',
  HOOKWATCH_KAFKA_PASSWORD: 'the broker is reached from within only',
};

/** What `setup` reads besides, by its own code. */
function namesOfSetup(): string[] {
  const receivers = textOf('services/commands/setup/alertmanager.ts').matchAll(/\bof\('([A-Z_]+)'\)/g);
  return ['HOOKWATCH_DOMAIN', ...[...receivers].map(([, name]) => `HOOKWATCH_ALERT_${name}`)];
}

const entriesOf = (stack: Parameters<Check>[0]) => Object.entries(stack.services).filter(([, one]) => isOurs(one));

const known: Check = (stack) => {
  const ofSetup = namesOfSetup();
  return entriesOf(stack).flatMap(([name, { environment }]) =>
    Object.keys(environment)
      .filter((key) => !settingNames.includes(key) && !(name === 'setup' && ofSetup.includes(key)))
      .map((key) => `${name}: ${key} is no setting`),
  );
};

const given: Check = (stack) => {
  const set = new Set(entriesOf(stack).flatMap(([, { environment }]) => Object.keys(environment)));
  return [
    ...[...settingNames, ...namesOfSetup()]
      .filter((name) => !set.has(name) && !(name in left))
      .map((name) => `${name} is given to no service`),
    ...Object.keys(left)
      .filter((name) => set.has(name) || !settingNames.includes(name))
      .map((name) => `${name} is given, or no setting: ${left[name]}`),
  ];
};

/** Without .env every part takes what it is given; files that its volumes bring are stood in for. */
const taken: Check = (stack) => {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-checks-'));
  const password = join(folder, 'password');
  writeFileSync(password, 'secret');
  try {
    return entriesOf(stack).flatMap(([name, { environment }]) => {
      const variables = {
        ...environment,
        HOOKWATCH_CONFIG: pathOf('hookwatch.yaml'),
        ...(environment.CLICKHOUSE_PASSWORD_FILE && { CLICKHOUSE_PASSWORD_FILE: password }),
      };
      try {
        loadConfig(variables);
        return [];
      } catch (error) {
        return [`${name}: ${(error as Error).message}`];
      }
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** Files that settings name are brought by a volume of that service. */
const brought: Check = (stack) =>
  entriesOf(stack).flatMap(([name, { environment, mounts }]) =>
    Object.entries(environment)
      .filter(([key, value]) => (key === 'HOOKWATCH_CONFIG' || key.endsWith('_FILE')) && value !== '')
      .filter(([, value]) => !mounts.some(({ target }) => value === target || value.startsWith(`${target}/`)))
      .map(([key, value]) => `${name}: ${key} is ${value}, which nothing brings`),
  );

export const settingsChecks = { known, given, taken, brought };
