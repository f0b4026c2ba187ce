/** The front over an engine that is none: who may do what, limits, errors, and clients that go away. */
import { once } from 'node:events';
import { request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Engine, EngineQuery, EngineResult } from '../../../../services/ports/warehouse/chdb/engine.ts';
import { fromEngine } from '../../../../services/ports/warehouse/chdb/exception.ts';
import { createFront, type FrontOptions } from '../../../../services/ports/warehouse/chdb/front.ts';

const result = (text: string): EngineResult => ({
  bytes: Buffer.from(text),
  rowsRead: 3,
  bytesRead: 30,
  rowsWritten: 2,
  bytesWritten: 20,
  elapsedSeconds: 0.5,
});

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(options: Partial<FrontOptions> = {}, engine: Partial<Engine> = {}) {
  const seen: { sql: string; format: string; data?: string; query: EngineQuery }[] = [];
  const fake: Engine = {
    version: '26.7',
    async query(sql, format, query) {
      seen.push({ sql, format, query });
      return result('answer\n');
    },
    async insert(statement, data, query) {
      seen.push({ sql: statement.target, format: statement.format, data: data.toString('latin1'), query });
      return result('');
    },
    decompress: async (data) => Buffer.from(data.toString().replace('packed ', '')),
    kill: async () => {},
    close: async () => {},
    ...engine,
  };
  server = createFront({
    engine: fake,
    users: [
      { name: 'ann', password: 'secret-a', rights: 'analyst' },
      { name: 'sink', password: 'secret-s', rights: 'writer' },
      { name: 'unset', password: '', rights: 'writer' },
    ],
    open: true,
    database: 'hookwatch',
    slots: { running: 3, runningAnalysts: 2, waiting: 4, waitMs: 60_000 },
    bodyBytesMax: 10_000,
    onFailure: () => {},
    ...options,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, seen };
}

/** The status of an answer, over a client that sets no timers. */
function get(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });
}

const basic = (name: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
});

test.each<[string, Record<string, string>, string, string]>([
  ['nobody', {}, '', 'analyst'],
  ['default', basic('default', ''), '', 'analyst'],
  ['the analyst by Basic auth', basic('ann', 'secret-a'), '', 'analyst'],
  ['the analyst by headers', { 'x-clickhouse-user': 'ann', 'x-clickhouse-key': 'secret-a' }, '', 'analyst'],
  ['the analyst by parameters', {}, '&user=ann&password=secret-a', 'analyst'],
  ['the writer by Basic auth', basic('sink', 'secret-s'), '', 'writer'],
  ['the writer, who asks for less', basic('sink', 'secret-s'), '&readonly=1', 'reader'],
])('%s has the rights of a user', async (_, headers, parameters, rights) => {
  const { url, seen } = await serve();
  const response = await fetch(`${url}/?query=SELECT+1${parameters}`, { method: 'POST', headers });
  expect(response.status).toBe(200);
  expect(seen[0]!.query.rights).toBe(rights);
});

test.each<[string, Record<string, string>, string, boolean]>([
  ['a wrong password', basic('ann', 'secret-s'), '', true],
  ['no password', basic('ann', ''), '', true],
  ['an unknown user', basic('bob', 'secret-a'), '', true],
  ['a user whose password is empty', basic('unset', ''), '', true],
  ['default with a password', basic('default', 'x'), '', true],
  ['default where others can reach the front', {}, '', false],
  ['Basic auth that counts more than parameters', basic('ann', 'wrong'), '&user=ann&password=secret-a', true],
])('%s is refused as ClickHouse does', async (_, headers, parameters, open) => {
  const { url, seen } = await serve({ open });
  const response = await fetch(`${url}/?query=SELECT+1${parameters}`, { headers });
  expect(response.status).toBe(403);
  expect(response.headers.get('x-clickhouse-exception-code')).toBe('516');
  const text = await response.text();
  expect(text).toMatch(/^Code: 516\. DB::Exception: .* \(AUTHENTICATION_FAILED\)\n$/);
  expect(text).not.toContain('secret');
  expect(seen).toEqual([]);
});

