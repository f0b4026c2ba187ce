import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Hono } from 'hono';
import type { Logger } from 'pino';
import type { KeyConfig, TenantConfig } from '../config.ts';
import { decode } from '../core/records/codec.ts';
import type { Log } from '../ports/log/log.ts';
import { assertVerification } from '../selftest.ts';
import type { EdgeMetrics, Registry } from '../telemetry.ts';
import { createApp, type EdgeApp } from './app.ts';
import type { KeptCertificate } from './certificate.ts';
import { createEdgeClock, systemTime, type TimeSource } from './clock.ts';
import { createControlApp } from './controls.ts';
import { createEndpointSet, type Listened } from './endpoint-set.ts';
import { createIntake } from './intake.ts';
import { createJournal } from './journal.ts';
import { createLedger } from './ledger.ts';
import { defaultLimits, type EdgeLimits } from './limits.ts';
import { createProducer } from './producer.ts';
import { createReadiness } from './readiness.ts';
import { createEndpointsRoute, createReadyRoute } from './ready-route.ts';
import { createRecoveredRoute } from './recovered.ts';
import { createReminder, type Reminder } from './reminder.ts';
import { createEdgeServer, timedOut } from './server.ts';
import { type EdgeState, readState, writeState } from './state.ts';
import { createTicker } from './ticker.ts';

export interface EdgeOptions {
  /** Name of this edge, for its boot records. */
  name: string;
  host: string;
  port: number;
  /** Always on loopback. */
  internalPort: number;
  /** With it the public port speaks TLS. */
  certificate?: KeptCertificate | undefined;
  tenants: readonly TenantConfig[];
  keys: readonly KeyConfig[];
  /** Public half of the simulator's key in PEM: trusted by tenants with `demo: true`, and by no other. */
  demoKeyPem?: string | undefined;
  rejectedPerMinuteMax: number;
  /** The journal. It stays the caller's to close, after stop(). */
  log: Log;
  /** Size of the journal on disk; asked about once a second. */
  journalBytes: () => number;
  /** High-water mark: above it deliveries are answered 503. */
  journalBytesMax: number;
  /** Remembers the last boot; its folder is made if need be. */
  stateFile: string;
  /** Where lanes are elsewhere: true while what is journaled for one arrives there late. */
  catchingUp?: ((lane: string) => boolean) | undefined;
  /** What is wrong behind the journal, for /readyz: deliveries are taken in all the same. */
  remarks?: (() => string[]) | undefined;
  metrics: EdgeMetrics;
  registry: Registry;
  logger: Logger;
  time?: TimeSource;
  /** 16 hex digits, never the same twice. */
  randomId?: () => string;
  limits?: Partial<EdgeLimits>;
}

export interface Edge {
  readonly app: EdgeApp;
  readonly controlApp: Hono;
  /** Opens the boot in every lane, then the ports. */
  start(): Promise<{ url: string; internalUrl: string }>;
  /** Answers what is in flight, closes the ports, and resolves once the last record is on disk. */
  stop(): Promise<void>;
  /** Serves what the certificate's files hold now. */
  renewCertificate(): void;
  /** From the next request on. Throws where a key or a secret is unusable, and nothing has changed then. */
  replaceEndpoints(listened: Listened): void;
  /** Writes the ticks that are due and looks at the size of the journal. Runs by itself once a second. */
  tick(): void;
}

