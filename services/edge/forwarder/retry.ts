import { setTimeout as wait } from 'node:timers/promises';
import type { Trouble } from './trouble.ts';

/** Does something until it succeeds, with growing pauses. Undefined where it is given up, because all of this ends. */
export type Retry = <T>(action: () => Promise<T>) => Promise<T | undefined>;

export interface RetryOptions {
  /** Gives up. */
  signal: AbortSignal;
  trouble: Trouble;
  onFailure?(error: unknown): void;
  pauseMsMin: number;
  pauseMsMax: number;
}

export function createRetry({ signal, trouble, onFailure, pauseMsMin, pauseMsMax }: RetryOptions): Retry {
  const who = {};
  return async (action) => {
    for (let pauseMs = pauseMsMin; !signal.aborted; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
      try {
        const result = await action();
        trouble.end(who);
        return result;
      } catch (error) {
        if (signal.aborted) return undefined;
        trouble.begin(who, error);
        onFailure?.(error);
      }
      await wait(pauseMs, undefined, { signal }).catch(() => {});
    }
    return undefined;
  };
}
