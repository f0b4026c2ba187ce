import { readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { body, deliveriesOf, head, rawClient, signature, startTestEdge, token } from './fixture.ts';

const signed = (content = body) => [`Tier3-RsaSha1: ${signature(content)}`, `Content-Length: ${content.length}`];
const chunk = (size: number) => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`;

test('the delivery recorded in 2015, sent byte for byte, is answered 401 and kept', async () => {
  const recorded = readFileSync(new URL('../recorded/clc-user-updated-2015.http', import.meta.url), 'latin1');
  const [lines, content] = recorded.trimEnd().split('\n\n') as [string, string];
  // The recording shows line ends as \n. Its target was the receiver's own, without a Host header.
  const request = lines.split('\n').with(0, `POST /in/${token}?action=updated HTTP/1.1`).join('\r\n');
  const edge = await startTestEdge();
  const client = rawClient(edge.port);
  client.send(`${request}\r\n\r\n`);
  await vi.waitFor(() => expect(client.received()).toBe('HTTP/1.1 100 Continue\r\n\r\n'));
  client.send(content);
  await vi.waitFor(() =>
    expect(client.received()).toMatch(/\r\n\r\nHTTP\/1.1 401 .*\r\n\r\n\{.*signature mismatch.*\}$/s),
  );
  const [delivery] = deliveriesOf(await edge.log.records());
  expect(delivery).toMatchObject({ verdict: 'rejected', verdict_reason: 'signature mismatch' });
  expect(delivery!.body.toString('latin1')).toBe(content);
  expect(delivery!.headers.expect).toBe('100-continue');
});

describe('Expect: 100-continue', () => {
  test('a body that is welcome is asked for', async () => {
    const edge = await startTestEdge();
    const client = rawClient(edge.port);
    client.send(head([...signed(), 'Expect: 100-continue']));
    await vi.waitFor(() => expect(client.received()).toBe('HTTP/1.1 100 Continue\r\n\r\n'));
    client.send(body);
    await vi.waitFor(() => expect(client.received()).toContain('HTTP/1.1 202 Accepted'));
  });

  test.each([
    { what: 'an unknown token', lines: signed(), to: 'unknown', status: 404 },
    { what: 'a body that is too long', lines: ['Content-Length: 262145'], to: token, status: 413 },
    { what: 'another media type', lines: ['Content-Length: 2', 'Content-Type: text/xml'], to: token, status: 415 },
    { what: 'compression', lines: ['Content-Length: 2', 'Content-Encoding: br'], to: token, status: 415 },
  ])('$what is answered $status at once, without a 100', async ({ lines, to, status }) => {
    const edge = await startTestEdge({ limits: { lingerMs: 20 } });
    const client = rawClient(edge.port);
    client.send(head([...lines, 'Expect: 100-continue'], { to }));
    await vi.waitFor(() => expect(client.closed()).toBe(true));
    expect(client.received()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(client.received()).toMatch(/\r\nConnection: close\r\n/);
    expect(await edge.metric('hookwatch_edge_requests_total')).toBe(1);
  });

  test('an expectation that nobody knows is passed over', async () => {
    const edge = await startTestEdge();
    const client = rawClient(edge.port);
    client.send(head([...signed(), 'Expect: the-unexpected']) + body);
    await vi.waitFor(() => expect(client.received()).toMatch(/^HTTP\/1.1 202 /));
  });
});

describe('bodies in chunks', () => {
  test('are put together', async () => {
    const edge = await startTestEdge();
    const client = rawClient(edge.port);
    client.send(head([`Tier3-RsaSha1: ${signature('x'.repeat(30))}`, 'Transfer-Encoding: chunked']));
    client.send(chunk(10));
    client.send(`${chunk(20)}0\r\n\r\n`);
    await vi.waitFor(() => expect(client.received()).toMatch(/^HTTP\/1.1 202 /));
    expect(deliveriesOf(await edge.log.records())[0]!.body).toHaveLength(30);
  });

  test('above 256 kB are answered 413 while they are still coming in', async () => {
    const edge = await startTestEdge({ limits: { lingerMs: 20 } });
    const client = rawClient(edge.port);
    client.send(head(['Transfer-Encoding: chunked']));
    client.send(chunk(200_000));
    client.send(chunk(62_145));
    await vi.waitFor(() => expect(client.closed()).toBe(true));
    expect(client.received()).toMatch(/^HTTP\/1.1 413 .*\r\n\r\n\{.*body too large.*\}$/s);
    expect(await edge.ledger()).toEqual({ requests: 1, journaled: 0, refused: { body_too_large: 1 }, inFlight: 0 });
  });

  test('of exactly 256 kB are taken in', async () => {
    const edge = await startTestEdge();
    const client = rawClient(edge.port);
    const content = 'x'.repeat(262_144);
    client.send(head([`Tier3-RsaSha1: ${signature(content)}`, 'Transfer-Encoding: chunked']));
    client.send(`${chunk(200_000)}${chunk(62_144)}0\r\n\r\n`);
    await vi.waitFor(() => expect(client.received()).toMatch(/^HTTP\/1.1 202 /));
  });

  test('that break off in bad framing are counted', async () => {
    const edge = await startTestEdge();
    const client = rawClient(edge.port);
    client.send(`${head(['Transfer-Encoding: chunked'])}${chunk(10)}zz\r\n`);
    await vi.waitFor(() => expect(client.received()).toMatch(/^HTTP\/1.1 400 .*malformed HTTP/s));
    await vi.waitFor(async () => expect((await edge.ledger()).refused).toEqual({ aborted: 1 }));
  });
});

test('a sender that keeps sending after its 413 is not reset: it gets to read it', async () => {
  const edge = await startTestEdge({ limits: { lingerMs: 60_000 } });
  const client = rawClient(edge.port);
  client.send(head(['Content-Length: 4000000']));
  await vi.waitFor(() => expect(client.received()).toMatch(/^HTTP\/1.1 413 .*body too large/s));
  expect(client.closed()).toBe(false);
  for (let i = 0; i < 4; i++) client.send('x'.repeat(1_000_000));
  await vi.waitFor(() => expect(client.closed()).toBe(true));
  expect(client.failure()).toBeUndefined();
});

test('a refused request with a short body leaves the connection usable', async () => {
  const edge = await startTestEdge();
  const client = rawClient(edge.port);
  client.send(head(signed(), { to: 'unknown' }) + body + head(signed()) + body);
  await vi.waitFor(() => expect(client.received()).toMatch(/^HTTP\/1.1 404 .*HTTP\/1.1 202 /s));
});

describe('rude clients', () => {
  test('one that goes away in the middle of its body is counted', async () => {
    const edge = await startTestEdge();
    const client = rawClient(edge.port);
    client.send(head(signed()) + body.slice(0, 5));
    await vi.waitFor(() => expect(client.socket.connecting).toBe(false));
    client.socket.end();
    await vi.waitFor(async () => expect((await edge.ledger()).refused).toEqual({ aborted: 1 }));
    expect(deliveriesOf(await edge.log.records())).toEqual([]);
  });

  test('one that goes away before it is answered has its delivery kept', async () => {
    const edge = await startTestEdge();
    edge.log.hold();
    const client = rawClient(edge.port);
    client.send(head(signed()) + body);
    await vi.waitFor(() => expect(edge.log.batches).toHaveLength(2));
    client.socket.destroy();
    edge.log.release();
    await vi.waitFor(async () =>
      expect(await edge.ledger()).toEqual({ requests: 1, journaled: 1, refused: {}, inFlight: 0 }),
    );
  });

  test.each([
    { what: 'body', sent: head(signed()) + body.slice(0, 5), refused: { timeout: 1 } },
    { what: 'head', sent: head(signed()).slice(0, 40), refused: {} },
  ])('one whose $what comes too slowly is told so and disconnected', async ({ sent, refused }) => {
    const edge = await startTestEdge({ limits: { requestTimeoutMs: 50, headersTimeoutMs: 50 } });
    const client = rawClient(edge.port);
    client.send(sent);
    await vi.waitFor(() => expect(client.closed()).toBe(true));
    expect(client.received()).toMatch(/^HTTP\/1.1 408 .*request too slow/s);
    await vi.waitFor(async () => expect((await edge.ledger()).refused).toEqual(refused));
  });

  test('one that speaks no HTTP is told so', async () => {
    const edge = await startTestEdge();
    const client = rawClient(edge.port);
    client.send('hello\r\n\r\n');
    await vi.waitFor(() => expect(client.received()).toMatch(/^HTTP\/1.1 400 .*malformed HTTP/s));
  });

  test.each(['a b', 'evil"host', ''])('one with the Host header %j loses no delivery', async (host) => {
    const edge = await startTestEdge();
    const client = rawClient(edge.port);
    client.send(head(signed()).replace('Host: localhost', `Host: ${host}`) + body);
    await vi.waitFor(() => expect(client.received()).toMatch(/^HTTP\/1.1 202 /));
  });

  test('bodies that are still being read are bounded together', async () => {
    const edge = await startTestEdge({ limits: { readingBytesMax: 1000, lingerMs: 20 } });
    const [slow, other] = [rawClient(edge.port), rawClient(edge.port)];
    slow.send(head(['Content-Length: 900', `Tier3-RsaSha1: ${signature('x'.repeat(900))}`]) + 'x'.repeat(800));
    await vi.waitFor(() => expect(slow.socket.bytesWritten).toBeGreaterThan(800));
    other.send(`${head(['Transfer-Encoding: chunked'])}${chunk(300)}`);
    await vi.waitFor(() => expect(other.received()).toMatch(/^HTTP\/1.1 503 .*too many bodies/s));
    slow.send('x'.repeat(100));
    await vi.waitFor(() => expect(slow.received()).toMatch(/^HTTP\/1.1 202 /));
    expect((await edge.ledger()).refused).toEqual({ overloaded: 1 });
  });
});
