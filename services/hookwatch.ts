/** The command line: chooses parts and starts them, nothing else. */
import { parseArgs } from 'node:util';
import { type Config, ConfigError, environment, loadConfig, parsePortOffset } from './config.ts';
import type { Running } from './parts.ts';
import type { PartReady } from './supervisor/supervisor.ts';

const usage = `Usage: hookwatch <command> [options]

  start        everything on this machine: edge, pipeline (worker, sink, console), ClickHouse
  simulate     sends signed traffic of a small reseller to a running edge
  apply        brings changes of hookwatch.yaml into the lanes of a running Hookwatch
  topics       makes the topics of Kafka what they should be
  edge         the edge alone
  pipeline     worker, sink and console alone
  clickhouse   the embedded ClickHouse alone

Options of all commands:
  --port-offset N   adds N to every port
  --help            what a command does and takes

Settings come from hookwatch.yaml and the environment; README.md lists them.
Exit codes: 0 done, 1 failed, 2 wrong usage or settings.
`;

const options = { 'port-offset': { type: 'string' }, help: { type: 'boolean' } } as const;

type Part = (config: Config) => Promise<Running>;

const orphanDrainMsMax = 30_000;

const parts: Record<string, () => Promise<Part>> = {
  edge: async () => (await import('./parts.ts')).runEdge,
  pipeline: async () => (await import('./parts.ts')).runPipeline,
  clickhouse: async () => (await import('./parts.ts')).runClickHouse,
};

async function main([command = '', ...args]: string[]): Promise<number> {
  if (command === 'start') return (await import('./supervisor/command.ts')).startCommand(args);
  if (command === 'simulate') return simulate(args);
  if (command === 'apply') return apply(args);
  if (command === 'topics') return topics(args);
  const part = parts[command];
  if (part) return runPart(command, await part(), args);
  const asked = command === '' || command === 'help' || command === '--help' || command === '-h';
  (asked ? process.stdout : process.stderr).write(asked ? usage : `Unknown command ${command}\n\n${usage}`);
  return asked ? 0 : 2;
}

async function simulate(args: string[]): Promise<number> {
  const config = loadConfig(environment);
  const { simulateCommand } = await import('./simulator/command.ts');
  return simulateCommand(args, {
    dataFolder: config.dataFolder,
    edgeUrl: `http://${config.host}:${config.ports.edge}`,
    clickhouseUrl: config.clickhouseUrl ?? `http://${config.host}:${config.ports.clickhouse}`,
    tenants: config.tenants,
  });
}

async function apply(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options });
  const { applyCommand, applyUsage } = await import('./apply/command.ts');
  if (values.help) {
    process.stdout.write(applyUsage);
    return 0;
  }
  const { ports, host, tenants } = loadConfig(environment, parsePortOffset(values['port-offset']));
  return applyCommand({
    edgeInternalUrl: `http://127.0.0.1:${ports.edgeInternal}`,
    lanesUrls: [`http://${host}:${ports.console}`],
    tenants,
  });
}

async function topics(args: string[]): Promise<number> {
  const { topicsCommand } = await import('./topics/command.ts');
  return topicsCommand(args, async () => {
    const { kafka: settings, logLevel } = loadConfig(environment);
    if (!settings) throw new ConfigError('Cannot do anything about topics: HOOKWATCH_KAFKA_BROKERS names no broker');
    const { connectKafka } = await import('./ports/log/kafka.ts');
    const { createLogger } = await import('./logger.ts');
    return {
      kafka: connectKafka({ ...settings, clientId: 'hookwatch-topics' }, createLogger('topics', logLevel)),
      settings,
    };
  });
}

/** Runs one part until a signal. Under a supervisor it says when it works. */
async function runPart(name: string, part: Part, args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
    // Without its supervisor a part ends, save for the edge: losing deliveries is worse than an orphan.
    if (name === 'edge') return;
    process.on('disconnect', () => resolve());
    if (process.connected === false) resolve();
  });
  const running = await part(loadConfig(environment, parsePortOffset(values['port-offset'])));
  if (process.connected) process.send?.({ kind: 'ready', urls: running.urls } satisfies PartReady);
  else process.stdout.write(`${Object.values(running.urls).join('\n')}\n`);
  await Promise.race([signalled, running.failed]);
  // A supervisor would kill what does not drain; nobody does once it is gone.
  if (process.connected === false) setTimeout(() => process.exit(1), orphanDrainMsMax).unref();
  await running.close();
  return 0;
}

try {
  const code = await main(process.argv.slice(2));
  process.exitCode = code;
  if (process.connected) process.disconnect();
} catch (error) {
  const wrongUsage =
    error instanceof ConfigError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${wrongUsage ? (error as Error).message : ((error as Error).stack ?? error)}\n`);
  process.exit(wrongUsage ? 2 : 1);
}
