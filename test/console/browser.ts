import type { AddressInfo } from 'node:net';
import { type ServerType, serve } from '@hono/node-server';
import { type Browser, chromium } from 'playwright-core';
import { chromiumNames, findChromium } from '../../scripts/programs.ts';
import type { Console } from '../../services/console/console.ts';

export async function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath) {
    throw new Error(`Cannot find a browser: none of ${chromiumNames.join(', ')} is on PATH and CHROMIUM is not set`);
  }
  return await chromium.launch({
    executablePath,
    // It refuses to run as root.
    chromiumSandbox: process.getuid?.() !== 0,
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Serves a started console on a port of the loopback interface; 0 lets the system choose. */
export async function serveConsole(
  console: Console,
  port = 0,
): Promise<{ url: string; port: number; stop(): Promise<void> }> {
  const server = await new Promise<ServerType>((resolve) => {
    const created = serve({ fetch: console.app.fetch, hostname: '127.0.0.1', port }, () => resolve(created));
  });
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    async stop() {
      await console.stop();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      });
    },
  };
}
