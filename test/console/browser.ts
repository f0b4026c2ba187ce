import { accessSync, constants } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { type ServerType, serve } from '@hono/node-server';
import { type Browser, chromium } from 'playwright-core';
import type { Console } from '../../services/console/console.ts';

const names = ['chromium', 'chromium-browser', 'google-chrome'];

/** Path of the browser: the environment's CHROMIUM, else the first of the usual names on PATH; undefined if none. */
export function findChromium(environment: Record<string, string | undefined> = process.env): string | undefined {
  if (environment.CHROMIUM) return environment.CHROMIUM;
  const folders = (environment.PATH ?? '').split(delimiter).filter(Boolean);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export async function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath) {
    throw new Error(`Cannot find a browser: none of ${names.join(', ')} is on PATH and CHROMIUM is not set`);
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
