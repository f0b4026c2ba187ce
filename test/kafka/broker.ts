/** Real Kafka on free ports of this machine: one broker, or three that replicate. All of it is gone after `dispose`. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { fetchJars } from './jars.ts';

export interface KafkaOptions {
  brokers?: 1 | 3;
  /** Added to each broker's properties. */
  config?: Record<string, string>;
}

/** Brokers are named by their ids, from 1. */
export interface TestKafka {
  readonly bootstrap: readonly string[];
  readonly ids: readonly number[];
  pid(id: number): number;
  /** Sends a signal; under SIGKILL and SIGTERM it resolves when the broker has ended. */
  kill(id: number, signal: NodeJS.Signals): Promise<void>;
  /** Starts a broker that has ended, on its port and with its data. */
  start(id: number): Promise<void>;
  /** The id of the broker that leads a partition. */
  leader(topic: string, partition: number): Promise<number>;
  /** Runs one of Kafka's own tools to its end; resolves to what it printed. */
  tool(mainClass: string, ...args: string[]): Promise<string>;
  dispose(): Promise<void>;
}

interface Broker {
  id: number;
  port: number;
  folder: string;
  java: ChildProcess | undefined;
  output: string;
}

const outputCharactersMax = 200_000;
const quickStart = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
/** Of a single broker; each of three has the smaller one. */
const heapMbMax = { 1: 512, 3: 320 };

/** Starts Kafka; resolves when every broker takes requests. */
export async function startKafka({ brokers: count = 1, config = {} }: KafkaOptions = {}): Promise<TestKafka> {
  const classPath = await fetchJars();
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-kafka-'));
  const ports = await freePorts(2 * count);
  const voters = ports.slice(count).map((port, index) => `${index + 1}@127.0.0.1:${port}`);
  const brokers = ports.slice(0, count).map((port, index): Broker => {
    const id = index + 1;
    const broker = { id, port, folder: join(folder, `${id}`), java: undefined, output: '' };
    mkdirSync(broker.folder);
    const properties = propertiesOf(broker, voters, config);
    const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(broker.folder, 'broker.properties'), lines.join(''));
    return broker;
  });
  const find = (id: number) => brokers.find((broker) => broker.id === id)!;
  const java = (args: string[]) => ['-cp', classPath, `-Djava.io.tmpdir=${folder}`, ...quickStart, ...args];
  const run = (args: string[]) => promisify(execFile)('java', java(args), { maxBuffer: 64 * 1024 * 1024 });
  const heap = `-Xmx${heapMbMax[count]}m`;
  const start = (broker: Broker) => startBroker(broker, java([heap, '-Dorg.apache.logging.log4j.level=INFO']));

  const kafka: TestKafka = {
    bootstrap: brokers.map(({ port }) => `127.0.0.1:${port}`),
    ids: brokers.map(({ id }) => id),
    pid: (id) => find(id).java!.pid!,
    async kill(id, signal) {
      const process = find(id).java!;
      const ended = once(process, 'exit');
      process.kill(signal);
      if (signal === 'SIGKILL' || signal === 'SIGTERM') await ended;
    },
    start: (id) => start(find(id)),
    async leader(topic, partition) {
      const server = ['--bootstrap-server', kafka.bootstrap.join()];
      const printed = await kafka.tool(
        'org.apache.kafka.tools.TopicCommand',
        ...server,
        '--describe',
        '--topic',
        topic,
      );
      return Number(new RegExp(`Partition: ${partition}\\s+Leader: (\\d+)`).exec(printed)?.[1]);
    },
    tool: async (mainClass, ...args) => (await run([mainClass, ...args])).stdout,
    async dispose() {
      await Promise.all(brokers.filter(isRunning).map(({ id }) => kafka.kill(id, 'SIGKILL')));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    const cluster = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
    for (const broker of brokers) {
      // In one word: an id may begin with a dash.
      const id = `--cluster-id=${cluster}`;
      await run(['kafka.tools.StorageTool', 'format', id, '-c', join(broker.folder, 'broker.properties')]);
    }
    await Promise.all(brokers.map(start));
  } catch (error) {
    await kafka.dispose();
    throw error;
  }
  return kafka;
}

function propertiesOf({ id, port, folder }: Broker, voters: string[], config: Record<string, string>) {
  const replicas = `${voters.length}`;
  return {
    'process.roles': 'broker,controller',
    'node.id': `${id}`,
    'controller.quorum.voters': voters.join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://${voters[id - 1]!.split('@')[1]}`,
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': 'false',
    'unclean.leader.election.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': voters.length === 1 ? '1' : '2',
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    // A dead broker is given up after three seconds, not nine.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'log.cleaner.dedupe.buffer.size': `${2 * 1024 * 1024}`,
    ...(voters.length === 1 && { 'log.flush.interval.messages': '1' }),
    ...config,
  };
}

async function startBroker(broker: Broker, args: string[]): Promise<void> {
  const java = spawn('java', [...args, 'kafka.Kafka', join(broker.folder, 'broker.properties')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  broker.java = java;
  broker.output = '';
  endWithThisProcess(java, dirname(broker.folder));
  const started = new Promise<void>((resolve) => {
    for (const stream of [java.stdout, java.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        broker.output = (broker.output + text).slice(-outputCharactersMax);
        if (broker.output.includes('Kafka Server started')) resolve();
      });
    }
  });
  const ended = once(java, 'exit');
  await Promise.race([started, ended]);
  if (!isRunning(broker)) throw new Error(`Cannot start Kafka; it printed:\n${broker.output}`);
}

/** A process that is killed cleans nothing up; its end of the pipe closes all the same. */
function endWithThisProcess(java: ChildProcess, folder: string): void {
  const watchdog = spawn('sh', ['-c', 'cat >/dev/null; kill -9 "$0"; rm -rf "$1"', `${java.pid}`, folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watchdog.unref();
  java.on('exit', () => process.kill(-watchdog.pid!, 'SIGKILL'));
}

function isRunning({ java }: Broker): boolean {
  return java !== undefined && java.exitCode === null && java.signalCode === null;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
