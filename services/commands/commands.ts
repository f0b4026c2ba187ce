/** The commands that look after an installation: what each is given, on one machine and over Kafka. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Config, ConfigError, environment, loadConfig, parsePortOffset } from '../config.ts';
import { flowHash } from '../flow-hash.ts';
import type { InstallationUrls } from '../installation.ts';
import { openStores, type Stores } from './stores.ts';

export type Command = (args: string[]) => Promise<number>;

/** By name: what is imported for one is not for the others. */
export const commands: Readonly<Record<string, Command>> = {
  async topics(args) {
    const { topicsCommand } = await import('./topics/command.ts');
    const { connectKafka } = await import('../ports/log/kafka.ts');
    const { createLogger } = await import('../logger.ts');
    return topicsCommand(args, async () => {
      const { kafka: settings, logLevel } = loadConfig(environment);
      if (!settings) throw new ConfigError('Cannot do anything about topics: HOOKWATCH_KAFKA_BROKERS names no broker');
      const logger = createLogger('topics', logLevel);
      return { kafka: connectKafka({ ...settings, clientId: 'hookwatch-topics' }, logger), settings };
    });
  },
  async setup(args) {
    const { setupCommand, setupUsage } = await import('./setup/command.ts');
    if (isHelp(args, setupUsage)) return 0;
    const { alertmanagerConfig } = await import('./setup/alertmanager.ts');
    return setupCommand(args, () => {
      const { analystPassword, tenants } = loadConfig(environment);
      const base = readFileSync(new URL('../../dashboards/alertmanager/alertmanager.yml', import.meta.url), 'utf8');
      return {
        analystPassword,
        demo: tenants.some((tenant) => tenant.demo),
        alertmanager: alertmanagerConfig(base, environment),
        domain: environment.HOOKWATCH_DOMAIN,
      };
    });
  },
  async apply(args) {
    const { applyCommand, applyUsage } = await import('./apply/command.ts');
    if (isHelp(args, applyUsage)) return 0;
    const options = { tenant: { type: 'string' }, 'port-offset': { type: 'string' } } as const;
    const { tenant } = parseArgs({ args, options }).values;
    const config = configFor(args);
    const { loadEndpoints } = await import('../endpoints-file.ts');
    const tenants = loadEndpoints(config).filter(({ name }) => tenant === undefined || name === tenant);
    if (tenants.length === 0) throw new ConfigError(`Cannot apply anything: hookwatch.yaml has no tenant ${tenant}`);
    return applyCommand({ ...(await urlsOf(config)), tenants });
  },
  async endpoints(args) {
    const { endpointsUsage } = await import('./endpoints/usage.ts');
    if (isHelp(args, endpointsUsage)) return 0;
    const { endpointsCommand } = await import('./endpoints/command.ts');
    return endpointsCommand(args, () => {
      const config = configFor(args);
      return { config, publicUrl: config.providerApis.publicUrl, urls: () => urlsOf(config) };
    });
  },
  async upgrade(args) {
    const { upgradeCommand } = await import('./upgrade/command.ts');
    return upgradeCommand(args, async () => {
      const config = configFor(args);
      const tenants = config.tenants.map((tenant) => tenant.name);
      return { ...(await urlsOf(config)), tenants, flow: flowHash() };
    });
  },
  async resume(args) {
    const { resumeCommand } = await import('./resume/command.ts');
    return resumeCommand(args, async () => {
      const config = configFor(args);
      return { ...(await urlsOf(config)), tenants: config.tenants.map((tenant) => tenant.name) };
    });
  },
  async audit(args) {
    const { auditCommand, auditUsage } = await import('./audit/command.ts');
    if (isHelp(args, auditUsage)) return 0;
    return withStores(args, (stores, { ttlDays }) => auditCommand(args, { ...stores, ttlDays, flow: flowHash() }));
  },
  async rebuild(args) {
    const { rebuildCommand, rebuildUsage } = await import('./rebuild/command.ts');
    if (isHelp(args, rebuildUsage)) return 0;
    return withStores(args, (stores) => rebuildCommand(args, { ...stores, flow: flowHash() }));
  },
  async subscribe(args) {
    const { subscribeCommand, subscribeUsage } = await import('./subscribe/command.ts');
    if (isHelp(args, subscribeUsage)) return 0;
    const { loadEndpoints } = await import('../endpoints-file.ts');
    const config = configFor(args);
    return subscribeCommand(args, {
      tenants: loadEndpoints(config),
      configFolder: dirname(config.configFile),
      tokenFolder: join(config.dataFolder, 'secrets'),
      providerApis: config.providerApis,
    });
  },
  async doctor(args) {
    const { doctorCommand, doctorUsage } = await import('./doctor/command.ts');
    if (isHelp(args, doctorUsage)) return 0;
    const { loadEndpoints } = await import('../endpoints-file.ts');
    const { openWarehouse } = await import('../parts.ts');
    return doctorCommand(args, {
      load() {
        const config = configFor(args);
        return { ...config, tenants: loadEndpoints(config) };
      },
      openWarehouse,
    });
  },
  async backup(args) {
    const { backupCommand, backupUsage } = await import('./backup/command.ts');
    if (isHelp(args, backupUsage)) return 0;
    return withStores(args, (stores) => backupCommand(args, { ...stores, version: versionOf(), flow: flowHash() }));
  },
  async restore(args) {
    const { restoreCommand, restoreUsage } = await import('./restore/command.ts');
    if (isHelp(args, restoreUsage)) return 0;
    const config = configFor(args);
    const target = config.kafka
      ? (await import('./restore/kafka-target.ts')).openKafka(config, config.kafka)
      : (await import('./restore/machine-target.ts')).openMachine(config);
    return restoreCommand(args, { target, tenants: config.tenants.map((tenant) => tenant.name), flow: flowHash() });
  },
};

/** Of `hookwatch edge <name>`: the edge itself has none. */
export const edgeCommands: Readonly<Record<string, Command>> = {
  async retire(args) {
    const { retireCommand, retireUsage } = await import('./retire/command.ts');
    if (isHelp(args, retireUsage)) return 0;
    const config = configFor(args);
    const urls = await urlsOf(config);
    return retireCommand(args, () => ({ ...urls, tenants: config.tenants.map((tenant) => tenant.name) }));
  },
};

export function isHelp(args: readonly string[], usage: string): boolean {
  if (!args.includes('--help')) return false;
  process.stdout.write(usage);
  return true;
}

/** The settings, with the ports where `npm start` was told to put them. */
export function configFor(args: readonly string[]): Config {
  const at = args.findIndex((arg) => /^--port-offset(=|$)/.test(arg));
  const offset = at < 0 ? undefined : (args[at]!.split('=')[1] ?? args[at + 1]);
  return loadConfig(environment, parsePortOffset(offset));
}

/** As package.json has it. */
function versionOf(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}

async function withStores(
  args: readonly string[],
  command: (stores: Stores, config: Config) => Promise<number>,
): Promise<number> {
  const config = configFor(args);
  const stores = openStores(config);
  try {
    return await command(stores, config);
  } finally {
    await stores.close();
  }
}

/** Controls enter through this machine's edge; lanes are told of by the console, or by the workers themselves. */
export async function urlsOf(config: Config): Promise<InstallationUrls> {
  const { addressesOf } = await import('../kafka-parts.ts');
  const { ports, host, kafka, workerUrls } = config;
  return {
    edgeInternalUrl: `http://127.0.0.1:${ports.edgeInternal}`,
    lanesUrls: kafka ? await addressesOf(workerUrls) : [`http://${host}:${ports.console}`],
  };
}
