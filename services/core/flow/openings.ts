/**
 * When the alerts that are on began, by metric: so that the oldest one is found without a look at every episode. Follows
 * from the episodes alone.
 */
import { type EpisodeState, type FlowState, isOpen } from './state.ts';

/** Notes how the episodes of one server and metric have changed. Returns by how many more are open than before. */
export function noteOpenings(
  state: FlowState,
  metric: string,
  before: readonly EpisodeState[],
  after: readonly EpisodeState[],
): number {
  const gone = beginnings(before);
  const come = beginnings(after);
  for (const openedAt of gone) if (!come.includes(openedAt)) add(state, metric, openedAt, -1);
  for (const openedAt of come) if (!gone.includes(openedAt)) add(state, metric, openedAt, 1);
  return come.length - gone.length;
}

/** Epoch milliseconds; null where no alert of the metric is on. */
export function oldestOpening(state: FlowState, metric: string): number | null {
  let oldest: number | null = null;
  // A millisecond for a hundred thousand of them.
  for (const { openedAt } of state.openings.group(metric).values()) {
    if (oldest === null || openedAt < oldest) oldest = openedAt;
  }
  return oldest;
}

/** For a state that another version has saved, which kept no openings. */
export function findOpenings(state: FlowState): void {
  if (state.openings.size > 0) return;
  for (const account of state.episodes.sortedGroups()) {
    for (const [, episodes] of state.episodes.sortedEntries(account)) {
      for (const { metric, openedAt } of episodes.filter(isOpen)) add(state, metric, openedAt, 1);
    }
  }
}

function beginnings(episodes: readonly EpisodeState[]): number[] {
  return episodes.filter(isOpen).map(({ openedAt }) => openedAt);
}

function add(state: FlowState, metric: string, openedAt: number, by: number): void {
  const key = String(openedAt);
  const open = (state.openings.get(metric, key)?.open ?? 0) + by;
  if (open > 0) state.openings.set(metric, key, { openedAt, open });
  else state.openings.delete(metric, key);
}
