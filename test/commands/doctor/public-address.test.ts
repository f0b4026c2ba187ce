import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import pino from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checkCertificate } from '../../../services/commands/doctor/certificate.ts';
import { checkName, checkPath, checkPort } from '../../../services/commands/doctor/public-address.ts';
import { keepCertificate } from '../../../services/edge/certificate.ts';
import { createRegistry, edgeTlsMetrics } from '../../../services/telemetry.ts';
import { createAuthority, createSelfSigned, type TestCertificate } from '../../edge/certificates.ts';
import { startTestEdge, writeCertificate } from '../../edge/fixture.ts';

const authority = createAuthority();
const host = 'hooks.example.com';
const dayMs = 86_400_000;

describe('name', () => {
  test.each([
    [['203.0.113.7', '2001:db8::7'], 'ok'],
    [['10.1.2.3'], 'warn'],
    [['203.0.113.7', '192.168.1.1'], 'warn'],
    [['100.64.0.1'], 'warn'],
    [['fd00::1'], 'warn'],
    [['172.15.0.1'], 'ok'],
    [['172.31.255.255'], 'warn'],
    [['127.0.1.1'], 'fail'],
    [['203.0.113.7', '::1'], 'fail'],
  ])('that leads to %j: %s', async (addresses, status) => {
    const { place, findings } = await checkName(new URL(`https://${host}`), async () => addresses);
    expect(findings).toMatchObject([{ check: 'name', status, what: expect.stringContaining(addresses[0]!) }]);
    expect(place?.addresses).toEqual(addresses);
  });

  test('that leads nowhere', async () => {
    const notFound = () => Promise.reject(Object.assign(new Error('queryA ENOTFOUND'), { code: 'ENOTFOUND' }));
    const { place, findings } = await checkName(new URL(`https://${host}`), notFound);
    expect(place).toBeUndefined();
    expect(findings).toMatchObject([{ status: 'fail', what: `${host} does not resolve: ENOTFOUND` }]);
  });

  test.each(['https://203.0.113.7', 'https://[2001:db8::1]'])('%s has none', async (url) => {
    const { findings } = await checkName(new URL(url), () => expect.unreachable('it was looked up'));
    expect(findings).toMatchObject([{ status: 'warn', what: expect.stringContaining('is an address') }]);
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('port', () => {
  test('that somebody listens on, and one that nobody does', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const at = (number: number) => checkPort({ url: new URL(`https://${host}:${number}`), addresses: ['127.0.0.1'] });
    expect(await at(port)).toEqual({
      open: ['127.0.0.1'],
      findings: [expect.objectContaining({ status: 'ok', what: `127.0.0.1 takes connections on ${port}` })],
    });
    const free = await freePort();
    const what = `127.0.0.1 takes none on ${free}: ECONNREFUSED`;
    expect(await at(free)).toEqual({ open: [], findings: [expect.objectContaining({ status: 'fail', what })] });
  });
});

/** A server that shows a certificate. */
async function present({ cert, key }: TestCertificate) {
  const server = createTlsServer({ cert, key }, (socket) => socket.on('error', () => {}));
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return new URL(`https://${host}:${(server.address() as AddressInfo).port}`);
}

async function judge(issued: TestCertificate, nowMs = Date.now(), trusted: string | undefined = authority.cert) {
  const url = await present(issued);
  return checkCertificate({ url, addresses: ['127.0.0.1'] }, { authorities: trusted, nowMs });
}

describe('certificate', () => {
  const lasting = (days: number) => authority.issue({ names: [host], notAfter: new Date(Date.now() + days * dayMs) });

  test.each([
    [60.5, 'ok', 'runs out in 60 days'],
    [14.5, 'ok', 'runs out in 14 days'],
    [13.5, 'warn', 'runs out in 13 days'],
    [1.5, 'fail', 'runs out in 1 days'],
    [-0.5, 'fail', 'ran out on'],
  ])('with %d days left: %s', async (days, status, what) => {
    expect(await judge(lasting(days))).toMatchObject([{ status, what: expect.stringContaining(what) }]);
  });

  test('that is not valid yet', async () => {
    const issued = authority.issue({ names: [host], notBefore: new Date(Date.now() + dayMs) });
    expect(await judge(issued)).toMatchObject([
      { status: 'fail', what: expect.stringContaining('is not valid before') },
    ]);
  });

  test('for another name', async () => {
    const found = await judge(authority.issue({ names: ['other.example.com'] }));
    expect(found).toMatchObject([{ status: 'fail', what: `127.0.0.1: is for DNS:other.example.com, not for ${host}` }]);
  });

  test('for all names below the domain', async () => {
    expect(await judge(authority.issue({ names: ['*.example.com'] }))).toMatchObject([{ status: 'ok' }]);
  });

  test('of an authority that nobody knows, or without what is between', async () => {
    const found = await judge(authority.issue({ names: [host] }), Date.now(), createAuthority('Another root').cert);
    expect(found).toMatchObject([{ status: 'fail', what: expect.stringContaining('leads to no authority') }]);
  });

  test('that is signed by itself', async () => {
    const found = await judge(createSelfSigned({ names: [host] }), Date.now(), undefined);
    expect(found).toMatchObject([{ status: 'fail', what: expect.stringContaining('is signed by itself') }]);
  });

  test('everything that is wrong with it is told', async () => {
    const issued = authority.issue({ names: ['other.example.com'], notAfter: new Date(Date.now() - dayMs) });
    expect(await judge(issued)).toMatchObject([
      { what: expect.stringContaining('ran out on') },
      { what: expect.stringContaining('is for DNS:other.example.com') },
    ]);
  });

  test('where no TLS is spoken, and where the URL does not ask for it', async () => {
    const server = createServer((socket) => socket.end('SSH-2.0\r\n')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const url = new URL(`https://${host}:${(server.address() as AddressInfo).port}`);
    const options = { nowMs: Date.now() };
    expect(await checkCertificate({ url, addresses: ['127.0.0.1'] }, options)).toMatchObject([
      { status: 'fail', what: expect.stringContaining('no handshake') },
    ]);
    const plain = { url: new URL('http://localhost'), addresses: ['127.0.0.1'] };
    expect(await checkCertificate(plain, options)).toMatchObject([{ status: 'warn' }]);
  });
});

async function serveHttp(listener: RequestListener): Promise<URL> {
  const server = createHttpServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return new URL(`http://localhost:${(server.address() as AddressInfo).port}`);
}

describe('path', () => {
  const at = (url: URL) => checkPath({ url, addresses: ['127.0.0.1'] });

  test('an edge that speaks TLS itself answers, and shows its metrics to everybody', async () => {
    const files = writeCertificate(authority.issue({ names: [host] }));
    const logger = pino({ level: 'silent' });
    const metrics = edgeTlsMetrics(createRegistry('doctor'));
    const edge = await startTestEdge({ certificate: keepCertificate({ files, metrics, logger }) });
    const url = new URL(edge.url.replace('127.0.0.1', host));
    expect(url.protocol).toBe('https:');
    expect(await at(url)).toMatchObject([{ status: 'warn', what: expect.stringContaining('anybody may read') }]);
    expect((await edge.ledger()).refused).toEqual({ unknown_endpoint: 1 });
  });

  test('a proxy that hands on /in/ alone, below a path of its own', async () => {
    const edge = await startTestEdge();
    const url = await serveHttp(async (request, response) => {
      if (!request.url?.startsWith('/hooks/in/')) return response.writeHead(404).end();
      const { method = '' } = request;
      const answer = await fetch(edge.url + request.url.slice('/hooks'.length), {
        method,
        body: '{}',
        headers: { 'content-type': 'application/json' },
      });
      return response.writeHead(answer.status).end(await answer.text());
    });
    expect(await at(new URL('/hooks', url))).toMatchObject([{ status: 'ok' }]);
  });

  test.each([
    [404, 'not found here'],
    [502, 'bad gateway'],
    [200, 'welcome'],
    [301, ''],
  ])('somebody else, who answers %i', async (status, text) => {
    const url = await serveHttp((_request, response) => response.writeHead(status).end(text));
    const what = `at 127.0.0.1 no edge answers POST /in/…, but somebody with ${status}`;
    expect(await at(url)).toMatchObject([{ status: 'fail', what }]);
  });

  test('somebody who breaks off', async () => {
    const url = await serveHttp((request) => request.socket.destroy());
    expect(await at(url)).toMatchObject([{ status: 'fail', what: expect.stringContaining('ECONNRESET') }]);
  });

  test('nobody', async () => {
    const url = new URL(`http://localhost:${await freePort()}`);
    expect(await at(url)).toMatchObject([{ status: 'fail', what: expect.stringContaining('ECONNREFUSED') }]);
  });
});
