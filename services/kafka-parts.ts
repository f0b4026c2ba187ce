/**
 * The processes of an installation over Kafka, put together. They do what they do on one machine (parts.ts); the lanes
 * are elsewhere, and worker, sink and console are processes of their own, as many as are needed.
 */
import { lookup } from 'node:dns/promises';
import { join } from 'node:path';
import { Hono } from 'hono';
import { type Config, ConfigError, environment } from './config.ts';
import { createConsole } from './console/console.ts';
import { loopbackHosts } from './console/guard.ts';
import { createReports } from './console/reports.ts';
import { headersOfOutput } from './core/records/cloudevents.ts';
import { keepForwarding } from './edge/forwarder/keep.ts';
import { flowHash } from './flow-hash.ts';
import { createInstallation } from './installation.ts';
import { connectLanes, type KafkaLanes } from './kafka-lanes.ts';
import { behind, createCheck, startProcess } from './kafka-process.ts';
import type { KafkaConfig } from './kafka-settings.ts';
import { createLogger } from './logger.ts';
import { type Downstream, type EdgeContext, openWarehouse, type Running, runEdge } from './parts.ts';
import { createConsumedLog } from './ports/log/consumed.ts';
import { kafkaBatchBytesMax } from './ports/log/kafka-log.ts';
import { createMergedLog } from './ports/log/merged.ts';
import { createSinkShares } from './sink/shares.ts';
import { createSink } from './sink/sink.ts';
import type { SinkSource } from './sink/source.ts';
import { consoleMetrics, createRegistry, forwarderMetrics, sinkMetrics, workerMetrics } from './telemetry.ts';
import { createKnowledge } from './worker/knowledge.ts';
import { createShares } from './worker/shares.ts';
import { createWorker } from './worker/worker.ts';

const drainMs = 5_000;
/** How long a read waits at the end of a lane: records come at once all the same. */
const readWaitMs = 250;

/** Takes webhooks in and brings them into the lanes. What it answers depends on nothing but its disk. */
export async function runKafkaEdge(config: Config): Promise<Running> {
  const kafka = kafkaOf(config, 'edge');
  if (!environment.HOOKWATCH_EDGE_NAME) {
    throw new ConfigError(
      'Cannot start an edge without a name: set HOOKWATCH_EDGE_NAME, another one for each edge. A lane takes the start ' +
        'of an edge for the end of the one before that had its name.',
    );
  }
  return runEdge(config, (context) => forwardToLanes(kafka, context));
}

/** Works on the lanes of the partitions that it is given. */
export async function runWorker(config: Config): Promise<Running> {
  const kafka = kafkaOf(config, 'worker');
  const logger = createLogger('worker', config.logLevel);
  const registry = createRegistry('worker');
  const metrics = workerMetrics(registry);
  const lanes = connectLanes(kafka, 'hookwatch-worker', logger);
  const names = config.tenants.map((tenant) => tenant.name);
  const tenants = Map.groupBy(names, lanes.partitionOf);
  const progress = lanes.progress();
  const shares = createShares({
    // Versions of the flow share nothing: each must be able to finish, or to begin, whatever another one is given.
    join: (assigned) => joinPartitions(lanes, kafka, `workers.${flowHash()}`, assigned),
    openPartition: (partition) =>
      createWorker({
        tenants: tenants.get(partition) ?? [],
        records: lanes.records(partition),
        outputs: lanes.outputs(partition),
        checkpoints: lanes.checkpoints(partition),
        checkpointIntervalMs: config.checkpointIntervalMs,
        progress,
        partition: String(partition),
        headersOf: headersOfOutput,
        readWaitMs,
        appendBytesMax: kafkaBatchBytesMax,
        metrics,
        logger,
      }),
    logger,
  });
  // Tools and the console ask for it under whatever name or address they know; it holds no secret.
  const routes = new Hono().get('/lanes', (c) => c.json(shares.lanes())).route('/', createKnowledge(shares.stateOf));
  const { run, troubles } = shares;
  const stop = () => shares.stop(drainMs);
  return startProcess({ name: 'worker', config, kafka, lanes, registry, routes, run, stop, troubles });
}

/** Fills ClickHouse from the partitions that it is given. */
export async function runSink(config: Config): Promise<Running> {
  const kafka = kafkaOf(config, 'sink');
  const logger = createLogger('sink', config.logLevel);
  const registry = createRegistry('sink');
  const metrics = sinkMetrics(registry);
  const lanes = connectLanes(kafka, 'hookwatch-sink', logger);
  const warehouse = openWarehouse(config);
  const shares = createSinkShares({
    join: (assigned) => joinPartitions(lanes, kafka, 'sinks', assigned),
    sink: createSink({ sources: [], warehouse, metrics, logger }),
    openPartition: (partition) =>
      consumedBySinks(lanes, kafka, partition, (source, records) => metrics.lost.inc({ source }, records)),
    logger,
  });
  async function stop(): Promise<void> {
    await shares.stop(drainMs);
    await warehouse.close();
  }
  const { run, troubles } = shares;
  return startProcess({ name: 'sink', config, kafka, lanes, registry, run, stop, troubles });
}

