import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Log } from '../ports/log/log.ts';
import { edgeMetrics, type Registry } from '../telemetry.ts';
import { createEdge } from './edge.ts';

export interface EdgeProcessOptions {
  config: Config;
  log: Log;
  /** Size of the journal on disk. */
  journalBytes: () => number;
  demoKeyPem?: string | undefined;
  /** Where lanes are elsewhere: true while what is journaled for one arrives there late. */
  catchingUp?: (lane: string) => boolean;
  /** What is wrong behind the journal, for /readyz. */
  remarks?: () => string[];
  registry: Registry;
  logger: Logger;
}

export interface EdgeProcess {
  url: string;
  internalUrl: string;
  /** Answers what is in flight and journals it. The log is the caller's to close, after this. */
  close(): Promise<void>;
}

/** Starts an edge as it is configured. Rejects when a port is taken, a key is unreadable or the journal cannot be written. */
export async function startEdge(options: EdgeProcessOptions): Promise<EdgeProcess> {
  const { config, log, journalBytes, demoKeyPem, catchingUp, remarks, registry, logger } = options;
  const edge = await createEdge({
    name: config.edgeName,
    host: config.host,
    port: config.ports.edge,
    internalPort: config.ports.edgeInternal,
    tenants: config.tenants,
    keys: config.keys,
    demoKeyPem,
    rejectedPerMinuteMax: config.rejectedPerMinuteMax,
    log,
    journalBytes,
    journalBytesMax: config.journal.bytesMax,
    stateFile: join(config.dataFolder, 'edge', 'state.json'),
    catchingUp,
    remarks,
    metrics: edgeMetrics(registry),
    registry,
    logger,
  });
  try {
    return { ...(await edge.start()), close: edge.stop };
  } catch (error) {
    await edge.stop();
    throw error;
  }
}
