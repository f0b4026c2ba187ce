import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type EngineProcessOptions, engineEnvironment } from '../../../services/ports/warehouse/chdb/start-engine.ts';

export const passwords = { analyst: 'analyst-password', hookwatch: 'hookwatch-password' };

/** An engine in a process of its own, on a folder of its own. */
export interface EngineProcess {
  readonly url: string;
  readonly dataFolder: string;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts again on the same folder; the URL changes. */
  restart(): Promise<void>;
  /** Ends it and removes the folder. */
  dispose(): Promise<void>;
}

const threads = 16;
const script = fileURLToPath(new URL('engine-child.ts', import.meta.url));

export async function startEngineProcess(options: Partial<EngineProcessOptions> = {}): Promise<EngineProcess> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'hookwatch-engine-'));
  let child: ChildProcess | undefined;
  let url = '';

  async function start(): Promise<void> {
    const users: EngineProcessOptions['users'] = [
      { name: 'analyst', password: passwords.analyst, rights: 'analyst' },
      { name: 'hookwatch', password: passwords.hookwatch, rights: 'writer' },
    ];
    const all = { dataFolder, host: '127.0.0.1', port: 0, users, threads, ...options };
    const env = { ...process.env, ...engineEnvironment(threads), ENGINE_OPTIONS: JSON.stringify(all) };
    child = spawn(process.execPath, [script], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    url = await readUrl(child);
  }

  async function kill(): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  await start();
  return {
    get url() {
      return url;
    },
    dataFolder,
    kill,
    async restart() {
      await kill();
      await start();
    },
    async dispose() {
      await kill();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
}

async function readUrl(child: ChildProcess): Promise<string> {
  let output = '';
  for await (const chunk of child.stdout!) {
    output += chunk;
    const found = /^ready (\S+)$/m.exec(output)?.[1];
    if (found) return found;
  }
  throw new Error(`Cannot start the engine: it ended with ${child.exitCode}; it said: ${output}`);
}
