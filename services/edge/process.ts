import type { Logger } from 'pino';
import { type Config, readConfigFile } from '../config.ts';
import { edgeStateFile, endpointsCopyFile } from '../data-folder.ts';
import type { Log } from '../ports/log/log.ts';
import { edgeMetrics, edgeTlsMetrics, type Registry } from '../telemetry.ts';
import { keepCertificate } from './certificate.ts';
import { createEdge } from './edge.ts';
import { watchEndpoints } from './endpoint-watch.ts';

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
  /** Reads again what may change while it works: the certificate, hookwatch.yaml, endpoints.json. */
  reload(): void;
  /** Answers what is in flight and journals it. The log is the caller's to close, after this. */
  close(): Promise<void>;
}

/** Starts an edge as it is configured. Rejects when a port is taken, a key or the certificate is unusable or the journal cannot be written. */
export async function startEdge(options: EdgeProcessOptions): Promise<EdgeProcess> {
  const { config, log, journalBytes, demoKeyPem, catchingUp, remarks, registry, logger } = options;
  const files = config.edgeTls;
  const metrics = edgeMetrics(registry);
  const endpoints = watchEndpoints({
    file: config.endpointsFile,
    copyFile: endpointsCopyFile(config.dataFolder),
    configured: { tenants: config.tenants, keys: config.keys },
    readConfigured: () => readConfigFile(config.configFile),
    metrics,
    logger,
  });
  const edge = await createEdge({
    name: config.edgeName,
    host: config.host,
    port: config.ports.edge,
    internalPort: config.ports.edgeInternal,
    certificate: files && keepCertificate({ files, metrics: edgeTlsMetrics(registry), logger }),
    ...endpoints.listened(),
    demoKeyPem,
    rejectedPerMinuteMax: config.rejectedPerMinuteMax,
    log,
    journalBytes,
    journalBytesMax: config.journal.bytesMax,
    stateFile: edgeStateFile(config.dataFolder),
    catchingUp,
    remarks: () => [...(remarks?.() ?? []), ...endpoints.remarks()],
    metrics,
    registry,
    logger,
  });
  try {
    const urls = await edge.start();
    endpoints.start(edge.replaceEndpoints);
    return {
      ...urls,
      reload() {
        edge.renewCertificate();
        void endpoints.reload();
      },
      close() {
        endpoints.stop();
        return edge.stop();
      },
    };
  } catch (error) {
    await edge.stop();
    throw error;
  }
}
