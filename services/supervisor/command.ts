/** `hookwatch start`: everything on this machine. */
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Config, ConfigError, environment, loadConfig, parsePortOffset } from '../config.ts';
import { refuseHalfRestored, restoreDraft } from '../data-folder.ts';
import { createLogger } from '../logger.ts';
import { lockFolder } from '../ports/log/folder-lock.ts';
import { prepareSecrets } from '../secrets.ts';
import { describeStart, waitUntilReady } from './banner.ts';
import { hintAtEarlierEdge } from './edge-pid.ts';
import { claimPorts, type WantedPort } from './ports.ts';
import { createSupervisor, type PartOptions } from './supervisor.ts';

const usage = `Usage: npm start -- [options]

Starts edge, pipeline (worker, sink, console) and ClickHouse, and keeps them running. Ctrl-C drains and ends them.
With HOOKWATCH_KAFKA_BROKERS the lanes are in Kafka, and worker, sink and console are processes of their own;
\`npm run hookwatch -- topics --apply\` makes the topics first. With HOOKWATCH_CLC_USERNAME it also compares daily what
webhooks have told with CenturyLink Cloud's API.

  --port-offset N   adds N to every port (8080 to 8084, 8090, 8123)
  --help            this text
`;

/** How long the banner waits for the tables to be there. */
const readyMsMax = 20_000;

const entry = fileURLToPath(new URL('../hookwatch.ts', import.meta.url));

export async function startCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { 'port-offset': { type: 'string' }, help: { type: 'boolean' } } });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const offset = parsePortOffset(values['port-offset']);
  const config = loadConfig({ HOOKWATCH_LOG_LEVEL: 'warn', ...environment }, offset);
  const embedded = config.clickhouseUrl === undefined;
  if (embedded && !hasEngine()) {
    throw new ConfigError(
      'Cannot start ClickHouse: the optional package chdb is not installed (there is none for Windows and musl).\n' +
        'Run `npm ci --include=optional`, or set CLICKHOUSE_URL to a ClickHouse server.',
    );
  }
  const wanted = wantedPorts(config, embedded);
  const { ports, taken } = await claimPorts(config.host, wanted);
  if (taken.length > 0) throw new ConfigError(describeTaken(taken, config));
  const lock = holdDataFolder(config.dataFolder);
  const env = {
    HOOKWATCH_LOG_LEVEL: config.logLevel,
    HOOKWATCH_EDGE_NAME: config.edgeName,
    ...Object.fromEntries(wanted.map(({ setting }, index) => [setting, String(ports[index])])),
  };
  try {
    refuseHalfRestored(config.dataFolder);
    prepareSecrets(config);
    return await supervise(config, partsOf(config, env), offset);
  } finally {
    lock.close();
  }
}

async function supervise(config: Config, parts: PartOptions[], offset: number): Promise<number> {
  const logger = createLogger('supervisor', config.logLevel);
  const supervisor = createSupervisor({ parts, logger });
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
    // A terminal that is closed sends it, and everything ends. Where there is none, somebody means what the edge reads again.
    const renews = !hasTerminal();
    process.on('SIGHUP', () => (renews ? supervisor.reload('edge') : resolve()));
  });
  // Whoever reads along may go, a terminal too: that is no reason to die without draining.
  process.stdout.on('error', () => {});
  process.stdout.write(`Starting ${parts.map(({ name }) => name).join(', ')} …\n`);
  const started = supervisor.start().catch((error: Error) => {
    const hint = hintAtEarlierEdge(config.dataFolder);
    throw hint === '' ? error : new Error(`${error.message}. ${hint}`, { cause: error });
  });
  const urls = await Promise.race([started, signalled]);
  if (urls) {
    const asked = Object.entries(urls).filter(([name]) => ['worker', 'sink', 'console'].includes(name));
    const ready = Promise.all(
      asked.map(([name, url]) => waitUntilReady(url, readyMsMax, config.kafka ? `the ${name}` : undefined)),
    );
    const troubles = (await Promise.race([ready, signalled]))?.flat();
    if (troubles) process.stdout.write(describeStart(config, urls, offset, troubles));
    await signalled;
  }
  process.stdout.write('\nStopping: what was taken in is worked on first …\n');
  await supervisor.stop();
  process.stdout.write('Stopped.\n');
  return 0;
}

