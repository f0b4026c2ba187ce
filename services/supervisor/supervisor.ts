/**
 * Supervision: each part is a process of its own. One that dies is started again, later and later; at the end they are
 * drained in order, so that what one hands on the next still takes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Logger } from 'pino';
import { environment } from '../config.ts';

export interface PartOptions {
  name: string;
  /** Arguments behind the executable of this Node. */
  args: string[];
  env?: Record<string, string>;
  /** How long it may take to drain before it is killed. */
  drainMsMax?: number;
}

export interface SupervisorOptions {
  /** In the order in which they are drained. */
  parts: PartOptions[];
  logger: Logger;
  backoffMsMin?: number;
  backoffMsMax?: number;
}

/** What a part tells of itself once it works: where it can be reached. */
export interface PartReady {
  kind: 'ready';
  urls: Record<string, string>;
}

export interface Supervisor {
  /** Starts all parts; resolves when every one of them works. Rejects when one dies before it ever did. */
  start(): Promise<Record<string, string>>;
  /** Process id of a part, while it runs. */
  pid(name: string): number | undefined;
  stop(): Promise<void>;
}

interface Part extends PartOptions {
  child: ChildProcess | undefined;
  startedAt: number;
  failures: number;
  timer: NodeJS.Timeout | undefined;
}

/** A part that has worked for so long starts again at once when it dies. */
const steadyMs = 60_000;

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { logger, backoffMsMin = 100, backoffMsMax = 10_000 } = options;
  const parts = options.parts.map(
    (part): Part => ({ ...part, child: undefined, startedAt: 0, failures: 0, timer: undefined }),
  );
  let stopping = false;

  /** Resolves with the part's URLs; rejects when it ends before it was ready. */
  function launch(part: Part): Promise<Record<string, string>> {
    const child = spawn(process.execPath, part.args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...environment, ...part.env },
    });
    part.child = child;
    part.startedAt = performance.now();
    return new Promise((resolve, reject) => {
      child.on('message', (message: PartReady) => {
        if (message.kind === 'ready') resolve(message.urls);
      });
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        part.child = undefined;
        reject(new Error(`${part.name} ended with ${signal ?? `exit code ${code}`} before it was ready`));
      });
    });
  }

  function keepAlive(part: Part): void {
    part.child?.once('exit', (code, signal) => {
      if (stopping) return;
      part.failures = performance.now() - part.startedAt > steadyMs ? 0 : part.failures + 1;
      const delayMs = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.max(0, part.failures - 1));
      logger.error({ part: part.name, code, signal, delayMs }, 'part died; it is started again');
      part.timer = setTimeout(() => {
        launch(part).catch((error) => logger.error({ part: part.name, err: error }, 'part did not come up'));
        keepAlive(part);
      }, delayMs);
    });
  }

  async function drain(part: Part): Promise<void> {
    clearTimeout(part.timer);
    const { child } = part;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => {
      logger.error({ part: part.name }, 'part does not drain in time; it is killed');
      child.kill('SIGKILL');
    }, part.drainMsMax ?? 15_000);
    await exited;
    clearTimeout(timer);
  }

  async function stop(): Promise<void> {
    stopping = true;
    for (const part of parts) await drain(part);
  }

  return {
    async start() {
      const started = parts.map(launch);
      try {
        const urls = await Promise.all(started);
        if (!stopping) for (const part of parts) keepAlive(part);
        return Object.assign({}, ...urls) as Record<string, string>;
      } catch (error) {
        await stop();
        throw error;
      }
    },
    pid: (name) => parts.find((part) => part.name === name)?.child?.pid,
    stop,
  };
}