test('a page of a name that points here cannot read as default', async () => {
  const { url } = await serve();
  const ask = (host: string) =>
    new Promise<number>((resolve) => {
      httpRequest(`${url}/?query=SELECT+1`, { headers: { host } }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      }).end();
    });
  expect(await ask('evil.example')).toBe(403);
  expect(await ask('localhost:8123')).toBe(200);
});

test('GET only reads, even for the writer', async () => {
  const { url, seen } = await serve();
  await fetch(`${url}/?query=SELECT+1`, { headers: basic('sink', 'secret-s') });
  expect(seen[0]!.query.rights).toBe('reader');
});

test('query and body are one text', async () => {
  const { url, seen } = await serve();
  await fetch(`${url}/?query=SELECT+1`, { method: 'POST', body: '+ 1 FORMAT CSV' });
  expect(seen[0]).toMatchObject({ sql: 'SELECT 1\n+ 1 FORMAT CSV', format: 'CSV' });
});

test.each<[string, Buffer | string, Record<string, string>, string]>([
  ['INSERT INTO t FORMAT CSV', '1,"ü"\n\n2', {}, '1,"Ã¼"\n\n2'],
  ['INSERT INTO t FORMAT CSV', gzipSync('1,2'), { 'content-encoding': 'gzip' }, '1,2'],
  ['INSERT INTO t FORMAT CSV', deflateSync('1,2'), { 'content-encoding': 'deflate' }, '1,2'],
  ['INSERT INTO t FORMAT CSV', brotliCompressSync('1,2'), { 'content-encoding': 'br' }, '1,2'],
  ['INSERT INTO t FORMAT CSV', zstdCompressSync('1,2'), { 'content-encoding': 'zstd' }, '1,2'],
  ['INSERT INTO t FORMAT CSV', 'packed 1,2', { 'content-encoding': 'lz4' }, '1,2'],
])('the data of %s arrives (%#)', async (query, body, headers, data) => {
  const { url, seen } = await serve();
  const response = await fetch(`${url}/?query=${encodeURIComponent(query)}`, {
    method: 'POST',
    headers: { ...basic('sink', 'secret-s'), ...headers },
    body: new Uint8Array(Buffer.from(body)),
  });
  expect(response.status).toBe(200);
  expect(seen[0]).toMatchObject({ sql: 'INSERT INTO t ', format: 'CSV', data });
});

test('answers tell what was read and written, and in what format', async () => {
  const { url } = await serve();
  const { headers } = await fetch(`${url}/?query=SELECT+1&default_format=JSON&query_id=q-1`);
  expect(headers.get('x-clickhouse-query-id')).toBe('q-1');
  expect(headers.get('x-clickhouse-format')).toBe('JSON');
  expect(headers.get('content-type')).toContain('application/json');
  const summary = JSON.parse(headers.get('x-clickhouse-summary')!);
  expect(summary).toMatchObject({ result_rows: '5', written_rows: '2', written_bytes: '20', elapsed_ns: '500000000' });
});

test('a multipart form brings query and parameters', async () => {
  const { url, seen } = await serve();
  const form = new FormData();
  form.set('query', 'SELECT {a:String}');
  form.set('param_a', 'long');
  await fetch(`${url}/`, { method: 'POST', body: form });
  expect(seen[0]).toMatchObject({ sql: 'SELECT {a:String}', query: { parameters: { a: 'long' } } });
});

test.each([
  ['query=SELECT+1&bogus=1', 404, 115],
  ['query=SELECT+1&format_schema=/etc/passwd', 404, 115],
  ['query=SELECT+1&output_format_schema=/tmp/x', 404, 115],
  ['query=SELECT+1&input_format_record_errors_file_path=/tmp/x', 404, 115],
  ['query=SELECT+1&user_files_path=/', 404, 115],
  ['query=SELECT+1&role=writer', 403, 512],
  ['query=SELECT+1&compress=1', 501, 48],
  ["query=SELECT+1&param_a'=1", 400, 36],
])('%s is refused', async (parameters, status, code) => {
  const { url, seen } = await serve();
  const response = await fetch(`${url}/?${parameters}`);
  expect([response.status, response.headers.get('x-clickhouse-exception-code')]).toEqual([status, String(code)]);
  expect(seen).toEqual([]);
});

