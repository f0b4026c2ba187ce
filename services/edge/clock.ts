import { performance } from 'node:perf_hooks';

/** Where time comes from. Tests bring their own. */
export interface TimeSource {
  /** Wall clock, milliseconds since the epoch. */
  now(): number;
  /** Never goes back; its origin means nothing. */
  monotonicMs(): number;
}

export const systemTime: TimeSource = { now: Date.now, monotonicMs: () => performance.now() };

/** The clock of an edge: what it stamps never goes back. */
export interface EdgeClock {
  /** The instant to stamp on the next record of the journal, milliseconds since the epoch. */
  stamp(): number;
  /** True while the wall clock is not believed. Looks at both clocks. */
  suspect(): boolean;
  monotonicMs(): number;
}

/** The wall clock is not believed once it is this far from where the monotonic clock expects it. */
const skewMsMax = 5000;
/** It is believed again after keeping step with the monotonic clock for so long. */
const steadyMs = 60_000;

interface Anchor {
  wall: number;
  monotonic: number;
}

/**
 * A clock that never stamps below `notBefore`, the newest stamp in the journal.
 *
 * While the wall clock is suspect, time goes on from the last instant at which it was believed: a jump that somebody
 * corrects a minute later leaves no trace in the lane, and one that stays is taken over once it has proved steady.
 */
export function createEdgeClock(
  source: TimeSource,
  notBefore: number,
  onSuspect: (suspect: boolean) => void,
): EdgeClock {
  let last = notBefore;
  let anchor = takeAnchor(source);
  /** Set while the clock is suspect: where the wall clock has stood steady since. */
  let candidate: Anchor | undefined;

  function believedWall(): number {
    const wall = source.now();
    const monotonic = source.monotonicMs();
    const expected = anchor.wall + (monotonic - anchor.monotonic);
    if (!candidate) {
      if (Math.abs(wall - expected) <= skewMsMax) return wall;
      candidate = { wall, monotonic };
      onSuspect(true);
    } else if (Math.abs(wall - candidate.wall - (monotonic - candidate.monotonic)) > skewMsMax) {
      candidate = { wall, monotonic };
    } else if (monotonic - candidate.monotonic >= steadyMs) {
      anchor = { wall, monotonic };
      candidate = undefined;
      onSuspect(false);
      return wall;
    }
    return Math.floor(expected);
  }

  return {
    stamp() {
      last = Math.max(last, believedWall());
      return last;
    },
    suspect() {
      believedWall();
      return candidate !== undefined;
    },
    monotonicMs: source.monotonicMs,
  };
}

function takeAnchor(source: TimeSource): Anchor {
  return { wall: source.now(), monotonic: source.monotonicMs() };
}
