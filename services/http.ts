/** Serving a Hono app, and the three routes that every process has. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import type { Registry } from './telemetry.ts';

export interface Served {
  url: string;
  close(): Promise<void>;
}

/** Listens; rejects when the port is taken. `close` ends open streams too. */
export async function serve(app: Hono, host: string, port: number): Promise<Served> {
  const server = createAdaptorServer({ fetch: app.fetch });
  server.listen(port, host);
  await once(server, 'listening');
  const { port: actual } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      if ('closeAllConnections' in server) server.closeAllConnections();
      await closed;
    },
  };
}

/**
 * `/healthz`: the process lives. `/readyz`: it does its work; else 503 and why not. `/metrics`: Prometheus. These three
 * answer whatever the Host header says, for scrapers and balancers call under names of their own; all other routes are
 * `rest`'s, behind whatever guards it.
 */
export function createStatusApp(registry: Registry, troubles: () => string[], rest: Hono = new Hono()): Hono {
  const app = new Hono();
  app.get('/healthz', (c) => c.text('ok\n'));
  app.get('/readyz', (c) => {
    const found = troubles();
    return found.length === 0 ? c.text('ready\n') : c.text(`${found.join('\n')}\n`, 503);
  });
  app.get('/metrics', async (c) => c.body(await registry.metrics(), 200, { 'content-type': registry.contentType }));
  app.route('/', rest);
  return app;
}
