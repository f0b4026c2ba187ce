import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { edgeStateFile } from '../data-folder.ts';
import type { Log } from '../ports/log/log.ts';
import { edgeMetrics, edgeTlsMetrics, type Registry } from '../telemetry.ts';
import { keepCertificate } from './certificate.ts';
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
  /** Serves what the certificate's files hold now; undefined where it speaks no TLS. */
  renewCertificate: (() => void) | undefined;
  /** Answers what is in flight and journals it. The log is the caller's to close, after this. */
  close(): Promise<void>;
}

/** Starts an edge as it is configured. Rejects when a port is taken, a key or the certificate is unusable or the journal cannot be written. */
export async function startEdge(options: EdgeProcessOptions): Promise<EdgeProcess> {
  const { config, log, journalBytes, demoKeyPem, catchingUp, remarks, registry, logger } = options;
  const files = config.edgeTls;
  const edge = await createEdge({
    name: config.edgeName,
    host: config.host,
    port: config.ports.edge,
    internalPort: config.ports.edgeInternal,
    certificate: files && keepCertificate({ files, metrics: edgeTlsMetrics(registry), logger }),
    tenants: config.tenants,
    keys: config.keys,
    demoKeyPem,
    rejectedPerMinuteMax: config.rejectedPerMinuteMax,
    log,
    journalBytes,
    journalBytesMax: config.journal.bytesMax,
    stateFile: edgeStateFile(config.dataFolder),
    catchingUp,
    remarks,
    metrics: edgeMetrics(registry),
    registry,
    logger,
  });
  try {
    const urls = await edge.start();
    return { ...urls, renewCertificate: files && edge.renewCertificate, close: edge.stop };
  } catch (error) {
    await edge.stop();
    throw error;
  }
}
