/**
 * The processes of an installation, put together: which log, which checkpoints, which warehouse. Everything else knows
 * its ports only.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type Config, environment } from './config.ts';
import { createConsole } from './console/console.ts';
import { loopbackHosts } from './console/guard.ts';
import { startEdge } from './edge/process.ts';
import { coveredByCheckpoints, keepTrimmed, replayableFrom } from './edge/retention.ts';
import { createStatusApp, serve } from './http.ts';
import { createLogger } from './logger.ts';
import { createFileCheckpoints } from './ports/checkpoints/files.ts';
import type { Log } from './ports/log/log.ts';
import { segmentBytes } from './ports/log/segments.ts';
import { createSqliteLog } from './ports/log/sqlite.ts';
import { createThreadedSqliteLog } from './ports/log/threaded.ts';
import { startEngine } from './ports/warehouse/chdb/start-engine.ts';
import { type ClickHouseOptions, createClickHouseWarehouse } from './ports/warehouse/clickhouse.ts';
import type { SqlWarehouse } from './ports/warehouse/warehouse.ts';
import { prepareSecrets } from './secrets.ts';
import { createSink } from './sink/sink.ts';
import { removeEdgePid, writeEdgePid } from './supervisor/edge-pid.ts';
import {
  clickhouseMetrics,
  consoleMetrics,
  createRegistry,
  type Registry,
  sinkMetrics,
  workerMetrics,
} from './telemetry.ts';
import { createKnowledge } from './worker/knowledge.ts';
import { createWorker } from './worker/worker.ts';

/** A process that works. `failed` rejects when it can no longer do so. */
export interface Running {
  urls: Record<string, string>;
  failed: Promise<never>;
  /** Reads again what may change while it works, upon SIGHUP; undefined where that ends it. */
  reload?: (() => void) | undefined;
  close(): Promise<void>;
}

const never = new Promise<never>(() => {});
export const recordsFolder = (config: Config) => join(config.dataFolder, 'records');
export const outputsFolder = (config: Config) => join(config.dataFolder, 'outputs');
export const checkpointsFolder = (config: Config) => join(config.dataFolder, 'checkpoints');

/** What comes behind an edge's journal. */
export interface Downstream {
  /** True while what is journaled for a lane arrives there late. */
  catchingUp?(lane: string): boolean;
  /** What lies before this position of the journal can be restored without it. */
  covered(): Promise<number>;
  /** What lies before this position is in its lane, where lanes are elsewhere. */
  acknowledged?(): number;
  /** So many records of it, not covered, were let go by a journal that was filling up. */
  onLetGo?(records: number): void;
  /** What is wrong with it: deliveries are taken in all the same. */
  remarks?(): string[];
  /** Where the journal is the log of the lanes: the last position before one from which they can be worked on anew. */
  replayable?(position: number): Promise<number>;
  /** Called when the journal takes nothing in any more, before it is closed. */
  close(): Promise<void>;
}

export interface EdgeContext {
  config: Config;
  journal: Log;
  registry: Registry;
  logger: Logger;
}

/** The journal is the log: whoever works on the lanes reads it. */
async function readHere({ config }: EdgeContext): Promise<Downstream> {
  const checkpoints = createFileCheckpoints(checkpointsFolder(config));
  const lanes = config.tenants.map((tenant) => tenant.name);
  return {
    covered: () => coveredByCheckpoints(checkpoints, lanes),
    replayable: (position) => replayableFrom(checkpoints, lanes, position),
    close: async () => {},
  };
}

/** Takes webhooks in. What it answers depends on nothing but its disk. */
export async function runEdge(
  config: Config,
  openDownstream: (context: EdgeContext) => Promise<Downstream> = readHere,
): Promise<Running> {
  const logger = createLogger('edge', config.logLevel);
  const folder = recordsFolder(config);
  mkdirSync(folder, { recursive: true });
  const log = createThreadedSqliteLog({ folder, segmentBytesMax: config.journal.segmentBytesMax });
  const journalBytes = () => segmentBytes(folder);
  const registry = createRegistry('edge');
  const downstream = await openDownstream({ config, journal: log, registry, logger });
  const edge = await startEdge({
    config,
    log,
    journalBytes,
    demoKeyPem: prepareSecrets(config).demoKeyPem,
    ...(downstream.catchingUp && { catchingUp: downstream.catchingUp }),
    ...(downstream.remarks && { remarks: downstream.remarks }),
    registry,
    logger,
  }).catch(async (error) => {
    await downstream.close();
    await log.close();
    throw error;
  });
  writeEdgePid(config.dataFolder);
  const stopTrimming = keepTrimmed({
    log,
    covered: downstream.covered,
    acknowledged: downstream.acknowledged,
    onLetGo: downstream.onLetGo,
    replayable: downstream.replayable,
    retentionMs: config.journal.retentionMs,
    journalBytes,
    journalBytesMax: config.journal.bytesMax,
    logger,
  });
  return {
    urls: { edge: edge.url, edgeInternal: edge.internalUrl },
    // Its supervisor starts it again; without a journal there is nothing that it could take in.
    failed: log.failed,
    reload: edge.reload,
    async close() {
      stopTrimming();
      await edge.close();
      await downstream.close();
      removeEdgePid(config.dataFolder);
      await log.close();
    },
  };
}

