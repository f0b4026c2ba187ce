import type { Delivery, TimeBasis } from '../records/generated.ts';
import type { Settings } from './state.ts';

export interface EventTime {
  time: number;
  basis: TimeBasis;
  flag: '' | 'stale' | 'future';
}

/**
 * When an event happened: the body's own time where it is near received_at, else received_at itself.
 *
 *            past_ms                future_ms
 *   ─ stale ────┼─────── provider ────┼── received_at … + future_ms ─── future ─
 *
 * Only what a reconciliation fetched may be older.
 */
export function eventTime(own: number | undefined, delivery: Delivery, limits: Settings['time']): EventTime {
  const received: EventTime = { time: delivery.received_at, basis: 'received', flag: '' };
  if (own === undefined) return received;
  if (own > delivery.received_at + limits.future_ms) return { ...received, flag: 'future' };
  if (own < delivery.received_at - limits.past_ms && delivery.origin !== 'reconcile')
    return { ...received, flag: 'stale' };
  return { time: own, basis: 'provider', flag: '' };
}