test('readonly is not a setting that reaches the engine', async () => {
  const { url, seen } = await serve();
  await fetch(`${url}/?query=SELECT+1&readonly=0&max_threads=3`);
  expect(seen[0]!.query).toMatchObject({ rights: 'analyst', settings: { max_threads: '3' } });
});

test.each<[string, Buffer, Record<string, string>]>([
  ['as it is sent', Buffer.alloc(20_000, 'x'), {}],
  ['once decoded', gzipSync(Buffer.alloc(20_000, 'x')), { 'content-encoding': 'gzip' }],
])('a body that is too large %s', async (_, body, headers) => {
  const { url, seen } = await serve();
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...basic('sink', 'secret-s'), ...headers },
    body: new Uint8Array(body),
  });
  expect([response.status, response.headers.get('x-clickhouse-exception-code')]).toEqual([413, '229']);
  expect(seen).toEqual([]);
});

test('a damaged body', async () => {
  const { url } = await serve();
  const response = await fetch(url, { method: 'POST', headers: { 'content-encoding': 'gzip' }, body: 'no gzip' });
  expect(response.headers.get('x-clickhouse-exception-code')).toBe('271');
});

test.each([
  ['/ping', 200, 'Ok.\n'],
  ['/replicas_status', 200, 'Ok.\n'],
  ['/', 200, 'Ok.\n'],
  ['/play', 404, 'There is no handle /play\n'],
])('GET %s', async (path, status, text) => {
  const { url } = await serve({ open: false });
  const response = await fetch(url + path);
  expect([response.status, await response.text()]).toEqual([status, text]);
});

test('GET /healthz says that the process lives, also while the engine hangs', async () => {
  const { url, seen } = await serve({ open: false }, { query: () => new Promise(() => {}) });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect(seen).toEqual([]);
});

test('GET /readyz asks the engine, as an analyst and for nobody in particular', async () => {
  const { url, seen } = await serve({ open: false }, {});
  const refused = await fetch(`${url}/readyz`);
  expect([refused.status, await refused.text()]).toEqual([503, 'the engine gives wrong answers\n']);
  expect(seen).toMatchObject([{ sql: 'SELECT 1', query: { rights: 'analyst' } }]);
});

test.each<[string, Engine['query'], number, RegExp]>([
  ['answers', async () => result('1\n'), 200, /^ready\n$/],
  ['refuses', () => Promise.reject(new Error('no memory')), 503, /^the engine refuses: no memory\n$/],
])('GET /readyz where the engine %s', async (_name, query, status, text) => {
  const { url } = await serve({}, { query });
  const response = await fetch(`${url}/readyz`, { headers: { authorization: 'Basic none' } });
  expect([response.status, await response.text()]).toEqual([status, expect.stringMatching(text)]);
});

test('GET /readyz where the engine hangs: 503, and one query however many ask', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const answers: ((found: EngineResult) => void)[] = [];
  const { url } = await serve({}, { query: () => new Promise((resolve) => answers.push(resolve)) });
  const ask = () => get(`${url}/readyz`);
  const waiting = [ask(), ask()];
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(2));
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await Promise.all(waiting)).toEqual([503, 503]);
  const next = ask();
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  expect(answers).toHaveLength(1);
  answers[0]!(result('1\n'));
  expect(await next).toBe(200);
});