/** Reads the journal's end and the state, and puts an edge together. Rejects when this host cannot verify what providers sign with. */
export async function createEdge(options: EdgeOptions): Promise<Edge> {
  const { log, metrics, registry, logger, tenants, time = systemTime, randomId = randomBoot } = options;
  const limits: EdgeLimits = { ...defaultLimits, ...options.limits };
  assertVerification();
  const lanes = tenants.map((tenant) => tenant.name);
  const clock = createEdgeClock(time, await newestStamp(log, logger), (suspect) =>
    reportClock(suspect, metrics, logger),
  );
  const unsaved = createReminder(clock.monotonicMs);
  const producer = createProducer({
    edge: options.name,
    tenants,
    state: await loadState(options.stateFile, logger),
    randomId,
    save: (state) => saveState(options.stateFile, state, logger, unsaved),
  });
  const journal = createJournal({ log, clock, producer, metrics, logger, limits });
  const { journalBytes, journalBytesMax, certificate } = options;
  const remarks = () => [...(options.remarks?.() ?? []), ...(certificate?.remarks() ?? [])];
  const readiness = createReadiness({ journal, journalBytes, journalBytesMax, remarks, metrics });
  const ticker = createTicker({ lanes, clock, journal, metrics, catchingUp: options.catchingUp });
  const endpoints = createEndpointSet({ ...options, clock });
  const ledger = createLedger(metrics);
  const intake = createIntake({
    findEndpoint: endpoints.find,
    readiness,
    journal,
    clock,
    ledger,
    ticker,
    limits,
    timedOut,
  });
  const readyRoute = createReadyRoute({ readiness, endpointsHash: endpoints.hash });
  const app = createApp(intake, readiness, readyRoute, registry);
  const recovered = createRecoveredRoute({ lanes, journal, clock, readiness, ticker, metrics, limits });
  const routes = [recovered, readyRoute, createEndpointsRoute(endpoints.listened, endpoints.hash)];
  const controlApp = createControlApp({ lanes, journal, metrics, limits, routes });
  const server = createEdgeServer({
    app,
    limits,
    setting: 'HOOKWATCH_EDGE_PORT',
    anyHost: true,
    certificate: certificate?.current(),
  });
  const internalServer = createEdgeServer({
    app: controlApp,
    limits,
    setting: 'HOOKWATCH_EDGE_INTERNAL_PORT',
    anyHost: false,
  });
  const timers: NodeJS.Timeout[] = [];

  return {
    app,
    controlApp,
    async start() {
      await journal.open();
      readiness.started();
      readiness.sample();
      timers.push(setInterval(journal.sweep, limits.sweepIntervalMs), setInterval(tick, limits.tickIntervalMs));
      const internalUrl = await internalServer.listen('127.0.0.1', options.internalPort);
      const url = await server.listen(options.host, options.port);
      logger.info({ url, internalUrl, lanes }, 'Deliveries are taken in');
      return { url, internalUrl };
    },
    async stop() {
      readiness.stopping();
      await Promise.all([server.close(), internalServer.close()]);
      // A disk that hangs must not keep the process; what was not answered 202 was not promised either.
      await Promise.race([journal.drain(), setTimeout(limits.drainMs, undefined, { ref: false })]);
      for (const timer of timers) clearInterval(timer);
      readiness.sample();
    },
    renewCertificate() {
      if (certificate?.reload()) server.secure(certificate.current());
    },
    replaceEndpoints: endpoints.replace,
    tick,
  };

  function tick(): void {
    readiness.sample();
    ticker.tick();
  }
}

function randomBoot(): string {
  return randomBytes(8).toString('hex');
}

function reportClock(suspect: boolean, metrics: EdgeMetrics, logger: Logger): void {
  metrics.clockSuspect.set(suspect ? 1 : 0);
  if (suspect) logger.error('The wall clock has jumped by more than 5 s: no ticks are written, deliveries are flagged');
  else logger.info('The wall clock has been steady for a minute: ticks are written again');
}

async function loadState(file: string, logger: Logger): Promise<EdgeState> {
  await mkdir(dirname(file), { recursive: true });
  return readState(file, (error) =>
    logger.warn({ err: error, file }, 'Cannot read the state of the edge: it starts anew'),
  );
}

/** A state that cannot be saved costs a second genesis after the next start, not a delivery now. */
async function saveState(file: string, state: EdgeState, logger: Logger, reminder: Reminder): Promise<void> {
  try {
    await writeState(file, state);
  } catch (error) {
    // It is tried with every commit while the disk is full.
    if (reminder.due()) logger.warn({ err: error, file }, 'Cannot save the state of the edge');
  }
}

/** The stamp of the journal's last record; 0 when there is none. Positions may have holes, so it steps back until one is found. */
async function newestStamp(log: Log, logger: Logger): Promise<number> {
  const { first, next } = await log.bounds();
  for (let back = 1; next > first; back *= 16) {
    const from = Math.max(first, next - back);
    const records = await log.read(from, { records: back, bytes: 64 * 1024 * 1024 }).catch((error) => {
      logger.error(
        { err: error, position: from },
        "The journal's end cannot be read: a record before it gives the time",
      );
      return [];
    });
    const last = records.at(-1);
    if (last) return stampOf(last.frame, logger);
    if (from === first) break;
  }
  return 0;
}

function stampOf(frame: Uint8Array, logger: Logger): number {
  try {
    const { kind, value } = decode(frame);
    if (kind === 'delivery' || kind === 'control') return value.received_at;
  } catch (error) {
    logger.warn({ err: error }, "Cannot decode the journal's last record: the wall clock alone gives the time");
  }
  return 0;
}
