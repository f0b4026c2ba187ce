import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { expect, test, vi } from 'vitest';
import {
  body,
  deliveriesOf,
  expectGapless,
  head,
  prepareEdge,
  rawClient,
  signature,
  startTestEdge,
} from './fixture.ts';

const request = head([`Tier3-RsaSha1: ${signature(body)}`, `Content-Length: ${body.length}`]) + body;

test('requests in flight are journaled and answered, new connections are refused', async () => {
  const edge = await startTestEdge({ limits: { drainMs: 60_000 } });
  edge.log.hold();
  const [committing, sending] = [rawClient(edge.port), rawClient(edge.port)];
  committing.send(request);
  sending.send(request.slice(0, -3));
  await vi.waitFor(() => expect(edge.log.batches).toHaveLength(2));
  await vi.waitFor(() => expect(sending.written()).toBe(request.length - 3));
  await fetch(`${edge.url}/healthz`);

  let stopped = false;
  const stopping = edge.stop().then(() => {
    stopped = true;
  });
  await expect(fetch(`${edge.url}/healthz`)).rejects.toThrow();
  sending.send(request.slice(-3));
  await vi.waitFor(async () => expect(await edge.observations('hookwatch_edge_verification_seconds')).toBe(2));
  expect(stopped).toBe(false);
  edge.log.release();
  await stopping;
  await vi.waitFor(() => expect([committing.closed(), sending.closed()]).toEqual([true, true]));
  for (const client of [committing, sending]) expect(client.received()).toMatch(/^HTTP\/1.1 202 /);
  expect(deliveriesOf(await edge.log.records())).toHaveLength(2);
  expectGapless(await edge.log.records());
});

test('a client that never finishes does not keep the edge from stopping', async () => {
  const edge = await startTestEdge({ limits: { drainMs: 20 } });
  const client = rawClient(edge.port);
  client.send(request.slice(0, -3));
  await vi.waitFor(() => expect(client.written()).toBe(request.length - 3));
  await fetch(`${edge.url}/healthz`);
  await edge.stop();
  await vi.waitFor(() => expect(client.closed()).toBe(true));
  await vi.waitFor(async () => expect((await edge.ledger()).refused).toEqual({ aborted: 1 }));
});

test('a port that is taken is named, together with what changes it', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await vi.waitFor(() => expect(other.listening).toBe(true));
  const { port } = other.address() as AddressInfo;
  const { edge } = await prepareEdge({ port });
  await expect(edge.start()).rejects.toThrow(
    new RegExp(`^Cannot open port ${port} of 127.0.0.1: .*EADDRINUSE.* Change it with HOOKWATCH_EDGE_PORT.$`),
  );
  other.close();
});

test('a disk that hangs does not keep the edge from stopping', async () => {
  const edge = await startTestEdge({ limits: { drainMs: 20 } });
  edge.log.hold();
  const client = rawClient(edge.port);
  client.send(request);
  await vi.waitFor(() => expect(edge.log.batches).toHaveLength(2));
  await edge.stop();
  expect(client.received()).not.toContain('202');
});
