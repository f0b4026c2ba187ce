/** The command line: chooses parts and starts them, nothing else. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Config, ConfigError, environment, loadConfig, parsePortOffset } from './config.ts';
import { refuseHalfRestored } from './data-folder.ts';
import type { Running } from './parts.ts';
import type { PartReady } from './supervisor/supervisor.ts';

const usage = `Usage: hookwatch <command> [options]

  start        everything on this machine: edge, pipeline (worker, sink, console), ClickHouse
  simulate     sends signed traffic of a small reseller to a running edge

  endpoints    lists, adds, rotates and disables the URLs that providers call
  apply        brings changes of hookwatch.yaml into the lanes of a running Hookwatch
  subscribe    has providers call the endpoints
  doctor       looks whether webhooks of providers would arrive
  reconcile    tells the lanes what webhooks have missed, by a provider's API
  audit        compares what the lanes lead to with what is in ClickHouse
  rebuild      makes the rows in ClickHouse anew from the lanes
  upgrade      lets this version of the flow take over the lanes from another one
  resume       lets a lane go on whose log has lost what was worked on
  edge retire  declares that an edge is lost, with what it had not sent
  backup       copies what a running Hookwatch knows into a folder
  restore      makes an installation of a backup

  edge         the edge alone
  pipeline     worker, sink and console alone
  clickhouse   the embedded ClickHouse alone

Over Kafka (HOOKWATCH_KAFKA_BROKERS), as many of each as needed:

  setup        makes the passwords and files that the containers of docker-compose.yml are given
  topics       makes the topics of Kafka what they should be
  edge         takes webhooks in and brings them into the lanes
  worker       works on lanes
  sink         fills ClickHouse
  console      serves the live page

Options of all commands:
  --port-offset N   adds N to every port
  --help            what a command does and takes

Settings come from hookwatch.yaml and the environment; README.md lists them.
Exit codes: 0 done, 1 failed, 2 wrong usage or settings.
`;

const options = { 'port-offset': { type: 'string' }, help: { type: 'boolean' } } as const;

type Part = (config: Config) => Promise<Running>;

const orphanDrainMsMax = 30_000;
/** What keeps something in the data folder. */
const ofDataFolder = new Set(['edge', 'pipeline', 'clickhouse']);

const parts: Record<string, () => Promise<Part>> = {
  edge: async () => runEdge,
  worker: async () => (await import('./kafka-parts.ts')).runWorker,
  sink: async () => (await import('./kafka-parts.ts')).runSink,
  console: async () => (await import('./kafka-parts.ts')).runConsole,
  pipeline: async () => (await import('./parts.ts')).runPipeline,
  clickhouse: async () => (await import('./parts.ts')).runClickHouse,
};

async function main([command = '', ...args]: string[]): Promise<number> {
  if (command === 'start') return (await import('./supervisor/command.ts')).startCommand(args);
  if (command === 'simulate') return simulate(args);
  if (command === 'reconcile') return reconcile(args);
  const { commands, edgeCommands } = await import('./commands/commands.ts');
  const known = commands[command] ?? (command === 'edge' ? edgeCommands[args[0] ?? ''] : undefined);
  if (known) return known(command === 'edge' ? args.slice(1) : args);
  const part = parts[command];
  if (part) return runPart(command, await part(), args);
  const asked = command === '' || command === 'help' || command === '--help' || command === '-h';
  (asked ? process.stdout : process.stderr).write(asked ? usage : `Unknown command ${command}\n\n${usage}`);
  return asked ? 0 : 2;
}

async function runEdge(config: Config): Promise<Running> {
  if (config.kafka) return (await import('./kafka-parts.ts')).runKafkaEdge(config);
  return (await import('./parts.ts')).runEdge(config);
}

async function simulate(args: string[]): Promise<number> {
  const { simulateCommand, simulateUsage } = await import('./simulator/command.ts');
  const { isHelp } = await import('./commands/commands.ts');
  if (isHelp(args, simulateUsage)) return 0;
  const config = loadConfig(environment);
  return simulateCommand(args, {
    dataFolder: config.dataFolder,
    edgeUrl: `${config.edgeTls ? 'https' : 'http'}://${config.host}:${config.ports.edge}`,
    clickhouseUrl: config.clickhouseUrl ?? `http://${config.host}:${config.ports.clickhouse}`,
    tenants: config.tenants,
  });
}

/** Its progress is in the data folder, and its token beside other secrets. */
async function reconcile(args: string[]): Promise<number> {
  const { reconcileCommand } = await import('./reconcile/command.ts');
  const { configFor, urlsOf } = await import('./commands/commands.ts');
  const { createStatusApp, serve } = await import('./http.ts');
  const { createLogger } = await import('./logger.ts');
  const { createRegistry, reconcileMetrics } = await import('./telemetry.ts');
  return reconcileCommand(args, async () => {
    const config = configFor(args);
    const { baseUrl, credentials } = config.providerApis.centurylink;
    const registry = createRegistry('reconcile');
    const ending = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM', 'disconnect'] as const) process.once(signal, () => ending.abort());
    return {
      urls: () => urlsOf(config),
      tenants: config.tenants,
      dataFolder: config.dataFolder,
      api: { baseUrl, ...credentials(), tokenFolder: join(config.dataFolder, 'secrets') },
      metrics: reconcileMetrics(registry),
      logger: createLogger('reconcile', config.logLevel),
      async serveStatus(troubles) {
        const served = await serve(createStatusApp(registry, troubles), config.host, config.ports.reconcile);
        process.send?.({ kind: 'ready', urls: { reconcile: served.url } } satisfies PartReady);
        return served;
      },
      signal: ending.signal,
    };
  });
}

/** What one part does, in the words of the whole list. */
function partUsage(name: string): string {
  const line = usage.split('\n').findLast((text) => text.startsWith(`  ${name} `)) ?? '';
  return `Usage: hookwatch ${name} [--port-offset N]

${line}

Runs until SIGTERM or Ctrl-C, and ends what it has begun. An edge reads its certificate, the endpoints and keys of
hookwatch.yaml, and endpoints.json again on SIGHUP.
Prints the URLs that it answers on: /healthz, /readyz and /metrics are among them. Settings come from hookwatch.yaml and
the environment: README.md and docs/kafka.md list them.
Exit codes: 0 ended, 1 failed, 2 wrong usage or settings.
`;
}

/** Runs one part until a signal. Under a supervisor it says when it works. */
async function runPart(name: string, part: Part, args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options });
  if (values.help) {
    process.stdout.write(partUsage(name));
    return 0;
  }
  const config = loadConfig(environment, parsePortOffset(values['port-offset']));
  if (ofDataFolder.has(name)) refuseHalfRestored(config.dataFolder);
  let running: Running | undefined;
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
    process.on('SIGHUP', () => (name === 'edge' ? running?.reload?.() : resolve()));
    // Without its supervisor a part ends, save for the edge: losing deliveries is worse than an orphan.
    if (name === 'edge') return;
    process.on('disconnect', () => resolve());
    if (process.connected === false) resolve();
  });
  running = await part(config);
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
