import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, get } from 'node:https';
import * as tls from 'node:tls';
import pino from 'pino';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { keepCertificate, readCertificate } from '../../services/edge/certificate.ts';
import { createRegistry, edgeTlsMetrics } from '../../services/telemetry.ts';
import { createAuthority, type TestCertificate } from './certificates.ts';
import { rawClient, startTestEdge, writeCertificate } from './fixture.ts';

const authority = createAuthority();
const hourMs = 3_600_000;

/** A pair in files, kept as an edge keeps it. */
function keep(issued: TestCertificate = authority.issue(), now: () => number = Date.now) {
  const lines: { level: number; msg: string }[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const registry = createRegistry('edge');
  const files = writeCertificate(issued);
  const certificate = keepCertificate({ files, metrics: edgeTlsMetrics(registry), logger, now });
  const notAfterSeconds = async () =>
    (await registry.getSingleMetric('hookwatch_edge_certificate_not_after_seconds')!.get()).values[0]!.value;
  return { certificate, files, lines, notAfterSeconds };
}

function replace({ certFile, keyFile }: ReturnType<typeof writeCertificate>, { cert, key }: TestCertificate): void {
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
}

function serialOf({ cert }: { cert: string | Buffer }): string {
  return new X509Certificate(cert).serialNumber;
}

/** The serial number that a new connection is shown. */
async function shown(port: number, options: tls.ConnectionOptions = {}): Promise<string> {
  const socket = tls.connect({ port, host: '127.0.0.1', ca: authority.cert, ...options });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket.getPeerX509Certificate()!.serialNumber;
}

const pair = authority.issue();
const shortKey = generateKeyPairSync('rsa', { modulusLength: 512 }).privateKey;

describe('what cannot be served is refused, with the file and the setting', () => {
  test.each<[what: string, bad: Partial<TestCertificate>, message: RegExp]>([
    [
      'no certificate',
      { cert: 'hello' },
      /^Cannot use \S+cert.pem \(HOOKWATCH_EDGE_TLS_CERT\): it holds no certificate/,
    ],
    ['files in the wrong order', { cert: pair.key, key: pair.cert }, /_TLS_CERT\): it holds no certificate in PEM$/],
    [
      'no key',
      { key: pair.cert },
      /^Cannot use \S+key.pem \(HOOKWATCH_EDGE_TLS_KEY\): it holds no private key in PEM$/,
    ],
    ['the key of another', { key: authority.issue().key }, /_TLS_KEY\): it is not the key of \S+cert.pem$/],
    [
      'a key with a passphrase',
      { key: shortKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }) as string },
      /_TLS_KEY\): its key has a passphrase$/,
    ],
  ])('%s', (_, bad, message) => {
    expect(() => readCertificate(writeCertificate({ ...pair, ...bad }))).toThrow(message);
  });

  test('files that are not there', () => {
    const files = writeCertificate(pair);
    const [gone, setting] = [`${files.keyFile}.gone`, 'HOOKWATCH_EDGE_TLS_KEY'];
    expect(() => readCertificate({ ...files, keyFile: gone })).toThrow(`Cannot read ${gone} (${setting}): ENOENT`);
    expect(() => readCertificate({ ...files, certFile: gone })).toThrow(
      `Cannot read ${gone} (HOOKWATCH_EDGE_TLS_CERT)`,
    );
  });
});

describe('a certificate', () => {
  test('is announced with its names and its end', async () => {
    const notAfter = new Date(Math.floor(Date.now() / 1000) * 1000 + hourMs);
    const { certificate, lines, notAfterSeconds } = keep(authority.issue({ names: ['hooks.example.com'], notAfter }));
    expect(await notAfterSeconds()).toBe(notAfter.getTime() / 1000);
    expect(lines).toEqual([
      expect.objectContaining({ level: 30, names: 'DNS:hooks.example.com', notAfter: notAfter.toISOString() }),
    ]);
    expect(certificate.remarks()).toEqual([]);
  });

  test.each([
    ['has run out', { notBefore: new Date(0), notAfter: new Date(hourMs) }, 'ran out on 1970-01-01T01:00:00.000Z'],
    [
      'is of tomorrow',
      { notBefore: new Date('2099-01-01'), notAfter: new Date('2099-02-01') },
      'is not valid before 2099',
    ],
  ])('that %s is served all the same, and a remark', (_, dates, words) => {
    const { certificate, lines } = keep(authority.issue(dates));
    expect(lines).toEqual([expect.objectContaining({ level: 40, msg: expect.stringContaining(words) })]);
    expect(certificate.remarks()).toEqual([expect.stringContaining(words)]);
  });

  test('that runs out while it is served becomes a remark by itself', () => {
    let now = Date.now();
    const { certificate } = keep(authority.issue({ notAfter: new Date(now + hourMs) }), () => now);
    expect(certificate.remarks()).toEqual([]);
    now += 2 * hourMs;
    expect(certificate.remarks()).toEqual([expect.stringContaining('ran out on')]);
  });
});

