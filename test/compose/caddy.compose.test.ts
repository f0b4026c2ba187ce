/** What Caddy, with the shipped Caddyfile, does with a delivery: docs/decisions/0017 says why. */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { body, deliveriesOf, rawClient, signature, startTestEdge, token } from '../edge/fixture.ts';
import { type Caddy, caddyfile, startCaddy } from './caddy.ts';
import { toolPath } from './tools.ts';

type Behaviour = 'accepts' | 'dies' | 'refuses' | 'hangs';

/** Stands in for an edge; `seen` is what it has read to its end. */
interface Double {
  address: string;
  seen: { url: string; headers: IncomingHttpHeaders; sha256: string }[];
  server: Server;
}

/** Of a body that is as large as may be: a difference of such bodies is nothing to be looked at. */
function digest(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** `dies`: reads the whole delivery, and then goes without a word, as under SIGKILL. */
async function startDouble(behaviour: Behaviour, port = 0): Promise<Double> {
  const seen: Double['seen'] = [];
  const server = createServer(async (incoming, outgoing) => {
    if (incoming.url === '/readyz') {
      outgoing.end('{}');
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    seen.push({ url: incoming.url!, headers: incoming.headers, sha256: digest(Buffer.concat(chunks)) });
    if (behaviour === 'dies') outgoing.destroy();
    if (behaviour === 'refuses') outgoing.writeHead(503, { 'retry-after': '1' }).end('{}');
    if (behaviour === 'accepts') outgoing.writeHead(202).end(`{"id":"${seen.length}"}`);
  });
  server.listen(port, '127.0.0.1');
  await vi.waitFor(() => expect(server.listening).toBe(true));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen, server };
}

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const { server } = await startDouble('accepts');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** As many as it takes that each of two edges was the first one in turn. */
const twice = [1, 2];

test('the Caddyfile is valid, and formatted as Caddy would', () => {
  const env = { HOME: '/nonexistent', HOOKWATCH_ACME_EMAIL: 'me@example.com', HOOKWATCH_DOMAIN: 'hooks.example.com' };
  const adapted = spawnSync(toolPath('caddy'), ['adapt', '--validate', '--config', caddyfile], {
    env,
    encoding: 'utf8',
  });
  expect({ status: adapted.status, stderr: adapted.stderr.match(/"level":"(warn|error)".*/g) }).toEqual({
    status: 0,
    stderr: null,
  });
  const formatted = spawnSync(toolPath('caddy'), ['fmt', caddyfile], { encoding: 'utf8' });
  expect(formatted.stdout).toBe(readFileSync(caddyfile, 'utf8'));
});

describe('a delivery goes to the other edge, byte for byte', { timeout: 60_000 }, () => {
  test.each<[Behaviour, string]>([
    ['dies', 'once it has read it'],
    ['refuses', 'as a full journal does'],
    ['hangs', 'and stays connected'],
  ])('when the first one %s (%s)', async (behaviour) => {
    const [bad, good] = [await startDouble(behaviour), await startDouble('accepts')];
    const caddy = await startCaddy([bad.address, good.address]);
    // As large as may be, and no text.
    const bodies = twice.map(() => randomBytes(256 * 1024));
    for (const content of bodies) {
      const answer = await caddy.post('/in/secret', content, { headers: { 'tier3-rsasha1': 'c2ln' } });
      expect(answer).toMatchObject({ status: 202, headers: { 'x-request-id': expect.stringMatching(/^[\w-]{36}$/) } });
    }
    expect(good.seen.map(({ sha256 }) => sha256)).toEqual(bodies.map(digest));
    const [first] = bad.seen;
    expect(first!.headers['x-request-id']).toBeDefined();
    const second = good.seen.find(({ headers }) => headers['x-request-id'] === first!.headers['x-request-id'])!;
    expect(second).toEqual({ ...first, headers: { ...first!.headers, host: expect.anything() } });
    expect(second).toMatchObject({
      url: '/in/secret',
      headers: { 'tier3-rsasha1': 'c2ln', 'x-forwarded-for': '127.0.0.1' },
    });
  });

  test('when nobody listens where the first one was', async () => {
    const good = await startDouble('accepts');
    const caddy = await startCaddy([`127.0.0.1:${await freePort()}`, good.address]);
    for (const n of twice) expect((await caddy.post('/in/secret', `${n}`)).status).toBe(202);
  });

  test('when it came in chunks, or over HTTP/2 without a length', async () => {
    const [bad, good] = [await startDouble('dies'), await startDouble('accepts')];
    const caddy = await startCaddy([bad.address, good.address]);
    for (const n of twice) {
      const headers = { 'transfer-encoding': 'chunked' };
      expect((await caddy.post('/in/secret', `chunked ${n}`, { headers })).status).toBe(202);
      expect(await postOverHttp2(caddy, `streamed ${n}`)).toBe(202);
    }
    const bodies = twice.flatMap((n) => [`chunked ${n}`, `streamed ${n}`]);
    expect(good.seen.map(({ sha256 }) => sha256)).toEqual(bodies.map(digest));
    expect(bad.seen.length).toBeGreaterThan(0);
  });

  test('and to one that comes back meanwhile', async () => {
    const port = await freePort();
    const caddy = await startCaddy([`127.0.0.1:${port}`]);
    const answer = caddy.post('/in/secret', 'patience');
    await vi.waitFor(() => expect(caddy.log().join()).toContain('connection refused'), { timeout: 5_000 });
    const edge = await startDouble('accepts', port);
    expect((await answer).status).toBe(202);
    expect(edge.seen).toHaveLength(1);
  });
});

describe('no edge takes it', () => {
  test.each(['dies', 'refuses'] as const)('each %s: 503, with the time to try again', async (behaviour) => {
    const edges = [await startDouble(behaviour), await startDouble(behaviour)];
    const caddy = await startCaddy(edges.map(({ address }) => address));
    const answer = await caddy.post('/in/secret', 'lost');
    expect(answer).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      text: expect.stringMatching(/^\{"error/),
    });
    for (const { seen } of edges) expect(seen.length).toBeGreaterThan(1);
  });

  test('nobody listens: 503', async () => {
    const caddy = await startCaddy([`127.0.0.1:${await freePort()}`]);
    expect(await caddy.post('/in/secret', 'lost')).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
  });
});

test('what one edge has no room for goes to the other, also while its body is still on the way', async () => {
  let bytes = 0;
  const full = await startTestEdge({ journalBytes: () => bytes, journalBytesMax: 1 });
  const roomy = await startTestEdge();
  const caddy = await startCaddy([`127.0.0.1:${full.port}`, `127.0.0.1:${roomy.port}`]);
  const content = 'x'.repeat(256 * 1024);
  const send = () => caddy.post(`/in/${token}`, content, { headers: { 'tier3-rsasha1': signature(content) } });
  // Until one was sent before the health check had seen it.
  await vi.waitFor(
    async () => {
      for (bytes of [2, 0]) {
        full.tick();
        for (const _ of twice) expect((await send()).status).toBe(202);
      }
      expect((await full.ledger()).refused.journal_full).toBeGreaterThan(0);
    },
    { timeout: 20_000 },
  );
});

describe('in front of an edge', () => {
  async function start() {
    const edge = await startTestEdge();
    const caddy = await startCaddy([`127.0.0.1:${edge.port}`]);
    return { edge, caddy, ca: readFileSync(caddy.caFile, 'utf8') };
  }

  test('what it answers comes through: taken in, not verified, unknown, of another type', async () => {
    const { edge, caddy } = await start();
    const signed = { 'tier3-rsasha1': signature(body), 'user-agent': 'a provider' };
    expect(await caddy.post(`/in/${token}`, body, { headers: signed })).toMatchObject({ status: 202 });
    expect((await caddy.post(`/in/${token}`, `${body} `, { headers: signed })).status).toBe(401);
    expect((await caddy.post('/in/unknown', body)).status).toBe(404);
    expect((await caddy.post(`/in/${token}`, body, { headers: { 'content-type': 'text/xml' } })).status).toBe(415);
    const [delivery] = deliveriesOf(await edge.log.records());
    expect(delivery!.body.toString()).toBe(body);
    expect(delivery!.headers).toMatchObject({ ...signed, 'x-forwarded-for': '127.0.0.1' });
    expect(delivery!.headers['x-request-id']).toMatch(/^[\w-]{36}$/);
  });

  test.each([256 * 1024 + 1, 261 * 1024, 4 * 1024 * 1024])('a body of %i bytes is answered 413', async (bytes) => {
    const { edge, caddy } = await start();
    for (const headers of [{ 'content-length': bytes }, { 'transfer-encoding': 'chunked' }]) {
      expect((await caddy.post(`/in/${token}`, Buffer.alloc(bytes), { headers })).status).toBe(413);
    }
    await vi.waitFor(async () => expect((await edge.ledger()).refused).toMatchObject({ body_too_large: 2 }));
  });

  test('who expects 100-continue is told so, once', async () => {
    const { caddy, ca } = await start();
    const client = rawClient(caddy.port, { ca, servername: 'localhost' });
    client.send(`POST /in/${token} HTTP/1.1\r\nHost: localhost\r\nTier3-RsaSha1: ${signature(body)}\r\n`);
    client.send(`Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`);
    await vi.waitFor(() => expect(client.received()).toBe('HTTP/1.1 100 Continue\r\n\r\n'));
    client.send(body);
    await vi.waitFor(() =>
      expect(client.received()).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 202 Accepted\r\n/),
    );
  });

  test('who goes away within a body costs one try, and the edge is used as before', async () => {
    const { edge, caddy, ca } = await start();
    const client = rawClient(caddy.port, { ca, servername: 'localhost' });
    client.send(`POST /in/${token} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf`);
    await vi.waitFor(() => expect(client.written()).toBeGreaterThan(80));
    client.socket.destroy();
    const seen = () => caddy.log().some((line) => JSON.parse(line).logger === 'http.log.access');
    await vi.waitFor(() => expect(seen()).toBe(true));
    expect((await edge.ledger()).requests).toBeLessThanOrEqual(1);
    const headers = { 'tier3-rsasha1': signature(body) };
    expect((await caddy.post(`/in/${token}`, body, { headers })).status).toBe(202);
  });

  test('what is no body costs one try, and the edge is used as before', async () => {
    const { edge, caddy, ca } = await start();
    const client = rawClient(caddy.port, { ca, servername: 'localhost' });
    client.send(`POST /in/${token} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n`);
    await vi.waitFor(() => expect(client.received()).toMatch(/^HTTP\/1.1 503 /), { timeout: 10_000 });
    expect((await edge.ledger()).requests).toBeLessThanOrEqual(1);
    const headers = { 'tier3-rsasha1': signature(body) };
    expect((await caddy.post(`/in/${token}`, body, { headers })).status).toBe(202);
  });

  test.each(['account', 'user', 'server', 'alert'])('the sample listener comes through: /webhook/%s', async (event) => {
    const good = await startDouble('accepts');
    const caddy = await startCaddy([good.address]);
    expect((await caddy.post(`/webhook/${event}?token=secret`, body)).status).toBe(202);
    expect(good.seen).toMatchObject([{ url: `/webhook/${event}?token=secret` }]);
    expect(caddy.log().join('')).not.toContain('secret');
  });

  test('nothing of the edge but where deliveries go is to be had from outside', async () => {
    const { edge, caddy, ca } = await start();
    const paths = [
      '/',
      '/metrics',
      '/readyz',
      '/healthz',
      '/control',
      '/in',
      '//metrics',
      '/in/../metrics',
      '/webhook/x',
    ];
    for (const path of [...paths, '/in/%2e%2e/metrics', '/in/..%2fmetrics', '/in/x/../../metrics', '/./readyz']) {
      const client = rawClient(caddy.port, { ca, servername: 'localhost' });
      client.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      await vi.waitFor(() => expect(client.closed()).toBe(true));
      expect({ path, answer: client.received().split('\r\n')[0] }).toEqual({ path, answer: 'HTTP/1.1 404 Not Found' });
    }
    expect(await edge.metric('hookwatch_edge_requests_total')).toBe(0);
  });
});

