/**
 * How an episode ends whose closing did not come: by the first of what is known, in whatever order it came to be known.
 *
 *   deletion       its server or its account was deleted
 *   next_opening   the same alert began again
 *   expiry         it was on for a day without a word
 *
 * A closing by the provider's word, `alert`, takes the place of any of them whenever it comes.
 */
import { planExpiry } from './expiry.ts';
import { expiryOf } from './openings.ts';
import { type EpisodeState, type FlowState, metaOf, type Settings } from './state.ts';

/** Deletions of one server or account that are remembered. */
const deletionsMax = 16;

/** The first wins where two are of the same time. */
const order = ['deletion', 'next_opening', 'expiry'] as const;

interface End {
  at: number;
  by: (typeof order)[number];
}

/** Notes a deletion for the openings that come after it. `server`: its key; empty where the account was deleted. */
export function noteDeletion(
  state: FlowState,
  settings: Settings,
  { account, server, time }: { account: string; server: string; time: number },
): void {
  const known = state.deletions.get(account, server) ?? [];
  if (!known.includes(time)) {
    const times = [...known, time].sort((a, b) => a - b);
    state.deletions.set(account, server, times.slice(-deletionsMax));
  }
  planExpiry(state, settings, { table: 'deletions', group: account, key: server });
}

/** The episodes of one server and metric, by openedAt, with those ended that have. Others are the same objects. */
export function endThose(
  state: FlowState,
  { account, server }: { account: string; server: string },
  episodes: readonly EpisodeState[],
): EpisodeState[] {
  const deletions = [state.deletions.get(account, '') ?? [], state.deletions.get(account, server) ?? []].flat();
  const { watermark } = metaOf(state);
  return episodes.map((episode, index) => {
    const end = endOf(episode, deletions, episodes[index + 1], watermark);
    if (!end || (end.at === episode.closedAt && end.by === episode.endedBy)) return episode;
    return ended(episode, end.at, end.by);
  });
}

export function ended(episode: EpisodeState, closedAt: number, endedBy: EpisodeState['endedBy']): EpisodeState {
  const flags = episode.flags.filter((flag) => flag !== 'negative_length');
  if (closedAt < episode.openedAt) flags.push('negative_length');
  return { ...episode, closedAt, endedBy, flags };
}

/** Whether an end is a guess, which the provider's word replaces. */
export function isLost({ endedBy }: EpisodeState): boolean {
  return endedBy === 'deletion' || endedBy === 'expiry';
}

function endOf(
  episode: EpisodeState,
  deletions: readonly number[],
  next: EpisodeState | undefined,
  watermark: number,
): End | undefined {
  const { closedAt, endedBy } = episode;
  if (endedBy === 'alert') return undefined;
  const ends: End[] = [];
  // A name can be used again: what began, and was heard of, after a deletion is of another life.
  const begins = Math.min(episode.openedAt, episode.firstReceivedAt);
  for (const at of deletions) if (at >= begins) ends.push({ at, by: 'deletion' });
  if (next) ends.push({ at: next.openedAt, by: 'next_opening' });
  // What had ended it may be forgotten by now, and then still has.
  if (closedAt !== null && endedBy !== '') ends.push({ at: closedAt, by: endedBy });
  const expiresAt = expiryOf(episode);
  if (ends.length > 0 || expiresAt <= watermark) ends.push({ at: expiresAt, by: 'expiry' });
  return ends.sort((a, b) => a.at - b.at || order.indexOf(a.by) - order.indexOf(b.by))[0];
}
