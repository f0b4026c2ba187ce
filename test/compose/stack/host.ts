/** The machine of the imitation, from outside of it: requests to addresses in it, names, published ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import type { GatewayNetwork, GatewayPlan, GatewayReport, GatewayRequest } from './gateway.ts';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface RequestOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** Certificate in PEM that is trusted instead of the usual ones. */
  ca?: string;
}

export interface Host {
  readonly pid: number;
  /** Of the world outside, where `received` is filled. */
  readonly outsideUrl: string;
  /** What was sent to `outsideUrl`, in order. */
  readonly received: { path: string; body: string }[];
  /** As a program on this machine would: a published port is at its own number, on the address it is bound to. */
  request(url: string, options?: RequestOptions): Promise<Answer>;
  /** For each address that asks, the addresses of each name that it knows. */
  setNames(views: Record<string, Record<string, string[]>>): Promise<void>;
  /** The same once more leads to another address from then on. */
  publish(host: string, port: number, to: { address: string; port: number }): Promise<void>;
  /** Ends it and removes its folder. */
  close(): Promise<void>;
}

const requestMsMax = 30_000;
/** TEST-NET-3 of RFC 5737: in nobody's network. */
const outside = { address: '203.0.113.1', port: 9099 };

/** `folder` is its own from now on: it is removed even where nobody lives to close it. */
export async function startHost(folder: string, networks: GatewayNetwork[]): Promise<Host> {
  const plan: GatewayPlan = { networks, folder, tunnel: join(folder, 'tunnel.sock'), outside };
  const program = fileURLToPath(new URL('gateway.ts', import.meta.url));
  const gateway = spawn('unshare', ['--net', process.execPath, program, JSON.stringify(plan)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const received: Host['received'] = [];
  gateway.on('message', (message: GatewayReport) => {
    if (message.kind === 'received') received.push({ path: message.path, body: message.body });
  });
  const complaints = text(gateway.stderr!);
  const ended = once(gateway, 'exit').then(async () => {
    throw new Error(`The gateway has ended; it printed:\n${await complaints}`);
  });
  ended.catch(() => {});
  await Promise.race([reportOf(gateway, 'ready'), ended]);

  // One at a time: an answer names no request.
  let last: Promise<unknown> = Promise.resolve();
  const ask = (request: GatewayRequest) => {
    const asked = last.then(async () => {
      const done = reportOf(gateway, 'done');
      // Where it cannot be sent the gateway has ended, and that is told below.
      gateway.send(request, () => {});
      const { error } = await Promise.race([done, ended]);
      if (error) throw new Error(`The gateway cannot do ${JSON.stringify(request)}: ${error}`);
    });
    last = asked.catch(() => {});
    return asked;
  };
  return {
    pid: gateway.pid!,
    outsideUrl: `http://${outside.address}:${outside.port}`,
    received,
    request: (url, options = {}) => requestThrough(plan.tunnel, new URL(url), options),
    setNames: (views) => ask({ kind: 'names', views }),
    publish: (host, port, to) => ask({ kind: 'publish', host, port, to }),
    async close() {
      const closed = once(gateway, 'exit');
      gateway.disconnect();
      const [code] = await closed;
      if (code !== 0) throw new Error(`The gateway has ended with ${code}; it printed:\n${await complaints}`);
    },
  };
}

/** Listens before it returns: what comes in the same moment is not missed. */
function reportOf<K extends GatewayReport['kind']>(gateway: ChildProcess, kind: K) {
  return new Promise<Extract<GatewayReport, { kind: K }>>((resolve) => {
    const listen = (message: GatewayReport) => {
      if (message.kind !== kind) return;
      gateway.off('message', listen);
      resolve(message as Extract<GatewayReport, { kind: K }>);
    };
    gateway.on('message', listen);
  });
}

async function requestThrough(tunnel: string, url: URL, options: RequestOptions): Promise<Answer> {
  const { method = options.body === undefined ? 'GET' : 'POST', headers = {}, body, ca } = options;
  const secure = url.protocol === 'https:';
  const port = Number(url.port || (secure ? 443 : 80));
  const plain = connect(tunnel);
  plain.write(`${url.hostname} ${port}\n`);
  const socket: Socket = secure ? connectTls({ socket: plain, servername: url.hostname, ca }) : plain;
  try {
    const request = httpRequest({
      method,
      host: url.hostname,
      port,
      path: `${url.pathname}${url.search}`,
      headers: { host: url.host, connection: 'close', ...headers },
      auth: url.username ? `${url.username}:${url.password}` : undefined,
      createConnection: () => socket,
      signal: AbortSignal.timeout(requestMsMax),
    });
    request.end(body);
    const [response] = await once(request, 'response');
    return { status: response.statusCode, headers: response.headers, body: await text(response) };
  } finally {
    socket.destroy();
    plain.destroy();
  }
}
