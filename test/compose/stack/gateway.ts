/**
 * The machine that containers run on, as they see it: a process in a network namespace of its own with a bridge per
 * network, a name server on each, published ports, and one address of the world outside. It leaves nothing behind: the
 * namespace ends with it, and it ends with whoever started it.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { startNameServer } from './dns.ts';

export interface GatewayNetwork {
  bridge: string;
  /** The gateway's own address in it. */
  address: string;
  prefix: number;
}

export interface GatewayPlan {
  networks: GatewayNetwork[];
  /** Removed at the end. */
  folder: string;
  /** A socket of this path takes connections to addresses in here: a line `host port`, then bytes. */
  tunnel: string;
  /** Where the world outside takes requests, all of them with 200. */
  outside: { address: string; port: number };
}

export type GatewayRequest =
  /** Who asks by an address gets the addresses of a name. */
  | { kind: 'names'; views: Record<string, Record<string, string[]>> }
  | { kind: 'publish'; host: string; port: number; to: { address: string; port: number } };

export type GatewayReport =
  | { kind: 'ready' }
  | { kind: 'done'; error?: string }
  | { kind: 'received'; path: string; body: string };

const plan: GatewayPlan = JSON.parse(process.argv[2] ?? '');
/** By address and port: containers come and go behind a published port. */
const published = new Map<string, { address: string; port: number }>();
let views: Record<string, Record<string, string[]>> = {};
/** Whoever asked may have gone meanwhile: without somebody who takes the error it would end this process half-way. */
const report = (message: GatewayReport) => process.send?.(message, undefined, undefined, () => {});
const ip = (...args: string[]) => execFileSync('ip', args);

function prepareNetworks(): void {
  ip('link', 'set', 'lo', 'up');
  ip('address', 'add', `${plan.outside.address}/32`, 'dev', 'lo');
  for (const { bridge, address, prefix } of plan.networks) {
    ip('link', 'add', bridge, 'type', 'bridge');
    ip('address', 'add', `${address}/${prefix}`, 'dev', bridge);
    ip('link', 'set', bridge, 'up');
  }
  // Networks do not see each other.
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '0');
}

function join(client: Socket, upstream: Socket): void {
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
    one.pipe(other);
  }
}

async function openTunnel(): Promise<void> {
  const server = createServer((client) => {
    client.once('readable', () => {
      // The line comes in one write, before anything else.
      const chunk: Buffer = client.read();
      const end = chunk.indexOf('\n');
      const [host = '', port] = chunk.toString('latin1', 0, end).split(' ');
      client.unshift(chunk.subarray(end + 1));
      join(client, connect(Number(port), host));
    });
  });
  await once(server.listen(plan.tunnel), 'listening');
}

async function openOutside(): Promise<void> {
  const server = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      report({ kind: 'received', path: request.url ?? '', body: Buffer.concat(chunks).toString() });
      response.end();
    });
  });
  await once(server.listen(plan.outside.port, plan.outside.address), 'listening');
}

async function perform(request: GatewayRequest): Promise<void> {
  if (request.kind === 'names') {
    views = request.views;
    return;
  }
  const place = `${request.host}:${request.port}`;
  const known = published.has(place);
  published.set(place, request.to);
  if (known) return;
  const server = createServer((client) => {
    const { address, port } = published.get(place)!;
    join(client, connect(port, address));
  });
  await once(server.listen(request.port, request.host), 'listening');
}

process.on('disconnect', () => {
  // What ran in containers ends with the same process that this one ends with; it may be a moment behind.
  rmSync(plan.folder, { recursive: true, force: true, maxRetries: 10 });
  process.exit();
});
process.on('message', (request: GatewayRequest) => {
  perform(request).then(
    () => report({ kind: 'done' }),
    (error) => report({ kind: 'done', error: String(error) }),
  );
});
prepareNetworks();
for (const { address } of plan.networks) {
  await startNameServer(address, (name, asker) => views[asker]?.[name]);
}
await openTunnel();
await openOutside();
report({ kind: 'ready' });