test('GET /readyz waits in no line', async () => {
  const { url } = await serve(
    { slots: { running: 1, runningAnalysts: 1, waiting: 0, waitMs: 60_000 } },
    { query: (sql) => (sql === 'SELECT 1' ? Promise.resolve(result('1\n')) : new Promise(() => {})) },
  );
  fetch(`${url}/?query=SELECT+2`).catch(() => {});
  await vi.waitFor(async () =>
    expect((await fetch(`${url}/?query=SELECT+3`, { signal: AbortSignal.timeout(500) })).status).toBe(429),
  );
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test('a URL that is none is refused, and the front goes on', async () => {
  const { url } = await serve();
  const status = await new Promise<number>((resolve) => {
    httpRequest({ port: new URL(url).port, host: '127.0.0.1', path: '//' }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    }).end();
  });
  expect(status).toBe(400);
  expect((await fetch(`${url}/ping`)).status).toBe(200);
});

test.each([
  ['gzip', 'gzip'],
  ['gzip, deflate;q=0.5', 'gzip'],
  ['lz4,zstd,gzip', 'gzip'],
  ['gzip;q=0', null],
  ['zstd', null],
])('a client that accepts %s gets %s', async (accepted, encoding) => {
  const { url } = await serve({}, { query: async () => result('x'.repeat(5_000)) });
  const [headers, body] = await new Promise<[Record<string, unknown>, Buffer]>((resolve) => {
    httpRequest(`${url}/?query=SELECT+1`, { headers: { 'accept-encoding': accepted } }, async (response) =>
      resolve([response.headers, Buffer.concat(await response.toArray())]),
    ).end();
  });
  expect(headers['content-encoding'] ?? null).toBe(encoding);
  expect((encoding ? gunzipSync(body) : body).toString()).toBe('x'.repeat(5_000));
});

test("the engine's exceptions keep code, text and status", async () => {
  const failure = fromEngine(new Error("Query failed: Code: 60. DB::Exception: Unknown 'x'. (UNKNOWN_TABLE)"), '26.7');
  const { url } = await serve({}, { query: () => Promise.reject(failure) });
  const response = await fetch(`${url}/?query=SELECT+1`);
  expect([response.status, response.headers.get('x-clickhouse-exception-code')]).toEqual([404, '60']);
  expect(await response.text()).toBe(
    "Code: 60. DB::Exception: Unknown 'x'. (UNKNOWN_TABLE) (version 26.7 (embedded))\n",
  );
});

test('when the client goes away its reading query is killed, and the next one has its place', async () => {
  const running = new Map<string, (error: Error) => void>();
  const sqls: string[] = [];
  const { url } = await serve(
    { slots: { running: 1, runningAnalysts: 1, waiting: 1, waitMs: 60_000 } },
    {
      query(sql, _format, { id }) {
        sqls.push(sql);
        return new Promise((_, reject) => running.set(id, reject));
      },
      kill: async (id) => running.get(id)!(new Error('Query was cancelled')),
    },
  );
  const leave = new AbortController();
  fetch(`${url}/?query=first`, { signal: leave.signal }).catch(() => {});
  await vi.waitFor(() => expect(sqls).toEqual(['first']));
  fetch(`${url}/?query=second`).catch(() => {});
  leave.abort();
  await vi.waitFor(() => expect(sqls).toEqual(['first', 'second']));
});

test("a writer's query is brought to its end although the client is gone", async () => {
  const killed: string[] = [];
  const done = Promise.withResolvers<EngineResult>();
  const sqls: string[] = [];
  const { url } = await serve(
    { slots: { running: 1, runningAnalysts: 1, waiting: 1, waitMs: 60_000 } },
    {
      query(sql) {
        sqls.push(sql);
        return done.promise;
      },
      kill: async (id) => void killed.push(id),
    },
  );
  const ask = (sql: string, signal?: AbortSignal) =>
    fetch(url, { method: 'POST', headers: basic('sink', 'secret-s'), body: sql, signal: signal ?? null });
  const leave = new AbortController();
  ask('first', leave.signal).catch(() => {});
  await vi.waitFor(() => expect(sqls).toEqual(['first']));
  leave.abort();
  const next = ask('second');
  done.resolve(result(''));
  expect((await next).status).toBe(200);
  expect(killed).toEqual([]);
});

test('a finished query is not killed', async () => {
  const killed: string[] = [];
  const { url } = await serve({}, { kill: async (id) => void killed.push(id) });
  for (let round = 0; round < 3; round++) await (await fetch(`${url}/?query=SELECT+1`)).text();
  expect(killed).toEqual([]);
});

test('too many queries: 429 and when to come again', async () => {
  const { url } = await serve(
    { slots: { running: 1, runningAnalysts: 1, waiting: 0, waitMs: 60_000 } },
    { query: () => new Promise(() => {}) },
  );
  fetch(`${url}/?query=SELECT+1`).catch(() => {});
  const response = await vi.waitFor(async () => {
    const answer = await fetch(`${url}/?query=SELECT+1`, { signal: AbortSignal.timeout(500) });
    expect(answer.status).toBe(429);
    return answer;
  }, 10_000);
  expect(response.headers.get('x-clickhouse-exception-code')).toBe('202');
  expect(response.headers.get('retry-after')).toBe('1');
});
