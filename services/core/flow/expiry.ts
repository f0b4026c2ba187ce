/** Idle entries end by ticks. What they had emitted stays. */
import { dayMs, hourMs, minuteMs } from './durations.ts';
import { forgetServer } from './openings.ts';
import type { Expiry, FlowState, Settings } from './state.ts';

/** How long a deleted entity or a closed boot is remembered, so that a replay of its life is recognised. */
const tombstoneMs = 7 * dayMs;

/** How long an endpoint is remembered that is called no more: twice the history by which it is judged. */
const rhythmMs = 28 * dayMs;

/** Plans the end of an entry as it is now, if it has one. When the time has come the entry is asked once more. */
export function planExpiry(state: FlowState, settings: Settings, expiry: Expiry): void {
  const endsAt = endOf(state, settings, expiry);
  if (endsAt === Number.POSITIVE_INFINITY) return;
  state.expiries.set(hourOf(endsAt), `${expiry.table}|${expiry.group}|${expiry.key}`, expiry);
}

/** Ends what is due at the watermark. */
export function expire(state: FlowState, settings: Settings, watermark: number): void {
  const hour = hourOf(watermark);
  for (const due of state.expiries.sortedGroups()) {
    if (due >= hour) return;
    for (const [key, expiry] of state.expiries.sortedEntries(due)) {
      state.expiries.delete(due, key);
      if (endOf(state, settings, expiry) > watermark) planExpiry(state, settings, expiry);
      else remove(state, expiry);
    }
  }
}

function remove(state: FlowState, { table, group, key }: Expiry): void {
  if (table === 'episodes') forgetServer(state, group, key);
  if (table === 'producers') state.lastTicks.delete(group, key);
  state[table].delete(group, key);
}

/** When an entry is over: it may have been renewed since its end was planned. Infinity: not at all. */
function endOf(state: FlowState, settings: Settings, { table, group, key }: Expiry): number {
  const window = settings.rules['account-created-then-servers'].within_ms;
  switch (table) {
    case 'accounts':
    case 'users':
    case 'servers': {
      const entity = state[table].get(group, key);
      return entity?.deleted ? entity.lastReceivedAt + tombstoneMs : Number.POSITIVE_INFINITY;
    }
    case 'creations': {
      const times = (state.creations.get(group, key) ?? []).map((creation) => creation.time);
      return Math.max(0, ...times) + window + settings.lateness_ms;
    }
    case 'panes':
      return Number(key) * minuteMs + hourMs + settings.lateness_ms;
    case 'bursts': {
      const burst = state.bursts.get(group, key);
      return Math.max((burst?.startedAt ?? 0) + window + settings.lateness_ms, burst?.detection?.openUntil ?? 0);
    }
    case 'producers': {
      const producer = state.producers.get(group, key);
      return producer?.closed ? producer.progress + tombstoneMs : Number.POSITIVE_INFINITY;
    }
    case 'episodes': {
      const ends = (state.episodes.get(group, key) ?? []).map(({ closedAt, endedBy }) =>
        closedAt === null
          ? Number.POSITIVE_INFINITY
          : // The closing of an alert that is still on is not late when it comes.
            closedAt + (endedBy === 'expiry' ? tombstoneMs : settings.lateness_ms),
      );
      return Math.max(0, ...ends);
    }
    case 'deletions':
      return Math.max(0, ...(state.deletions.get(group, key) ?? [])) + settings.lateness_ms;
    case 'rhythms':
      return (state.rhythms.get(group, key)?.lastAt ?? 0) + rhythmMs;
    case 'comparisons':
      return (state.comparisons.get(group, key)?.firstReceivedAt ?? 0) + tombstoneMs + settings.lateness_ms;
    case 'recovered':
      return (state.recovered.get(group, key)?.receivedAt ?? 0) + settings.lateness_ms;
    case 'parents': {
      const last = state.parents.get(group, key)?.seen.at(-1);
      return last?.parent === '' ? last.receivedAt + tombstoneMs : Number.POSITIVE_INFINITY;
    }
    case 'snapshots': {
      const times = (state.snapshots.get(group, key) ?? []).map(({ firstReceivedAt }) => firstReceivedAt);
      return Math.max(0, ...times) + settings.lateness_ms;
    }
    case 'losses':
      return Number(group) * hourMs + 2 * hourMs + settings.twin_ms + 2 * settings.lateness_ms;
    case 'requests':
      return (state.requests.get(group, key) ?? 0) + settings.lateness_ms;
  }
}

function hourOf(time: number): string {
  return String(Math.floor(time / hourMs)).padStart(9, '0');
}
