import type { AddressInfo } from 'node:net';
import { type EngineUser, isLoopbackAddress } from './access.ts';
import { type EngineLimits, openEngine } from './engine.ts';
import { createFront, type FrontOptions } from './front.ts';

/** The part of a pino logger that is used. */
export interface EngineLogger {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface EngineProcessOptions {
  /** Belongs to one process at a time; made if absent. */
  dataFolder: string;
  host: string;
  /** 0 lets the system choose. */
  port: number;
  users: readonly EngineUser[];
  logger?: EngineLogger;
  /** Told of every query, and asked for what Prometheus is answered. */
  metrics?: Required<Pick<FrontOptions, 'onQuery' | 'exposeMetrics'>>;
  /** The database that analysts read and where queries start. Default hookwatch. */
  database?: string;
  limits?: Partial<EngineLimits>;
  /**
   * Size of libuv's pool in this process, of which each running query holds a thread: what `engineEnvironment` was
   * given. Default 4, which is libuv's.
   */
  threads?: number;
  /** Bytes of a writer's request body, sent and decoded; an analyst's may have 1 MiB. Default 256 MiB. */
  bodyBytesMax?: number;
}

const limitsByDefault: EngineLimits = {
  executionSecondsMax: 300,
  resultBytesMax: 128 * 1024 * 1024,
  memoryBytesMax: 2 * 1024 * 1024 * 1024,
};

/** Threads kept free for files, compression and ending other queries. */
const spareThreads = 2;
const threadsByDefault = 4;
/** How long queries under way may go on once the process is to end; analysts' are killed then. */
const closeMs = 5_000;

/**
 * Environment for a process that is to run the engine with so many threads. The pool's size is libuv's and fixed
 * before the first line of JavaScript runs.
 */
export function engineEnvironment(threads: number): { UV_THREADPOOL_SIZE: string } {
  return { UV_THREADPOOL_SIZE: String(threads) };
}

/**
 * Starts ClickHouse in this process, behind ClickHouse's HTTP interface. It takes the process for itself: the engine
 * installs signal handlers of its own, and a fault in it ends the process. After SIGKILL a start on the same folder
 * finds everything that was answered; there is no lock to remove.
 * @throws EngineUnavailableError without the package chdb, EngineUnsafeError when the engine would not keep analysts
 *   from files, the system's error when the port is taken.
 */
export async function startEngine(
  options: EngineProcessOptions,
): Promise<{ url: string; port: number; close(): Promise<void> }> {
  const { dataFolder, host, users, logger, database = 'hookwatch', bodyBytesMax = 256 * 1024 * 1024 } = options;
  const { threads = threadsByDefault } = options;
  const engine = await openEngine({ dataFolder, database, limits: { ...limitsByDefault, ...options.limits } });
  const running = Math.max(2, threads - spareThreads);
  const server = createFront({
    engine,
    users,
    open: isLoopbackAddress(host),
    database,
    slots: { running, runningAnalysts: running - 1, waiting: 256, waitMs: 30_000 },
    bodyBytesMax,
    ...options.metrics,
    onFailure: (error, queryId) => logger?.error({ err: error, queryId }, 'query failed'),
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, host, resolve);
  }).catch(async (error: unknown) => {
    await engine.close();
    throw error;
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  logger?.info({ url, version: engine.version, threads }, 'ClickHouse engine is listening');
  return {
    url,
    port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const hurry = setTimeout(() => server.closeAllConnections(), closeMs);
      await closed;
      clearTimeout(hurry);
      await engine.close();
    },
  };
}
