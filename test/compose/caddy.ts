/** A Caddy on loopback with the shipped Caddyfile, or with another one, in front of edges of the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get, type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, vi } from 'vitest';
import { claimPorts } from '../../services/supervisor/ports.ts';
import { toolPath } from './tools.ts';

export const caddyfile = fileURLToPath(new URL('../../dashboards/caddy/Caddyfile', import.meta.url));

export interface Caddy {
  /** `https://localhost:<port>`: the name that its certificate is for. */
  readonly url: string;
  readonly port: number;
  /** Of the redirection. */
  readonly httpPort: number;
  readonly metricsUrl: string;
  /** File of its own authority's root, in PEM. */
  readonly caFile: string;
  /** Everything logged so far. */
  log(): readonly string[];
  post(path: string, body: string | Buffer, options?: RequestOptions): Promise<CaddyAnswer>;
}

export interface CaddyAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/**
 * Starts it, and resolves when it answers; it ends with the test. `edges` are `host:port`; `change` makes another
 * Caddyfile of the shipped one. Answers of Caddy's own to other paths are 404, edges or not.
 */
export async function startCaddy(edges: readonly string[], change = (text: string) => text): Promise<Caddy> {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-caddy-'));
  const file = join(folder, 'Caddyfile');
  writeFileSync(file, change(readFileSync(caddyfile, 'utf8')));
  const names = ['HTTP_PORT', 'HTTPS_PORT', 'ADMIN', 'METRICS'];
  const { ports } = await claimPorts('127.0.0.1', names.map((setting) => ({ port: 0, setting }))); // biome-ignore format: one thought
  const [httpPort, port, admin, metrics] = ports as [number, number, number, number];
  const env = {
    HOME: folder,
    XDG_DATA_HOME: join(folder, 'data'),
    HOOKWATCH_ACME_EMAIL: '',
    HOOKWATCH_EDGES: edges.join(' '),
    HOOKWATCH_CADDY_BIND: '127.0.0.1',
    HOOKWATCH_CADDY_HTTP_PORT: String(httpPort),
    HOOKWATCH_CADDY_HTTPS_PORT: String(port),
    HOOKWATCH_CADDY_ADMIN: `127.0.0.1:${admin}`,
    HOOKWATCH_CADDY_METRICS: `:${metrics}`,
  };
  const configuration = ['--adapter', 'caddyfile', '--config', file];
  const child = spawn(toolPath('caddy'), ['run', ...configuration], { stdio: ['ignore', 'ignore', 'pipe'], env });
  const log: string[] = [];
  createInterface({ input: child.stderr! }).on('line', (line) => log.push(line));
  onTestFinished(() => end(child, folder));
  const caFile = join(folder, 'data', 'caddy', 'pki', 'authorities', 'local', 'root.crt');
  const url = `https://localhost:${port}`;
  await vi.waitFor(() => answers(child, `${url}/`, caFile, log), { timeout: 20_000, interval: 50 });
  return {
    url,
    port,
    httpPort,
    metricsUrl: `http://127.0.0.1:${metrics}/metrics`,
    caFile,
    log: () => log,
    post: (path, body, options = {}) => post(new URL(path, url), body, { ca: readFileSync(caFile), ...options }),
  };
}

async function answers(child: ChildProcess, url: string, caFile: string, log: readonly string[]): Promise<void> {
  if (child.exitCode !== null) throw new Error(`Caddy ended with ${child.exitCode}:\n${log.join('\n')}`);
  const [response] = await once(get(url, { ca: readFileSync(caFile), family: 4, agent: false }), 'response');
  response.resume();
  expect(response.statusCode).toBe(404);
}

async function post(url: URL, body: string | Buffer, options: RequestOptions): Promise<CaddyAnswer> {
  const outgoing = request(url, { method: 'POST', family: 4, agent: false, ...options });
  outgoing.end(body);
  const [response] = await once(outgoing, 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, headers: response.headers, text };
}

async function end(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
}
