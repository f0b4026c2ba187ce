import type { Item } from './item.ts';

/** Milliseconds that only go forward, and a way to wait for them; a test brings its own. */
export interface Clock {
  now(): number;
  /** Resolves when `now()` has reached `timeMs`, or at once when `signal` aborts. */
  waitUntil(timeMs: number, signal?: AbortSignal): Promise<void>;
}

export interface PaceOptions {
  clock: Clock;
  /** Takes one item to its outcome; a rejection ends the run. */
  send: (item: Item) => Promise<void>;
  inFlightMax: number;
  /** Called after each item that was begun, with how many are unanswered and how late the item was. */
  onSent?: (state: { inFlight: number; lateMs: number }) => void;
  /** Begins nothing more once aborted; what is in flight is awaited. */
  signal?: AbortSignal;
}

/**
 * Begins each item at its time, whatever became of those before it (open loop): a slow receiver is not spared. Only
 * `inFlightMax` unanswered items hold back the next, which is then late by what `lateMsMax` says.
 * @throws what `send` rejected with first, once nothing is in flight.
 */
export async function pace(items: Iterable<Item>, options: PaceOptions): Promise<{ lateMsMax: number }> {
  const { clock, send, inFlightMax, onSent, signal } = options;
  const startedMs = clock.now();
  const inFlight = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let lateMsMax = 0;
  for (const item of items) {
    const dueMs = startedMs + item.atMs;
    if (clock.now() < dueMs) await clock.waitUntil(dueMs, signal);
    if (inFlight.size >= inFlightMax) await Promise.race(inFlight);
    if (signal?.aborted || failures.length > 0) break;
    const lateMs = Math.max(0, clock.now() - dueMs);
    lateMsMax = Math.max(lateMsMax, lateMs);
    const sending = send(item)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => inFlight.delete(sending));
    inFlight.add(sending);
    onSent?.({ inFlight: inFlight.size, lateMs });
  }
  await Promise.all(inFlight);
  if (failures.length > 0) throw failures[0];
  return { lateMsMax };
}

/** The machine's monotonic clock. */
export function createSystemClock(): Clock {
  return {
    now: () => performance.now(),
    waitUntil: (timeMs, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const finish = () => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', finish);
          resolve();
        };
        const timer = setTimeout(finish, Math.max(0, timeMs - performance.now()));
        signal?.addEventListener('abort', finish);
      }),
  };
}
