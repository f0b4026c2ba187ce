/**
 * Where the episodes are that something may happen to, so that none is looked for among all: those that are on, by when
 * they began and by when time does something to them, and those of a server. All follow from the episodes, and from the
 * watermark.
 *
 *   began             + 1 h                       + 24 h
 *   ──┬─────────────────┬───────────────────────────┬───▶ watermark
 *     └── deadline: counted as long ── deadline: ended by `expiry`
 */
import { dayMs, hourMs, minuteMs } from './durations.ts';
import { count, type EpisodeState, type FlowState, isOpen, metaOf } from './state.ts';

/** An alert that is on for so long is one that people are told of. */
const longMs = hourMs;
/** An alert that is on for so long without a word has ended, and its closing was lost. */
const expiryMs = dayMs;

/** Episodes of one server and metric. */
export interface Place {
  account: string;
  /** Key of the server. */
  server: string;
  /** Key of the server and metric. */
  key: string;
}

/** When an episode ends if nothing else ends it. A beginning after we heard of it is a wrong clock's. */
export function expiryOf({ openedAt, firstReceivedAt }: EpisodeState): number {
  return Math.min(openedAt, firstReceivedAt + minuteMs) + expiryMs;
}

/** Notes how the episodes of one server and metric have changed. */
export function noteOpenings(
  state: FlowState,
  place: Place,
  before: readonly EpisodeState[],
  after: readonly EpisodeState[],
): void {
  const gone = before.filter((episode) => isOpen(episode) && !isAmong(episode, after));
  const come = after.filter((episode) => isOpen(episode) && !isAmong(episode, before));
  for (const episode of gone) {
    add(state, episode, -1);
    for (const at of deadlinesOf(episode)) state.deadlines.delete(minuteOf(at), nameOf(place, at));
  }
  for (const episode of come) {
    add(state, episode, 1);
    const { watermark } = metaOf(state);
    const known = before.some(({ id, openedAt }) => id === episode.id && openedAt + longMs <= watermark);
    if (episode.openedAt + longMs <= watermark && !known) countLong(state, episode);
    planDeadline(state, place, episode);
  }
  for (const { metric } of gone) count(state, 'openEpisodes', metric, -1);
  for (const { metric } of come) count(state, 'openEpisodes', metric, 1);
  noteServer(state, place);
}

/** Forgets that a server had an episode of that key. */
export function forgetServer(state: FlowState, account: string, key: string): void {
  const metric = state.episodes.get(account, key)?.[0]?.metric ?? '';
  const server = serverOf(key, metric);
  const left = (state.alerted.get(account, server) ?? []).filter((other) => other !== key);
  if (left.length > 0) state.alerted.set(account, server, left);
  else state.alerted.delete(account, server);
}

/** Where the watermark ends an episode. Counts those that it has made long ones. */
export function passDeadlines(state: FlowState, watermark: number): Place[] {
  const ending: Place[] = [];
  for (const minute of state.deadlines.sortedGroups()) {
    if (minute > minuteOf(watermark)) break;
    for (const [name, { at, ...place }] of state.deadlines.sortedEntries(minute)) {
      if (at > watermark) continue;
      state.deadlines.delete(minute, name);
      for (const episode of (state.episodes.get(place.account, place.key) ?? []).filter(isOpen)) {
        if (at === episode.openedAt + longMs) countLong(state, episode);
        if (expiryOf(episode) <= watermark) ending.push(place);
        else planDeadline(state, place, episode);
      }
    }
  }
  return ending;
}

/** Of the alerts of a metric that are on: when the oldest began, null where none is, and how many have been on for long. */
export function summarizeOpenings(state: FlowState, metric: string): { oldestAt: number | null; openLong: number } {
  const { watermark } = metaOf(state);
  let oldestAt: number | null = null;
  let openLong = 0;
  // A millisecond for a hundred thousand of them.
  for (const { openedAt, open } of state.openings.group(metric).values()) {
    if (oldestAt === null || openedAt < oldestAt) oldestAt = openedAt;
    if (openedAt + longMs <= watermark) openLong += open;
  }
  return { oldestAt, openLong };
}

/** For a state that another version has saved, which kept less. */
export function findOpenings(state: FlowState): void {
  const without = {
    openings: state.openings.size === 0,
    deadlines: state.deadlines.size === 0,
    servers: state.alerted.size === 0,
  };
  for (const account of without.openings || without.deadlines || without.servers ? state.episodes.sortedGroups() : []) {
    for (const [key, episodes] of state.episodes.sortedEntries(account)) {
      const place = { account, server: serverOf(key, episodes[0]?.metric ?? ''), key };
      for (const episode of episodes.filter(isOpen)) {
        if (without.openings) add(state, episode, 1);
        if (without.deadlines && episode.openedAt + longMs <= metaOf(state).watermark) countLong(state, episode);
        if (without.deadlines) planDeadline(state, place, episode);
      }
      if (without.servers) noteServer(state, place);
    }
  }
}

function isAmong(episode: EpisodeState, others: readonly EpisodeState[]): boolean {
  return others.some((other) => isOpen(other) && other.id === episode.id && other.openedAt === episode.openedAt);
}

function add(state: FlowState, { metric, openedAt }: EpisodeState, by: number): void {
  const key = String(openedAt);
  const open = (state.openings.get(metric, key)?.open ?? 0) + by;
  if (open > 0) state.openings.set(metric, key, { openedAt, open });
  else state.openings.delete(metric, key);
}

function countLong(state: FlowState, { metric }: EpisodeState): void {
  count(state, 'longEpisodes', metric);
}

function noteServer(state: FlowState, { account, server, key }: Place): void {
  const known = state.alerted.get(account, server) ?? [];
  if (!known.includes(key)) state.alerted.set(account, server, [...known, key].sort());
}

function serverOf(key: string, metric: string): string {
  return key.slice(0, key.length - metric.length - 1);
}

function deadlinesOf(episode: EpisodeState): number[] {
  return [episode.openedAt + longMs, expiryOf(episode)];
}

/** The next one: what is due already comes with the next tick. */
function planDeadline(state: FlowState, place: Place, episode: EpisodeState): void {
  const [long, end] = deadlinesOf(episode) as [number, number];
  const at = long > metaOf(state).watermark ? Math.min(long, end) : end;
  const { account, server, key } = place;
  state.deadlines.set(minuteOf(at), nameOf(place, at), { at, account, server, key });
}

function nameOf({ account, key }: Place, at: number): string {
  return JSON.stringify([account, key, at]);
}

function minuteOf(time: number): string {
  return String(Math.floor(time / minuteMs)).padStart(12, '0');
}
