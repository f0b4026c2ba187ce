import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import * as https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import type { EdgeLimits } from './limits.ts';

/** An HTTP server that stands up to slow and rude clients. */
export interface EdgeServer {
  /** Resolves with the URL once the port is open. Port 0 lets the system choose. */
  listen(host: string, port: number): Promise<string>;
  /** New connections get this certificate; those that are open go on. Only where there was one from the beginning. */
  secure(certificate: ServerCertificate): void;
  /** Takes no new connections, answers what is in flight, closes. After `drainMs` it closes whatever is left. */
  close(): Promise<void>;
}

/** In PEM. */
export interface ServerCertificate {
  cert: Buffer;
  key: Buffer;
}

/** The port of an edge cannot be opened. */
export class PortError extends Error {
  readonly code = 'PORT_UNAVAILABLE';
}

/** Sockets that were given up because their request came too slowly. */
const slowSockets = new WeakSet<Socket>();

export function timedOut(incoming: IncomingMessage): boolean {
  return slowSockets.has(incoming.socket);
}

export interface EdgeServerOptions {
  // biome-ignore lint/suspicious/noExplicitAny: any bindings will do
  app: Hono<any>;
  limits: EdgeLimits;
  /** What changes the port, for the message when it is taken. */
  setting: string;
  /** Takes whatever the Host header says: no route looks at it, and an odd one must not cost a delivery. */
  anyHost: boolean;
  /** With it the port speaks TLS, and nothing else. */
  certificate?: ServerCertificate | undefined;
}

export function createEdgeServer({ app, limits, setting, anyHost, certificate }: EdgeServerOptions): EdgeServer {
  let closing = false;
  const sockets = new Set<Socket>();
  const server = createAdaptorServer({
    fetch: app.fetch,
    hostname: 'localhost',
    overrideGlobalObjects: false,
    // Bodies are read or drained by the routes themselves.
    autoCleanupIncoming: false,
    createServer: ((options: object, listener: Listener) => {
      const merged = { ...options, ...serverOptions(limits) };
      const created = certificate
        ? https.createServer(
            { ...merged, ...tlsOptions(certificate), handshakeTimeout: limits.headersTimeoutMs },
            serve,
          )
        : createServer(merged, serve);
      // Whoever expects 100-continue gets it only once the request's head has been accepted.
      created.on('checkContinue', serve);
      created.on('checkExpectation', serve);
      return created;

      function serve(incoming: IncomingMessage, outgoing: ServerResponse) {
        if (anyHost) incoming.headers.host = 'edge';
        if (closing) outgoing.shouldKeepAlive = false;
        listener(incoming, outgoing);
      }
    }) as typeof createServer,
  }) as Server;
  server.maxConnections = limits.connectionsMax;
  // What is not TLS cannot be answered either. Without this it would be, in the clear, as a client error.
  server.on('tlsClientError', (_, socket: Socket) => socket.destroy());
  server.on('clientError', answerClientError);
  // Those below TLS too: the server itself knows no connection before its handshake is over.
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  return {
    listen: (host, port) => listen(server, host, port, setting, certificate ? 'https' : 'http'),
    secure: (renewed) => (server as https.Server).setSecureContext(tlsOptions(renewed)),
    async close() {
      closing = true;
      if (!server.listening) return;
      const deadline = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, limits.drainMs);
      // A connection whose last answer was begun before the end is kept alive, and falls idle only after it.
      const idle = setInterval(() => server.closeIdleConnections(), limits.sweepIntervalMs);
      await new Promise<void>((resolve) => server.close(() => resolve()));
      clearTimeout(deadline);
      clearInterval(idle);
    },
  };
}

type Listener = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

function serverOptions(limits: EdgeLimits) {
  return {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, limits.requestTimeoutMs),
    // A sender of 2015 leaves the Host header out.
    requireHostHeader: false,
  };
}

function tlsOptions({ cert, key }: ServerCertificate) {
  return { cert, key, minVersion: 'TLSv1.2' } as const;
}

function listen(server: Server, host: string, port: number, setting: string, scheme: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) =>
      reject(
        new PortError(`Cannot open port ${port} of ${host}: ${cause.message}. Change it with ${setting}.`, { cause }),
      );
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      const { address, family, port: opened } = server.address() as AddressInfo;
      resolve(`${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${opened}`);
    });
  });
}

/** What is no HTTP, or too slow to be taken for it, is told so and disconnected. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  const slow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  if (slow) slowSockets.add(socket);
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, text] = slow
    ? ['408 Request Timeout', 'request too slow']
    : error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'headers too large']
      : ['400 Bad Request', 'malformed HTTP'];
  const body = JSON.stringify({ error: text });
  socket.write(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  socket.destroySoon();
}
