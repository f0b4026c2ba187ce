import { generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { centurylinkEvents } from '../../services/core/providers/centurylink/event-names.ts';
import type { Item } from '../../services/simulator/item.ts';
import { generateScenario, type ScenarioOptions } from '../../services/simulator/scenario.ts';
import type { SimulationTenant } from '../../services/simulator/simulate.ts';

/** An arbitrary moment, at a whole second. */
export const startMs = Date.UTC(2026, 2, 1, 12, 0, 0);

export function scenarioOf(options: Partial<ScenarioOptions> = {}): Item[] {
  return [...generateScenario({ seed: 1, startMs, rate: 50, seconds: 60, root: 'NWND', ...options })];
}

export function parseBody(item: Item) {
  return JSON.parse(item.body.toString());
}

/** Account of a Server body: only the links tell it. */
export function accountInLinks(body: { links: { rel: string; href: string }[] }): string {
  const href = body.links.find(({ rel }) => rel === 'account')!.href;
  return href.split('/').at(-1)!.toUpperCase();
}

export function itemOf(fields: Partial<Item> = {}): Item {
  return { atMs: 0, event: 'Server.Created', account: 'A', subject: 'S', body: Buffer.from('{"a":1}'), ...fields };
}

export function tenantOf(fields: Partial<SimulationTenant> = {}): SimulationTenant {
  const endpoints = centurylinkEvents.map((event) => {
    const name = event.toLowerCase().replace('.', '-');
    return { name, provider: 'centurylink', event, account: 'NWND', recursive: true, token: `demo-${name}` };
  });
  return { name: 'northwind', demo: true, roots: ['centurylink:NWND'], endpoints, ...fields };
}

export function createKeys() {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}

export interface Received {
  path: string;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

export type Answer = (response: ServerResponse, received: Received, count: number) => void;

export const accept: Answer = (response, _, count) => {
  response.writeHead(202, { 'Content-Type': 'application/json' }).end(JSON.stringify({ id: `id-${count}` }));
};

/** A receiver on a port of its own that keeps all it got; gone when the test has finished. */
export async function startReceiver(answer: Answer = accept) {
  const received: Received[] = [];
  const sockets = new Set<unknown>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const entry = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) };
      received.push(entry);
      answer(response, entry, received.length);
    });
  });
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, received, sockets };
}

/** A port on which nothing listens. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
