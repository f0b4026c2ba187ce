import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import pino from 'pino';
import { expect, onTestFinished } from 'vitest';
import { type EndpointConfig, hashToken, type TenantConfig } from '../../services/config.ts';
import { publishedKeyPem } from '../../services/core/providers/centurylink/published-key.ts';
import { type DecodedRecord, decode } from '../../services/core/records/codec.ts';
import { type KeptCertificate, keepCertificate } from '../../services/edge/certificate.ts';
import type { TimeSource } from '../../services/edge/clock.ts';
import { createEdge, type Edge, type EdgeOptions } from '../../services/edge/edge.ts';
import type { Log, NewRecord } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { createRegistry, edgeMetrics, edgeTlsMetrics, type Registry } from '../../services/telemetry.ts';
import { createAuthority, type TestCertificate } from './certificates.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const demoKeyPem = publicKey.export({ type: 'spki', format: 'pem' }) as string;

export function signature(body: string | Uint8Array): string {
  return sign('sha1', Buffer.from(body), privateKey).toString('base64');
}

export const token = 'demo-server-created';
export const body = '{"name":"WA1NWNDWEB01"}';

export function endpoint(fields: Partial<EndpointConfig> = {}): EndpointConfig {
  return {
    name: 'server-created',
    provider: 'centurylink',
    event: 'Server.Created',
    account: 'NWND',
    recursive: true,
    tokenSha256: hashToken(token),
    ...fields,
  };
}

export function tenant(fields: Partial<TenantConfig> = {}): TenantConfig {
  return {
    name: 'northwind',
    demo: true,
    roots: ['centurylink:NWND'],
    endpoints: [endpoint()],
    rules: { 'account-created-then-servers': { servers: 5, within_ms: 3_600_000 } },
    ...fields,
  };
}

let overTls: { issued: TestCertificate; ca: string } | undefined;

/** From now on the edges of this file speak TLS; clients here, `fetch` among them, trust them. */
export function serveOverTls(): void {
  const authority = createAuthority();
  overTls = { issued: authority.issue(), ca: authority.cert };
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), authority.cert]);
}

/** Where a pair lies as files. */
export function writeCertificate({ cert, key }: TestCertificate, folder = temporaryFolder()) {
  const files = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  writeFileSync(files.certFile, cert);
  writeFileSync(files.keyFile, key);
  return files;
}

function keepTestCertificate(issued: TestCertificate, registry: Registry): KeptCertificate {
  const logger = pino({ level: 'silent' });
  return keepCertificate({ files: writeCertificate(issued), metrics: edgeTlsMetrics(registry), logger });
}

/** A memory log whose appends can be held back and made to fail. */
export interface FaultyLog extends Log {
  /** Batches that were handed in, also those that are held or have failed. */
  readonly batches: (readonly NewRecord[])[];
  /** From now on appends wait for release(). */
  hold(): void;
  release(): void;
  /** The next `count` appends reject; `landed`: their records are in the log all the same. */
  fail(count: number, landed?: boolean): void;
  failBounds(count: number): void;
  /** Everything in the log, decoded. */
  records(): Promise<DecodedRecord[]>;
}

