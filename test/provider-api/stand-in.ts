/** A stand-in of a provider's API: an HTTP server on loopback that remembers what it was asked, and fails as planned. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Asked {
  method: string;
  /** With its query. */
  path: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
  /** Milliseconds of a monotonic clock. */
  atMs: number;
}

export interface Answer {
  status: number;
  json?: unknown;
}

export type Fault =
  | { do: 'answer'; status: number; headers?: Record<string, string>; text?: string }
  /** Never an answer. */
  | { do: 'stall' }
  /** The connection is gone before a byte. */
  | { do: 'reset' }
  /** The connection is gone in the middle of the right answer. */
  | { do: 'cut' }
  /** So many bytes of a JSON text that does not end. */
  | { do: 'flood'; bytes: number }
  /** The right thing is done, and its answer is lost. */
  | { do: 'lose' };

/** Takes effect on the next `times` requests (default 1) whose `METHOD path` begins with `on` (default: any). */
export type PlannedFault = Fault & { on?: string; times?: number };

export interface StandIn {
  url: string;
  asked: Asked[];
  /** Requests as `METHOD path`. */
  calls(): string[];
  fail(...faults: PlannedFault[]): void;
}

/** Ends with the test. `answer` is asked at the moment of the request, before a fault takes effect. */
export async function startStandIn(answer: (asked: Asked) => Answer): Promise<StandIn> {
  const asked: Asked[] = [];
  const planned: { fault: PlannedFault; left: number }[] = [];

  function faultOf(call: string): Fault | undefined {
    const plan = planned.find(({ fault, left }) => left > 0 && call.startsWith(fault.on ?? ''));
    if (plan) plan.left--;
    return plan?.fault;
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = '', url = '', headers } = request;
    const now = { method, path: url, headers, body: Buffer.concat(chunks).toString(), atMs: performance.now() };
    asked.push(now);
    const fault = faultOf(`${method} ${url}`);
    if (!fault) send(response, answer(now));
    else if (fault.do === 'lose' || fault.do === 'cut') spoil(response, fault, answer(now));
    else spoil(response, fault, { status: 200 });
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error) => response.destroy(error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    calls: () => asked.map(({ method, path }) => `${method} ${path}`),
    fail: (...faults) => planned.push(...faults.map((fault) => ({ fault, left: fault.times ?? 1 }))),
  };
}

function send(response: ServerResponse, { status, json }: Answer): void {
  if (json === undefined) response.writeHead(status).end();
  else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
}

function spoil(response: ServerResponse, fault: Fault, right: Answer): void {
  if (fault.do === 'answer') response.writeHead(fault.status, fault.headers).end(fault.text);
  else if (fault.do === 'flood') flood(response, fault.bytes);
  else if (fault.do === 'cut') cut(response, right);
  else if (fault.do !== 'stall') response.socket?.destroy();
}

function cut(response: ServerResponse, { status, json }: Answer): void {
  const text = JSON.stringify(json);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.write(text.slice(0, text.length / 2), () => response.socket?.destroy());
}

function flood(response: ServerResponse, bytes: number): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(`["${'x'.repeat(bytes)}`);
}
