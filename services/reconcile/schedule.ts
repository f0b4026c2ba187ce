/** Compares again and again: a while after the last whole comparison, and sooner where one could not go on. */
import { setTimeout as wait } from 'node:timers/promises';
import { explain } from '../commands/failures.ts';

export interface ScheduleOptions {
  /** Between the beginnings of two whole comparisons. */
  everyMs: number;
  /** When the last whole one began, epoch milliseconds; undefined where there was none. */
  lastMs(): number | undefined;
  /** True where it was whole. Rejects where it could not go on. */
  compare(): Promise<boolean>;
  onFailure(message: string): void;
  nowMs: () => number;
  signal: AbortSignal;
  /** Before a comparison that could not go on is tried again; twice as long each time, up to an eighth of `everyMs`. */
  retryMs?: number;
  /** Ends early once the signal is aborted. */
  sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** Resolves once the signal is aborted and what was under way has ended. */
export async function keepComparing(options: ScheduleOptions): Promise<void> {
  const { everyMs, lastMs, compare, onFailure, nowMs, signal, retryMs = 5_000, sleep = pause } = options;
  for (let failures = 0; !signal.aborted; ) {
    const dueMs = (lastMs() ?? Number.NEGATIVE_INFINITY) + everyMs;
    const pauseMs = failures === 0 ? dueMs - nowMs() : Math.min(everyMs / 8, retryMs * 2 ** (failures - 1));
    if (pauseMs > 0) await sleep(Math.min(pauseMs, everyMs), signal);
    if (signal.aborted) return;
    try {
      failures = (await compare()) ? 0 : failures + 1;
    } catch (error) {
      if (signal.aborted) return;
      onFailure(explain(error));
      failures++;
    }
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await wait(milliseconds, undefined, { signal }).catch(() => {});
}