describe('renewal', () => {
  test('new connections are shown the new one; those that are open go on', async () => {
    const { certificate, files } = keep(pair);
    const edge = await startTestEdge({ certificate });
    expect(edge.url).toMatch(/^https:/);
    const open = rawClient(edge.port, { ca: authority.cert });
    const ask = () => open.send('GET /healthz HTTP/1.1\r\n\r\n');
    ask();
    await vi.waitFor(() => expect(open.received().match(/"alive"/g)).toHaveLength(1));
    expect(await shown(edge.port)).toBe(serialOf(pair));

    const next = authority.issue();
    replace(files, next);
    expect(await shown(edge.port)).toBe(serialOf(pair));
    edge.renewCertificate();
    expect(await shown(edge.port)).toBe(serialOf(next));
    ask();
    await vi.waitFor(() => expect(open.received().match(/"alive"/g)).toHaveLength(2));
  });

  test('a pair that cannot be served leaves the one before, and is a remark until it is put right', async () => {
    const { certificate, files, lines } = keep(pair);
    const edge = await startTestEdge({ certificate });
    const readiness = async () => {
      const agent = new Agent({ ca: authority.cert });
      const [answer] = await once(get(`${edge.url}/readyz`, { agent }), 'response');
      const [body] = await once(answer.setEncoding('utf8'), 'data');
      return { code: answer.statusCode, ...JSON.parse(body) };
    };
    const next = authority.issue();
    replace(files, { ...next, key: pair.key });
    edge.renewCertificate();
    expect(await shown(edge.port)).toBe(serialOf(pair));
    const remarks = [expect.stringMatching(/^the certificate before is served: .* is not the key of/)];
    expect(await readiness()).toMatchObject({ code: 200, status: 'ready', remarks });
    expect(lines.at(-1)).toMatchObject({ level: 50 });

    replace(files, next);
    edge.renewCertificate();
    expect(await shown(edge.port)).toBe(serialOf(next));
    expect(await readiness()).not.toHaveProperty('remarks');
  });
});

describe('on the port', () => {
  test.each([
    ['TLSv1.2', true],
    ['TLSv1.3', true],
    ['TLSv1.1', false],
  ] as const)('%s: %s', async (version, welcome) => {
    const edge = await startTestEdge({ certificate: keep(pair).certificate });
    const options = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' };
    if (welcome) expect(await shown(edge.port, options)).toBe(serialOf(pair));
    // The edge's own words, in an alert: it is not this client that refuses.
    else await expect(shown(edge.port, options)).rejects.toThrow(/alert protocol version/);
  });

  test('who speaks plain HTTP is disconnected, and the ledger knows no request', async () => {
    const edge = await startTestEdge({ certificate: keep(pair).certificate });
    const client = rawClient(edge.port);
    client.send('POST /in/token HTTP/1.1\r\nContent-Length: 0\r\n\r\n');
    await vi.waitFor(() => expect(client.closed()).toBe(true));
    expect(client.received()).not.toContain('HTTP');
    expect((await edge.ledger()).requests).toBe(0);
    expect(await shown(edge.port)).toBe(serialOf(pair));
  });

  test('who never begins to speak is disconnected', async () => {
    const edge = await startTestEdge({ certificate: keep(pair).certificate, limits: { headersTimeoutMs: 50 } });
    const client = rawClient(edge.port);
    await vi.waitFor(() => expect(client.closed()).toBe(true));
  });

  test('who never begins to speak does not keep the edge from stopping', async () => {
    const limits = { drainMs: 20, headersTimeoutMs: 60_000, requestTimeoutMs: 60_000 };
    const edge = await startTestEdge({ certificate: keep(pair).certificate, limits });
    const client = rawClient(edge.port);
    await once(client.socket, 'connect');
    // The edge has it as well: a later connection was shown the certificate.
    await shown(edge.port);
    await edge.stop();
    await vi.waitFor(() => expect(client.closed()).toBe(true));
  });
});
