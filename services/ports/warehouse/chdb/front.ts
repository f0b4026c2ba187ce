/**
 * ClickHouse's HTTP interface over the embedded engine: what curl, @clickhouse/client, clickhouse-connect, Grafana and
 * the sink need of it. Not here: sessions, external tables, roles, ClickHouse's own block compression, progress headers.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { authenticate, type EngineUser } from './access.ts';
import { compressBody, readBody } from './body.ts';
import { contentTypeOf } from './content-type.ts';
import type { Engine, EngineResult, Rights } from './engine.ts';
import { ClickHouseException, fromEngine, refuse, statusForException } from './exception.ts';
import { frameNative } from './native.ts';
import { createProbe } from './probe.ts';
import { parseRequest, type Work } from './request.ts';
import { createSlots, type SlotLimits } from './slots.ts';

export interface FrontOptions {
  engine: Engine;
  users: readonly EngineUser[];
  /** Serve `default` without a password as an analyst. */
  open: boolean;
  /** Where a query starts that names no database. */
  database: string;
  slots: SlotLimits;
  /** Bytes of a writer's body, sent and decoded. */
  bodyBytesMax: number;
  /** Told of every failure that is the front's own; never of what is wrong with a query. */
  onFailure(error: unknown, queryId: string): void;
  /** Told of every query that was answered: how long it took, and ClickHouse's code where it failed, else 0. */
  onQuery?(seconds: number, exceptionCode: number): void;
  /** What Prometheus is answered on /metrics; 404 without it. */
  exposeMetrics?(): Promise<string>;
}

/** Bytes of an analyst's body: a query and its parameters. */
const queryBytesMax = 1024 * 1024;
const connectionsMax = 512;
const compressedBytesMin = 1024;
const retryAfterSeconds = '1';

/** The server, not yet listening. */
export function createFront(options: FrontOptions): Server {
  const { engine, onFailure } = options;
  const slots = createSlots(options.slots);
  const probe = createProbe(engine, options.database);
  const server = createServer({ keepAliveTimeout: 30_000, headersTimeout: 10_000, requestTimeout: 120_000 });
  server.maxConnections = connectionsMax;
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const queryId = randomUUID();
    answer(request, response, queryId).catch((error: unknown) => {
      if (!(error instanceof ClickHouseException) && !response.destroyed) onFailure(error, queryId);
      sendException(request, response, asException(error));
    });
  });
  return server;

  async function answer(request: IncomingMessage, response: ServerResponse, queryId: string): Promise<void> {
    const { method } = request;
    response.setHeader('X-ClickHouse-Server-Display-Name', 'hookwatch');
    response.setHeader('X-ClickHouse-Timezone', 'UTC');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    const url = URL.parse(request.url ?? '/', 'http://front');
    if (!url) throw refuse('BAD_ARGUMENTS', 'Cannot read the URL of the request');
    if (method !== 'GET' && method !== 'POST' && method !== 'HEAD') return sendText(response, 405, 'GET or POST\n');
    if (url.pathname === '/ping' || url.pathname === '/replicas_status') return sendText(response, 200, 'Ok.\n');
    if (url.pathname === '/healthz') return sendText(response, 200, 'ok\n');
    if (url.pathname === '/readyz') return sendReadiness(response, await probe());
    if (url.pathname === '/metrics' && options.exposeMetrics)
      return sendText(response, 200, await options.exposeMetrics());
    if (url.pathname !== '/') return sendText(response, 404, `There is no handle ${url.pathname}\n`);
    if (method !== 'POST' && !url.searchParams.has('query')) return sendText(response, 200, 'Ok.\n');
    response.setHeader('X-ClickHouse-Query-Id', encodeURI(url.searchParams.get('query_id') || queryId));
    const { work, result } = await measure(() => runQuery(request, response, url.searchParams));
    await sendResult(request, response, url.searchParams, work, result);
  }

  function asException(error: unknown): ClickHouseException {
    return error instanceof ClickHouseException ? error : fromEngine(error, engine.version);
  }

  async function measure<T>(query: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const report = (code: number) => options.onQuery?.((performance.now() - startedMs) / 1000, code);
    try {
      const answered = await query();
      report(0);
      return answered;
    } catch (error) {
      report(asException(error).exceptionCode);
      throw error;
    }
  }

  /** Reads an analyst's body before there is room for its query, so that a slow sender takes no room. */
  async function runQuery(
    request: IncomingMessage,
    response: ServerResponse,
    url: URLSearchParams,
  ): Promise<{ work: Work; result: EngineResult }> {
    const user = authenticate(request, url, options.users, options.open);
    const analyst = user.rights === 'analyst';
    const rights: Rights = analyst ? 'analyst' : isReadonly(request, url) ? 'reader' : 'writer';
    const early = analyst ? await readBody(request, queryBytesMax) : undefined;
    const gone = new AbortController();
    response.once('close', () => response.writableEnded || gone.abort(new Error('The client has gone')));
    return slots.run(analyst, gone.signal, async () => {
      const body = early ?? (await readBody(request, options.bodyBytesMax));
      const work = await parseRequest({ request, url, body, rights }, engine, options);
      gone.signal.throwIfAborted();
      // What a writer asked for is brought to its end.
      if (rights !== 'writer') gone.signal.addEventListener('abort', () => kill(work), { once: true });
      return { work, result: await run(work) };
    });
  }

  async function run({ query, format, revision, sql, insert }: Work): Promise<EngineResult> {
    if (insert) return engine.insert(insert.statement, insert.data, query);
    const result = await engine.query(sql, format, query);
    return format.toLowerCase() === 'native' ? { ...result, bytes: frameNative(result.bytes, revision) } : result;
  }

  function kill({ query }: Work): void {
    engine.kill(query.id).catch((error) => onFailure(error, query.id));
  }
}

