/** Processes that a bench starts: each is ended by its own handle, whatever happens. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Child extends AsyncDisposable {
  readonly process: ChildProcess;
  /** Resolves with the first match in what it prints; rejects when it ends before, or does not print it in time. */
  printed(pattern: RegExp, msMax?: number): Promise<string>;
}

export interface ChildOptions {
  /** The program; this Node unless given. */
  command?: string;
  env?: Record<string, string>;
  /** Number of the core that it may use, where the machine can tell processes so. */
  core?: number;
  /** Opens a channel for messages. */
  ipc?: boolean;
}

export const hookwatch = fileURLToPath(new URL('../services/hookwatch.ts', import.meta.url));
const drainMsMax = 20_000;
const startMsMax = 30_000;

/** True where a process can be held to one core and another one is left. */
export const canPin = availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0;

/** Starts a program; what it says on stderr comes through. */
export function startChild(
  args: readonly string[],
  { command = process.execPath, env = {}, core, ipc = false }: ChildOptions = {},
): Child {
  const pinned = [...(core !== undefined && canPin ? ['taskset', '--cpu-list', String(core)] : []), command, ...args];
  const child = spawn(pinned[0]!, pinned.slice(1), {
    stdio: ['ignore', 'pipe', 'inherit', ...(ipc ? ['ipc' as const] : [])],
    env: { ...process.env, ...env },
  });
  let output = '';
  const waiting = new Set<() => void>();
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    for (const look of waiting) look();
  });
  return {
    process: child,
    printed: (pattern, msMax = startMsMax) =>
      new Promise((resolve, reject) => {
        const fail = (what: string) => () =>
          reject(new Error(`${args.join(' ')} ${what} before it printed ${pattern}`));
        const timer = setTimeout(fail(`took longer than ${msMax} ms`), msMax);
        const look = () => {
          const found = pattern.exec(output);
          if (!found) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(found[1] ?? found[0]);
        };
        waiting.add(look);
        child.once('exit', fail('ended'));
        look();
      }),
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), drainMsMax);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** A folder of its own that is gone at the end. */
export function temporaryFolder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'hookwatch-bench-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
