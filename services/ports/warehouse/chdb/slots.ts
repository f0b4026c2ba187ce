import { refuse } from './exception.ts';

/** How many queries run and wait at once. */
export interface SlotLimits {
  running: number;
  /** Of those running; leaves room for the writer, so that no dashboard holds up the sink. */
  runningAnalysts: number;
  waiting: number;
  waitMs: number;
}

interface Waiter {
  analyst: boolean;
  start(): void;
  give(error: Error): void;
}

/** Lets so many queries run; the others wait in line, writers first, up to a limit. */
export interface Slots {
  /**
   * Runs `work` when there is room.
   * @throws ClickHouseException TOO_MANY_SIMULTANEOUS_QUERIES when the line is full or the wait too long.
   */
  run<T>(analyst: boolean, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

export function createSlots(limits: SlotLimits): Slots {
  const line: Waiter[] = [];
  let running = 0;
  let analysts = 0;

  const fits = (analyst: boolean) => running < limits.running && (!analyst || analysts < limits.runningAnalysts);

  function startNext(): void {
    const index = line.findIndex((waiter) => !waiter.analyst && fits(false));
    const next = index >= 0 ? index : line.findIndex((waiter) => fits(waiter.analyst));
    if (next >= 0) line.splice(next, 1)[0]!.start();
  }

  function enter(analyst: boolean): void {
    running++;
    if (analyst) analysts++;
  }

  function leave(analyst: boolean): void {
    running--;
    if (analyst) analysts--;
    startNext();
  }

  function wait(analyst: boolean, signal: AbortSignal): Promise<void> {
    if (line.length >= limits.waiting) throw tooMany(`${line.length} more are waiting`);
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        const index = line.indexOf(waiter);
        if (index >= 0) line.splice(index, 1);
      };
      const waiter: Waiter = {
        analyst,
        start() {
          settle();
          enter(analyst);
          resolve();
        },
        give(error) {
          settle();
          reject(error);
        },
      };
      const abort = () => waiter.give(signal.reason as Error);
      const timer = setTimeout(() => waiter.give(tooMany(`waited ${limits.waitMs} ms`)), limits.waitMs);
      signal.addEventListener('abort', abort, { once: true });
      line.push(waiter);
    });
  }

  return {
    async run(analyst, signal, work) {
      signal.throwIfAborted();
      if (fits(analyst)) enter(analyst);
      else await wait(analyst, signal);
      try {
        return await work();
      } finally {
        leave(analyst);
      }
    },
  };

  function tooMany(detail: string): Error {
    return refuse('TOO_MANY_SIMULTANEOUS_QUERIES', `Too many simultaneous queries: ${running} are running, ${detail}`);
  }
}
