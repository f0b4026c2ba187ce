import { encode } from '../core/records/codec.ts';
import type { EdgeMetrics } from '../telemetry.ts';
import type { EdgeClock } from './clock.ts';
import type { Journal } from './journal.ts';
import { controlRecord } from './producer.ts';

/** Writes into every lane how far time has come: every second where deliveries come in, else every ten seconds. */
export interface Ticker {
  /** A delivery for this lane was taken in. */
  used(lane: string): void;
  /** Called once a second. */
  tick(): void;
}

export interface TickerOptions {
  lanes: readonly string[];
  clock: EdgeClock;
  journal: Journal;
  metrics: EdgeMetrics;
  /** True while what is journaled for a lane arrives there late: its ticks say so. */
  catchingUp?: ((lane: string) => boolean) | undefined;
}

const idleMs = 10_000;
const tickBytes = 160;

interface TickedLane {
  readonly name: string;
  usedAtMs: number;
  tickedAtMs: number;
  /** A tick is on its way. */
  pending: boolean;
}

export function createTicker(options: TickerOptions): Ticker {
  const { lanes, clock, journal, metrics, catchingUp = () => false } = options;
  const ticked = new Map<string, TickedLane>();
  for (const name of lanes) ticked.set(name, { name, usedAtMs: -Infinity, tickedAtMs: -Infinity, pending: false });

  function submit(lane: TickedLane, nowMs: number): void {
    lane.pending = true;
    lane.tickedAtMs = nowMs;
    journal.submit({
      lane: lane.name,
      bytes: tickBytes,
      // Stamped in the order of the lane, so everything before it is older and everything after it is not.
      encode: (number, receivedAt) =>
        encode(
          'control',
          controlRecord(lane.name, number, receivedAt, 'tick', {
            time: receivedAt,
            catching_up: catchingUp(lane.name),
          }),
        ),
      committed() {
        lane.pending = false;
        metrics.controls.inc({ kind: 'tick' });
      },
      refused() {
        lane.pending = false;
      },
    });
  }

  return {
    used(lane) {
      const entry = ticked.get(lane);
      if (entry) entry.usedAtMs = clock.monotonicMs();
    },
    tick() {
      // A stalled journal must not gather ticks.
      if (clock.suspect() || journal.slow()) return;
      const nowMs = clock.monotonicMs();
      for (const lane of ticked.values()) {
        const due = nowMs - lane.usedAtMs <= idleMs || nowMs - lane.tickedAtMs >= idleMs;
        if (due && !lane.pending) submit(lane, nowMs);
      }
    },
  };
}
