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
  /** Longest pause before it is started again. */
  backoffMsMax?: number;
}

export interface SupervisorOptions {
  /** In the order in which they are drained. */
  parts: PartOptions[];
  logger: Logger;
  /** Pause before a part is started again; it doubles with every death in a row. */
  backoffMsMin?: number;
  /** A part that has run for so long before it dies begins with the shortest pause again. */
  steadyMs?: number;
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
  /** Has a part read again what may change while it works. One that does not work yet will read it anyway. */
  reload(name: string): void;
  /** Drains the parts one after the other; none is started again. */
  stop(): Promise<void>;
}

interface Part extends PartOptions {
  child: ChildProcess | undefined;
  startedAt: number;
  /** The child works. Before that a signal would end it. */
  ready: boolean;
  /** It has worked at least once. */
  proven: boolean;
  deathsInARow: number;
  timer: NodeJS.Timeout | undefined;
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { logger, backoffMsMin = 100, steadyMs = 60_000 } = options;
  const parts = options.parts.map(
    (part): Part => ({
      ...part,
      child: undefined,
      startedAt: 0,
      ready: false,
      proven: false,
      deathsInARow: 0,
      timer: undefined,
    }),
  );
  let stopping: Promise<void> | undefined;

  /** Resolves with the part's URLs; rejects when it ends before it was ready. */
  function launch(part: Part): Promise<Record<string, string>> {
    const child = spawn(process.execPath, part.args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...environment, ...part.env },
      // A group of its own: Ctrl-C goes to every process of the terminal's group, and would end all parts at once.
      detached: true,
    });
    part.child = child;
    part.startedAt = performance.now();
    part.ready = false;
    logger.info({ part: part.name, process: child.pid }, 'part started');
    return new Promise((resolve, reject) => {
      child.on('message', ({ kind, urls }: PartReady) => {
        if (kind !== 'ready') return;
        part.ready = true;
        part.proven = true;
        logger.info({ part: part.name, process: child.pid, urls }, 'part works');
        resolve(urls);
      });
      const end = (how: string) => {
        part.child = undefined;
        if (part.proven && !stopping) startAgain(part, how);
        reject(new Error(`${part.name} ended with ${how} before it was ready`));
      };
      child.on('exit', (code, signal) => end(signal ?? `exit code ${code}`));
      child.on('error', (error) => {
        // What could not be spawned has no exit.
        if (child.pid === undefined) end(error.message);
      });
    });
  }

  function startAgain(part: Part, how: string): void {
    const steady = performance.now() - part.startedAt >= steadyMs;
    part.deathsInARow = steady ? 1 : part.deathsInARow + 1;
    const delayMs = Math.min(part.backoffMsMax ?? 10_000, backoffMsMin * 2 ** (part.deathsInARow - 1));
    logger.error({ part: part.name, how, delayMs }, 'part died; it is started again');
    part.timer = setTimeout(() => {
      launch(part).catch(() => {}); // Its end is logged here, each time.
    }, delayMs);
  }

  async function drain(part: Part): Promise<void> {
    const { child } = part;
    if (!child) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => {
      logger.error({ part: part.name }, 'part does not drain in time; it is killed');
      child.kill('SIGKILL');
    }, part.drainMsMax ?? 15_000);
    await exited;
    clearTimeout(timer);
  }

  async function drainAll(): Promise<void> {
    for (const part of parts) clearTimeout(part.timer);
    for (const part of parts) await drain(part);
  }

  function stop(): Promise<void> {
    stopping ??= drainAll();
    return stopping;
  }

  return {
    async start() {
      try {
        return Object.assign({}, ...(await Promise.all(parts.map(launch)))) as Record<string, string>;
      } catch (error) {
        await stop();
        throw error;
      }
    },
    pid: (name) => parts.find((part) => part.name === name)?.child?.pid,
    reload(name) {
      const part = parts.find((candidate) => candidate.name === name);
      if (part?.ready) part.child?.kill('SIGHUP');
    },
    stop,
  };
}