async function sendResult(
  request: IncomingMessage,
  response: ServerResponse,
  url: URLSearchParams,
  work: Work,
  result: EngineResult,
): Promise<void> {
  const { bytes } = result;
  response.setHeader('X-ClickHouse-Summary', JSON.stringify(summarize(result)));
  if (!work.insert) response.setHeader('X-ClickHouse-Format', work.format);
  response.setHeader('Content-Type', contentTypeOf(work.insert ? 'TabSeparated' : work.format));
  response.setHeader('Vary', 'Accept-Encoding');
  const compressed =
    bytes.length >= compressedBytesMin &&
    url.get('enable_http_compression') !== '0' &&
    acceptsGzip(request.headers['accept-encoding']?.toString() ?? '');
  const body = compressed ? await compressBody(bytes) : bytes;
  if (compressed) response.setHeader('Content-Encoding', 'gzip');
  response.setHeader('Content-Length', body.length);
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** As in ClickHouse, only POST may change anything. */
function isReadonly(request: IncomingMessage, url: URLSearchParams): boolean {
  return request.method !== 'POST' || ['1', '2'].includes(url.get('readonly') ?? '');
}

function acceptsGzip(header: string): boolean {
  return header.split(',').some((offer) => /^\s*(?:gzip|\*)\s*(?:;\s*q=(?:1|0\.\d*[1-9])|$)/i.test(offer));
}

/** The counts as ClickHouse's header has them: strings. The engine tells what it wrote and the result's size. */
function summarize(result: EngineResult): Record<string, string> {
  const { bytes, rowsRead, bytesRead, rowsWritten, bytesWritten, elapsedSeconds } = result;
  const counts = {
    read_rows: rowsRead + rowsWritten,
    read_bytes: bytesRead + bytesWritten,
    written_rows: rowsWritten,
    written_bytes: bytesWritten,
    total_rows_to_read: 0,
    result_rows: rowsRead + rowsWritten,
    result_bytes: bytes.length,
    elapsed_ns: Math.round(elapsedSeconds * 1e9),
  };
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, String(count)]));
}

function sendReadiness(response: ServerResponse, trouble: string): void {
  if (trouble === '') sendText(response, 200, 'ready\n');
  else sendText(response, 503, `${trouble}\n`);
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=UTF-8',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

function sendException(request: IncomingMessage, response: ServerResponse, error: ClickHouseException): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const status = statusForException(error.exceptionCode);
  response.setHeader('X-ClickHouse-Exception-Code', error.exceptionCode);
  if (status === 429) response.setHeader('Retry-After', retryAfterSeconds);
  // What was not read of the body would be taken for the next request.
  if (!request.complete) response.setHeader('Connection', 'close');
  sendText(response, status, `${error.message}\n`);
}