export function createFaultyLog(log: Log = createMemoryLog()): FaultyLog {
  const batches: (readonly NewRecord[])[] = [];
  let gate = Promise.resolve();
  let open = () => {};
  let failures = 0;
  let landed = false;
  let boundsFailures = 0;
  return {
    ...log,
    batches,
    hold() {
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    release: () => open(),
    fail(count, landing = false) {
      failures = count;
      landed = landing;
    },
    failBounds(count) {
      boundsFailures = count;
    },
    async append(batch) {
      batches.push(batch);
      await gate;
      if (failures-- > 0) {
        if (landed) await log.append(batch);
        throw new Error('disk I/O error');
      }
      return log.append(batch);
    },
    async bounds() {
      if (boundsFailures-- > 0) throw new Error('disk I/O error');
      return log.bounds();
    },
    async records() {
      const { first } = await log.bounds();
      return (await log.read(first, { records: 1e6, bytes: 1e9 })).map(({ frame }) => decode(frame));
    },
  };
}

export interface TestEdge extends Edge {
  url: string;
  internalUrl: string;
  port: number;
  log: FaultyLog;
  registry: Registry;
  stateFile: string;
  post(fields?: {
    token?: string;
    body?: string;
    headers?: Record<string, string>;
    method?: string;
  }): Promise<Response>;
  /** The value of a metric without labels, or the sum over all of its labels. */
  metric(name: string): Promise<number>;
  /** The values of a metric by one of its labels. */
  metricBy(name: string, label: string): Promise<Record<string, number>>;
  /** How often a histogram was given a value. */
  observations(name: string): Promise<number>;
  /** The ledger's two sides, all of one instant; refusals by the reasons that there were. */
  ledger(): Promise<{ requests: number; journaled: number; refused: Record<string, number>; inFlight: number }>;
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-edge-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Clocks that stand still until they are moved. */
export function createTestTime(
  wall = Date.UTC(2026, 0, 1),
): TimeSource & { pass(ms: number): void; jump(ms: number): void } {
  let monotonic = 1000;
  let now = wall;
  return {
    now: () => now,
    monotonicMs: () => monotonic,
    pass(ms) {
      monotonic += ms;
      now += ms;
    },
    jump(ms) {
      now += ms;
    },
  };
}

export type EdgeFields = Partial<Omit<EdgeOptions, 'log' | 'metrics' | 'registry'>> & { log?: FaultyLog };

/** An edge on free ports over a memory log, not started. It stops when the test ends. */
export async function prepareEdge(fields: EdgeFields = {}) {
  const registry = createRegistry('edge');
  const log = fields.log ?? createFaultyLog();
  const stateFile = fields.stateFile ?? join(temporaryFolder(), 'edge', 'state.json');
  const edge = await createEdge({
    name: 'edge-1',
    host: '127.0.0.1',
    port: 0,
    internalPort: 0,
    tenants: [tenant()],
    keys: [{ id: 'centurylink-published', provider: 'centurylink', pem: publishedKeyPem }],
    demoKeyPem,
    rejectedPerMinuteMax: 60,
    journalBytes: () => 0,
    journalBytesMax: 1_000_000,
    logger: pino({ level: 'silent' }),
    certificate: overTls && keepTestCertificate(overTls.issued, registry),
    ...fields,
    // Ticks come when a test asks for them.
    limits: { tickIntervalMs: 2 ** 31 - 1, ...fields.limits },
    stateFile,
    log,
    registry,
    metrics: edgeMetrics(registry),
  });
  onTestFinished(async () => {
    log.release();
    await edge.stop();
  });
  return { edge, log, registry, stateFile };
}

export async function startTestEdge(fields: EdgeFields = {}): Promise<TestEdge> {
  const { edge, log, registry, stateFile } = await prepareEdge(fields);
  const { url, internalUrl } = await edge.start();
  const values = async (name: string) => (await registry.getSingleMetric(name)!.get()).values;
  const sumBy = (metricValues: Awaited<ReturnType<typeof values>>, label: string) => {
    const sums: Record<string, number> = {};
    for (const { labels, value } of metricValues) {
      const key = String((labels as Record<string, string>)[label]);
      sums[key] = (sums[key] ?? 0) + value;
    }
    return sums;
  };
  const sum = (metricValues: Awaited<ReturnType<typeof values>>) =>
    metricValues.reduce((total, { value }) => total + value, 0);
  const metricBy = async (name: string, label: string) => sumBy(await values(name), label);
  const metric = async (name: string) => sum(await values(name));
  return {
    ...edge,
    url,
    internalUrl,
    port: Number(new URL(url).port),
    log,
    registry,
    stateFile,
    metric,
    metricBy,
    async observations(name) {
      const parts = (await values(name)) as { metricName?: string; value: number }[];
      return parts.find((part) => part.metricName === `${name}_count`)?.value ?? 0;
    },
    async ledger() {
      const names = ['requests_total', 'journaled_total', 'refused_total', 'requests_in_flight'];
      // The counters' values are live, and these are read in one turn.
      const read = await Promise.all(names.map((name) => values(`hookwatch_edge_${name}`)));
      const [requests, journaled, refused, inFlight] = read as [(typeof read)[0], ...typeof read];
      return {
        requests: sum(requests),
        journaled: sum(journaled!),
        refused: sumBy(
          refused!.filter(({ value }) => value > 0),
          'reason',
        ),
        inFlight: sum(inFlight!),
      };
    },
    post({ token: to = token, body: content = body, headers = {}, method = 'POST' } = {}) {
      const signed = { 'content-type': 'application/json', 'tier3-rsasha1': signature(content) };
      const hasBody = method !== 'GET' && method !== 'HEAD';
      return fetch(`${url}/in/${to}`, {
        method,
        headers: { ...signed, ...headers },
        ...(hasBody && { body: content }),
      });
    },
  };
}

/** A socket that sends what it is told and keeps what comes back. */
export interface RawClient {
  readonly socket: Socket;
  send(data: string | Uint8Array): void;
  /** What has come back so far. */
  received(): string;
  closed(): boolean;
  /** Bytes that have been handed to the operating system, before they were encrypted. */
  written(): number;
  /** The error that the socket ended with. */
  failure(): Error | undefined;
}

/** Over TLS where edges speak it, or where `ca` says so. */
export function rawClient(port: number, { ca = overTls?.ca, ...more }: tls.ConnectionOptions = {}): RawClient {
  const socket = ca ? tls.connect({ port, host: '127.0.0.1', ca, ...more }) : connect(port, '127.0.0.1');
  let received = '';
  let written = 0;
  let closed = false;
  let failure: Error | undefined;
  socket.on('data', (data) => {
    received += data.toString('latin1');
  });
  socket.on('close', () => {
    closed = true;
  });
  socket.on('error', (error) => {
    failure = error;
  });
  onTestFinished(() => {
    socket.destroy();
  });
  return {
    socket,
    send: (data) =>
      socket.write(data, () => {
        written += data.length;
      }),
    written: () => written,
    received: () => received,
    closed: () => closed,
    failure: () => failure,
  };
}

/** The head of a delivery as text, headers as given. */
export function head(headers: readonly string[], { to = token, method = 'POST' } = {}): string {
  return [`${method} /in/${to} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n');
}

export function deliveriesOf(records: readonly DecodedRecord[]) {
  return records.flatMap((record) => (record.kind === 'delivery' ? [record.value] : []));
}

export function controlsOf(records: readonly DecodedRecord[]) {
  return records.flatMap((record) => (record.kind === 'control' ? [record.value] : []));
}

/** Every record's number: per boot and lane dense from 0, no number twice, stamps that never go back. */
export function expectGapless(records: readonly DecodedRecord[]): void {
  const next = new Map<string, number>();
  let stamp = 0;
  for (const { value } of records as readonly {
    value: { tenant: string; boot: string; seq: number; id: string; received_at: number };
  }[]) {
    const producer = `${value.tenant} ${value.boot}`;
    expect(value.seq).toBe(next.get(producer) ?? 0);
    next.set(producer, value.seq + 1);
    expect(value.received_at).toBeGreaterThanOrEqual(stamp);
    stamp = value.received_at;
    expect(value.id).toBe(`${stamp.toString(16).padStart(12, '0')}-${value.boot}-${value.seq}`);
  }
}