describe('Caddy itself', () => {
  test('logs no token and no header, whatever becomes of a delivery', async () => {
    const edges = [await startDouble('dies'), await startDouble('accepts')];
    const caddy = await startCaddy(edges.map(({ address }) => address));
    const headers = {
      authorization: 'in-a-header',
      'tier3-rsasha1': 'in-a-header',
      referer: 'https://x/in/in-the-url',
    };
    for (const n of twice)
      expect((await caddy.post('/in/in-the-url?in-the-url', `${n}`, { headers })).status).toBe(202);
    for (const { server } of edges) {
      server.close();
      server.closeAllConnections();
    }
    expect((await caddy.post('/in/in-the-url', 'lost', { headers })).status).toBe(503);
    const handled = () => caddy.log().flatMap((line) => (line.includes('http.log.access') ? [JSON.parse(line)] : []));
    // The first is of who waited for Caddy to answer.
    await vi.waitFor(() => expect(handled()).toHaveLength(4));
    const uuids = edges[1]!.seen.map((request) => request.headers['x-request-id']);
    expect(handled().slice(1, 3)).toEqual(uuids.map((uuid) => expect.objectContaining({ status: 202, uuid })));
    expect(handled().at(-1)).toMatchObject({ status: 503, cause: expect.stringMatching(/refused|no upstreams/) });
    expect(caddy.log().join('\n')).not.toMatch(/in-the-url|in-a-header/);
  });

  test('has metrics for Prometheus on a port of their own, and answers there nothing else', async () => {
    const caddy = await startCaddy(['127.0.0.1:1']);
    const text = await (await fetch(caddy.metricsUrl)).text();
    expect(text).toMatch(/^caddy_reverse_proxy_upstreams_healthy\{upstream="127.0.0.1:1"\} [01]$/m);
    expect((await fetch(new URL('/config/', caddy.metricsUrl))).status).toBe(404);
  });

  test('sends who comes over HTTP to HTTPS', async () => {
    const caddy = await startCaddy(['127.0.0.1:1']);
    const answer = await fetch(`http://localhost:${caddy.httpPort}/in/x`, { redirect: 'manual', method: 'POST' });
    expect([answer.status, answer.headers.get('location')]).toEqual([308, 'https://localhost/in/x']);
  });

  test.each(['h2', 'http/1.1'])('speaks %s over TLS 1.2 and 1.3', async (protocol) => {
    const caddy = await startCaddy(['127.0.0.1:1']);
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { host: '127.0.0.1', servername: 'localhost', ca: readFileSync(caddy.caFile) };
      const versions = { minVersion: version, maxVersion: version, ALPNProtocols: [protocol] };
      const socket = connect({ ...options, ...versions, port: caddy.port });
      onTestFinished(() => void socket.destroy());
      await vi.waitFor(() => expect(socket.getProtocol()).toBe(version));
      await vi.waitFor(() => expect(socket.alpnProtocol).toBe(protocol));
    }
  });
});

async function postOverHttp2(caddy: Caddy, content: string): Promise<number> {
  const session = connectHttp2(caddy.url, { ca: readFileSync(caddy.caFile) });
  const stream = session.request({ ':method': 'POST', ':path': '/in/secret' });
  stream.end(content);
  const [headers] = await once(stream, 'response');
  session.close();
  return headers[':status'];
}