/** One installation at a time in a data folder: found out before anything is started. */
function holdDataFolder(folder: string): { close(): void } {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return lockFolder(folder);
  } catch (error) {
    const { message } = error as Error;
    const restoring = existsSync(restoreDraft(folder)) ? 'A restore into it is at work: wait for its end.' : '';
    const hint = restoring || hintAtEarlierEdge(folder);
    throw new ConfigError(`Cannot use the data folder ${folder} (HOOKWATCH_DATA): ${message}${hint && `\n${hint}`}`, {
      cause: error,
    });
  }
}

function describeTaken(taken: readonly WantedPort[], { dataFolder }: Config): string {
  const list = taken.map(({ port, setting }) => `  port ${port} is in use: set ${setting}`);
  const edge = taken.some(({ setting }) => setting.startsWith('HOOKWATCH_EDGE'));
  const hint = edge ? hintAtEarlierEdge(dataFolder) : '';
  const shift = 'or shift all ports: npm start -- --port-offset 100';
  return ['Cannot start:', ...list, shift, ...(hint === '' ? [] : [hint])].join('\n');
}

/** Whoever gives a user means to be compared daily. @throws ConfigError where the password is missing */
function comparesDaily({ providerApis }: Config): boolean {
  return Boolean(environment.HOOKWATCH_CLC_USERNAME && providerApis.centurylink.credentials());
}

/** In the order in which they drain: what takes in first, what is written to last. */
function partsOf(config: Config, env: Record<string, string>): PartOptions[] {
  const { clickhouseUrl, kafka } = config;
  const part = (name: string, more: Record<string, string> = {}): PartOptions => ({
    name,
    args: [entry, name],
    env: { ...env, ...more },
  });
  const daily = { ...part('reconcile'), args: [entry, 'reconcile', '--every', '24h'] };
  // Deliveries that come while it is away are lost: nobody sends them again.
  const edge = { ...part('edge'), backoffMsMax: 1_000 };
  // Its worker and its sink have deadlines of their own: 5 and 10 s.
  const workers = (kafka ? ['worker', 'sink', 'console'] : ['pipeline']).map((name) => ({
    ...part(name),
    drainMsMax: 25_000,
  }));
  // Fixed before the first line of JavaScript runs: each query under way holds a thread of that pool.
  const engine = part('clickhouse', { UV_THREADPOOL_SIZE: '16' });
  return [
    ...(comparesDaily(config) ? [daily] : []),
    edge,
    ...workers,
    ...(clickhouseUrl === undefined ? [engine] : []),
  ];
}

function wantedPorts(config: Config, embedded: boolean): WantedPort[] {
  const { edge, edgeInternal, console, clickhouse, worker, sink, reconcile } = config.ports;
  const ownProcesses = [
    { port: worker, setting: 'HOOKWATCH_WORKER_PORT' },
    { port: sink, setting: 'HOOKWATCH_SINK_PORT' },
  ];
  return [
    { port: edge, setting: 'HOOKWATCH_EDGE_PORT' },
    { port: edgeInternal, setting: 'HOOKWATCH_EDGE_INTERNAL_PORT' },
    { port: console, setting: 'HOOKWATCH_CONSOLE_PORT' },
    ...(config.kafka ? ownProcesses : []),
    ...(comparesDaily(config) ? [{ port: reconcile, setting: 'HOOKWATCH_RECONCILE_PORT' }] : []),
    ...(embedded ? [{ port: clickhouse, setting: 'HOOKWATCH_CLICKHOUSE_PORT' }] : []),
  ];
}

/** Whether this process has a terminal that may be closed. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

function hasEngine(): boolean {
  try {
    createRequire(import.meta.url).resolve('chdb');
    return true;
  } catch {
    return false;
  }
}