const shownKinds = ['delivery', 'event', 'episode', 'detection', 'reject'] as const;

/** Serves the live page. Each sees everything, however many there are. */
export async function runConsole(config: Config): Promise<Running> {
  const kafka = kafkaOf(config, 'console');
  const logger = createLogger('console', config.logLevel);
  const registry = createRegistry('console');
  const lanes = connectLanes(kafka, 'hookwatch-console', logger);
  const partitions = [...Array(lanes.partitions).keys()];
  const outputs = createMergedLog(
    // The page shows nothing of the others.
    partitions.flatMap((partition) => lanes.outputLogs(partition, shownKinds)).map(({ log }) => log),
    {
      startedAtMs: Date.now(),
      // Of each: a page shows no more than the last thousands of all together.
      backlogRecords: 200,
      onUnavailable: (error) => logger.debug({ err: error }, 'outputs are not reached; it is tried again'),
    },
  );
  const workerUrls = () => addressesOf(config.workerUrls);
  const page = createConsole({
    outputs,
    logger,
    hosts: [...loopbackHosts, config.host, ...config.consoleHosts],
    topicPrefix: kafka.prefix,
    lanes: async () => createInstallation({ edgeInternalUrl: '', lanesUrls: await workerUrls() }).lanes(),
    routes: createReports(workerUrls),
    metrics: consoleMetrics(registry),
  });
  let started = false;
  return startProcess({
    name: 'console',
    config,
    kafka,
    lanes,
    registry,
    routes: page.app,
    async run() {
      await page.start();
      started = true;
      await new Promise(() => {});
    },
    stop: page.stop,
    troubles: () => (started ? [] : ['console: what was there before is still being read']),
  });
}

/** Where processes can be asked: a host name may stand for several of them. */
export async function addressesOf(texts: readonly string[]): Promise<string[]> {
  const urls = texts.map(async (text) => {
    const url = new URL(text);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const addresses = await lookup(host, { all: true }).catch((error: Error) => {
      const hint = 'HOOKWATCH_WORKERS and HOOKWATCH_SINKS name them';
      throw new ConfigError(`Cannot find ${text}: ${error.message}. ${hint}`, { cause: error });
    });
    return addresses.map(
      ({ address, family }) => `http://${family === 6 ? `[${address}]` : address}:${url.port || 80}`,
    );
  });
  return (await Promise.all(urls)).flat();
}

/** The settings of Kafka, without which these processes have nothing to do. Throws ConfigError. */
function kafkaOf({ kafka }: Config, part: string): KafkaConfig {
  if (kafka) return kafka;
  throw new ConfigError(
    `Cannot start a ${part} of its own: HOOKWATCH_KAFKA_BROKERS is not set. On one machine \`npm start\` is all of it.`,
  );
}

function joinPartitions(
  lanes: KafkaLanes,
  { prefix, sessionTimeoutMs }: KafkaConfig,
  who: string,
  assigned: (partitions: readonly number[]) => void,
) {
  return lanes.kafka.join({ group: `${prefix}.${who}`, topic: lanes.topics.records, assigned, sessionTimeoutMs });
}

/** The outputs of a partition, as the sinks have them: how far each is in ClickHouse is committed for their group. */
export function consumedBySinks(
  { kafka, outputLogs }: KafkaLanes,
  { prefix }: KafkaConfig,
  partition: number,
  onLost?: (source: string, records: number) => void,
): SinkSource[] {
  const group = `${prefix}.sinks`;
  return outputLogs(partition).map(({ topic, log }) => {
    const name = `${topic.slice(prefix.length + 1)}/${partition}`;
    const consumed = createConsumedLog(log, {
      committed: async () => (await kafka.committed(group, topic)).get(partition),
      commit: (position) => kafka.commit(group, topic, new Map([[partition, position]])),
      onLost: (records) => onLost?.(name, records),
    });
    return { name, log: consumed };
  });
}

async function forwardToLanes(
  kafka: KafkaConfig,
  { config, journal, registry, logger }: EdgeContext,
): Promise<Downstream> {
  const lanes = connectLanes(kafka, `hookwatch-${config.edgeName}`, logger);
  const check = createCheck(lanes, kafka);
  const gates = Array.from({ length: lanes.partitions }, (_, partition) => behind(check, lanes.records(partition)));
  const metrics = forwarderMetrics(registry);
  const forwarder = await keepForwarding({
    journal,
    lane: (tenant) => gates[lanes.partitionOf(tenant)]!,
    progress: lanes.progress(),
    tenants: config.tenants.map((tenant) => tenant.name),
    // Nothing was forwarded yet to topics of another prefix.
    hintFile: join(config.dataFolder, 'edge', `forwarded-${kafka.prefix}.json`),
    metrics,
    logger,
  });
  return {
    catchingUp: forwarder.catchingUp,
    covered: async () => forwarder.covered(),
    acknowledged: forwarder.acknowledged,
    onLetGo: (records) => metrics.letGo.inc(records),
    remarks: forwarder.troubles,
    async close() {
      await forwarder.stop(drainMs);
      await lanes.close();
    },
  };
}