/** Works on the lanes, fills ClickHouse and serves the live page. */
export async function runPipeline(config: Config): Promise<Running> {
  const logger = createLogger('pipeline', config.logLevel);
  const registry = createRegistry('pipeline');
  const segmentBytesMax = Math.min(config.journal.segmentBytesMax, config.outputsBytesMax / 8, 64 * 1024 * 1024);
  const records = createSqliteLog({ folder: recordsFolder(config), segmentBytesMax });
  const outputs = createSqliteLog({ folder: outputsFolder(config), segmentBytesMax });
  const warehouse = openWarehouse(config);
  const worker = createWorker({
    tenants: config.tenants.map((tenant) => tenant.name),
    outputsFull: sampled(() => segmentBytes(outputsFolder(config)) > config.outputsBytesMax),
    records,
    outputs,
    checkpoints: createFileCheckpoints(checkpointsFolder(config)),
    checkpointIntervalMs: config.checkpointIntervalMs,
    metrics: workerMetrics(registry),
    logger,
  });
  const sources = [{ name: 'outputs', log: outputs }];
  const sink = createSink({ sources, warehouse, metrics: sinkMetrics(registry), logger });
  const hosts = [...loopbackHosts, config.host, ...config.consoleHosts];
  const page = createConsole({
    outputs,
    logger,
    hosts,
    lanes: worker.lanes,
    routes: createKnowledge(worker.stateOf),
    metrics: consoleMetrics(registry),
  });
  await page.start();
  const app = createStatusApp(registry, () => [...worker.troubles(), ...sink.troubles()], page.app);
  const served = await serve(app, config.host, config.ports.console);
  return {
    urls: { console: served.url },
    failed: Promise.race([worker.run(), sink.run()]).then(() => never),
    async close() {
      await worker.stop(5_000);
      await sink.stop(5_000);
      await page.stop();
      await served.close();
      await Promise.all([warehouse.close(), records.close(), outputs.close()]);
    },
  };
}

/** The embedded ClickHouse. */
export async function runClickHouse(config: Config): Promise<Running> {
  const logger = createLogger('clickhouse', config.logLevel);
  const { sinkPassword, analystPassword } = prepareSecrets(config);
  const registry = createRegistry('clickhouse');
  const { queries, querySeconds } = clickhouseMetrics(registry);
  const engine = await startEngine({
    dataFolder: join(config.dataFolder, 'clickhouse'),
    host: config.host,
    port: config.ports.clickhouse,
    users: [
      { name: 'hookwatch', password: sinkPassword, rights: 'writer' },
      { name: 'analyst', password: analystPassword, rights: 'analyst' },
    ],
    // The supervisor sets the size of the pool, which is fixed before the first line of JavaScript runs.
    threads: Number(environment.UV_THREADPOOL_SIZE ?? 4),
    metrics: {
      onQuery(seconds, code) {
        queries.inc({ code: String(code) });
        querySeconds.observe(seconds);
      },
      exposeMetrics: () => registry.metrics(),
    },
    logger,
  });
  return { urls: { clickhouse: engine.url }, failed: never, close: engine.close };
}

/** The ClickHouse of this installation, as the sink uses it. */
export function openWarehouse(config: Config, more: Partial<ClickHouseOptions> = {}): SqlWarehouse {
  return createClickHouseWarehouse({
    url: clickhouseUrl(config),
    username: config.clickhouseUser ?? 'hookwatch',
    password: config.clickhouseUrl ? (config.clickhousePassword ?? '') : prepareSecrets(config).sinkPassword,
    ttlDays: config.ttlDays,
    ...more,
  });
}

/** Asks at most once a second. */
function sampled(ask: () => boolean): () => boolean {
  let askedAt = Number.NEGATIVE_INFINITY;
  let answer = false;
  return () => {
    if (performance.now() - askedAt < 1_000) return answer;
    askedAt = performance.now();
    answer = ask();
    return answer;
  };
}

export function clickhouseUrl(config: Config): string {
  return config.clickhouseUrl ?? `http://${config.host}:${config.ports.clickhouse}`;
}
