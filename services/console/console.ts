import { Hono } from 'hono';
import type { Logger } from 'pino';
import type { Log } from '../ports/log/log.ts';
import type { ConsoleMetrics } from '../telemetry.ts';
import { loadAssets } from './assets.ts';
import { type BoardLimits, boardLimits, createBoard } from './board.ts';
import { createDetail } from './detail.ts';
import { createFeed } from './feed.ts';
import { guard, loopbackHosts } from './guard.ts';
import { createLive } from './live.ts';
import { createSchemaRegistry } from './registry.ts';

export interface ConsoleOptions {
  /** The log that the worker writes its outputs to. It is only read, and not closed. */
  outputs: Log;
  logger?: Logger;
  metrics?: ConsoleMetrics;
  pollIntervalMs?: number;
  /** How many of the log's last records the page starts with. */
  backlogRecords?: number;
  /** At least so long between two messages to a page. */
  flushIntervalMs?: number;
  heartbeatIntervalMs?: number;
  /** Pages that may be open at a time. */
  readersMax?: number;
  /** What workers say of their lanes, by tenant: served at /lanes. */
  lanes?: () => Record<string, unknown> | Promise<Record<string, unknown>>;
  /** Further routes, behind the same guard. */
  routes?: Hono;
  /** Host names that requests may carry, without port; the loopback ones unless given. */
  hosts?: readonly string[];
  /** Of the topics that the registry names. Default `hookwatch`. */
  topicPrefix?: string;
  limits?: Partial<BoardLimits>;
  /** Called with every read that failed (it is tried again) and every record that cannot be decoded (it is left out). */
  onError?: (error: unknown) => void;
}

/** The live page. Whoever mounts it serves `app`. */
export interface Console {
  app: Hono;
  /** Resolves when the backlog has been read. */
  start(): Promise<void>;
  /** Ends the open streams and the reading of the log. */
  stop(): Promise<void>;
}

export function createConsole(options: ConsoleOptions): Console {
  const board = createBoard({ ...boardLimits, ...options.limits });
  const live = createLive({
    board,
    flushIntervalMs: options.flushIntervalMs ?? 100,
    heartbeatIntervalMs: options.heartbeatIntervalMs ?? 15_000,
    readersMax: options.readersMax ?? 100,
    metrics: options.metrics,
  });
  const feed = createFeed({
    outputs: options.outputs,
    backlogRecords: options.backlogRecords ?? 10_000,
    pollIntervalMs: options.pollIntervalMs ?? 50,
    onRecord: board.apply,
    onSkip: board.skipTo,
    onBatch() {
      options.metrics?.entries.set(board.size());
      live.notify();
    },
    onError(error) {
      options.logger?.warn({ err: error }, 'console: cannot read a record of the outputs log');
      options.onError?.(error);
    },
  });
  const detail = createDetail(board);

  const app = new Hono();
  // Before the guard: clients of a registry call under whatever name it has for them, and schemas are no secret.
  app.route('/', createSchemaRegistry(options.topicPrefix ?? 'hookwatch'));
  app.use(guard(options.hosts ?? loopbackHosts));
  for (const [path, serve] of loadAssets(new URL('./page/', import.meta.url))) app.get(path, serve);
  app.get('/lanes', async (c) => {
    try {
      return c.json((await options.lanes?.()) ?? {});
    } catch (error) {
      return c.json({ error: `workers cannot be asked: ${(error as Error).message}` }, 502);
    }
  });
  if (options.routes) app.route('/', options.routes);
  app.get('/live', live.handle);
  app.get('/deliveries/:id', detail.showDelivery);
  app.get('/detections/:id', detail.showDetection);

  return {
    app,
    start: feed.start,
    async stop() {
      live.close();
      await feed.stop();
    },
  };
}
