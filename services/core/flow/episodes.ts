/**
 * Alert episodes: how long an alert was on, by server and metric. Length is end − start, never the policy's duration.
 *
 *   triggered S            notTriggered S E
 *   ────┬───────────────────────┬────────▶     one episode S…E, ended by `alert`
 *   ────┬──────────────┬─────────────────▶     a later opening without a closing between: ended by `next_opening`
 *                               └──────────    a closing alone: an episode S…E, flagged `opening_missing`
 *   ────┬──────────────x                       server or account deleted: ended by `deletion`
 *   ────┬──────────────┤ 24 h                  nothing more was said: ended by `expiry`
 *
 * An episode is recognised by its start, so openings, closings and deletions may come in any order.
 */
import type { AlertTrigger, Fact } from '../providers/provider.ts';
import { envelope, type Occurrence, type StepContext } from './context.ts';
import { ended, endThose, isLost, noteDeletion } from './endings.ts';
import { planExpiry } from './expiry.ts';
import { outputId } from './ids.ts';
import { noteOpenings, type Place, passDeadlines } from './openings.ts';
import { type EpisodeState, isOpen } from './state.ts';

const eventsMax = 100;
/** Episodes of one server and metric that are kept to be amended. */
const episodesMax = 64;

interface Signal extends Occurrence, Place {
  trigger: AlertTrigger;
}

/** Remarks on an alert: states that nobody documented are flagged, never guessed at. */
export function flagsOf(fact: Fact): string[] {
  const known = fact.triggers.every(({ state }) => state === 'triggered' || state === 'notTriggered');
  return known ? [] : ['alert_state_unknown'];
}

/** Applies one alert: an event of several triggers moves several episodes. */
export function applyAlert(context: StepContext, occurrence: Occurrence): void {
  for (const trigger of occurrence.fact.triggers) {
    const { account, key: server } = occurrence.fact;
    const signal = { ...occurrence, trigger, account, server, key: `${server}|${trigger.metric}` };
    if (trigger.state === 'triggered') open(context, signal);
    else if (trigger.state === 'notTriggered') close(context, signal);
  }
}

/** A deletion of a server: what is on of it has ended. */
export function endOfServer(context: StepContext, { fact, event, time }: Occurrence): void {
  const { state, settings } = context;
  const { account, key: server } = fact;
  noteDeletion(state, settings, { account, server, time });
  for (const key of state.alerted.get(account, server) ?? []) renew(context, { account, server, key }, { event });
}

/** A deletion of an account: what is on of its servers has ended. */
export function endOfAccount(context: StepContext, { fact, event, time }: Occurrence): void {
  const { state, settings } = context;
  const { account } = fact;
  noteDeletion(state, settings, { account, server: '', time });
  for (const [server, keys] of state.alerted.sortedEntries(account)) {
    for (const key of keys) renew(context, { account, server, key }, { event });
  }
}

/** At a tick: what was on for too long has ended. */
export function endByTime(context: StepContext, watermark: number): void {
  for (const place of passDeadlines(context.state, watermark)) renew(context, place);
}

function open(context: StepContext, signal: Signal): void {
  const { startedAt } = signal.trigger;
  const known = find(episodesOf(context, signal), startedAt, isOpen);
  if (!known) return begin(context, signal, startedAt ?? signal.time);
  // Told again, or overtaken by its own closing: the episode is known.
  const flags = known.flags.filter((flag) => flag !== 'opening_missing');
  save(context, signal, { ...known, ...openingOf(known, startedAt), flags });
}

function close(context: StepContext, signal: Signal): void {
  const { startedAt, endedAt } = signal.trigger;
  const closedAt = endedAt ?? signal.time;
  const episodes = episodesOf(context, signal);
  const newest = episodes.at(-1);
  const known = find(episodes, startedAt, (episode) => isOpen(episode) || (episode === newest && isLost(episode)));
  if (known) return save(context, signal, ended({ ...known, ...openingOf(known, startedAt) }, closedAt, 'alert'));
  begin(context, signal, startedAt ?? closedAt, closedAt);
}

function episodesOf(context: StepContext, { account, key }: Place): EpisodeState[] {
  return context.state.episodes.get(account, key) ?? [];
}

/** The episode with that start; where one of the two starts is not known, the one that may be meant. */
function find(
  episodes: EpisodeState[],
  startedAt: number | undefined,
  mayBe: (episode: EpisodeState) => boolean,
): EpisodeState | undefined {
  const same = episodes.find((episode) => episode.openedAt === startedAt);
  return same ?? episodes.findLast((episode) => mayBe(episode) && (startedAt === undefined || episode.openingHeard));
}

function openingOf(
  known: EpisodeState,
  startedAt: number | undefined,
): Pick<EpisodeState, 'openedAt' | 'openingHeard'> {
  if (startedAt === undefined || !known.openingHeard) return known;
  return { openedAt: startedAt, openingHeard: false };
}

/** A new episode. */
function begin(context: StepContext, signal: Signal, openedAt: number, closedAt?: number): void {
  const { delivery, fact, trigger } = signal;
  const episode: EpisodeState = {
    id: outputId(delivery.received_at, 'episode', context.tenant, delivery.id, signal.key, String(openedAt)),
    firstReceivedAt: delivery.received_at,
    revision: 0,
    server: fact.subject,
    metric: trigger.metric,
    openedAt,
    openingHeard: trigger.startedAt === undefined,
    closedAt: null,
    endedBy: '',
    policyDuration: '',
    events: [],
    flags: closedAt === undefined ? [] : ['opening_missing'],
  };
  save(context, signal, closedAt === undefined ? episode : ended(episode, closedAt, 'alert'));
}

function save(context: StepContext, signal: Signal, changed: EpisodeState): void {
  const { account, server, key, event, trigger } = signal;
  renew(context, { account, server, key }, { changed, event, policyDuration: trigger.policyDuration });
}

/** Stores and emits the episode that an event has changed, and those of the same server and metric that end with it. */
function renew(
  context: StepContext,
  place: Place,
  {
    changed,
    event = '',
    policyDuration = '',
  }: { changed?: EpisodeState; event?: string; policyDuration?: string } = {},
): void {
  const { state, settings } = context;
  const { account, key } = place;
  const before = episodesOf(context, place);
  const all = [...before.filter(({ id }) => id !== changed?.id), ...(changed ? [changed] : [])];
  const sorted = all.sort((a, b) => a.openedAt - b.openedAt);
  const after = endThose(state, place, sorted).map((episode) => {
    if (before.includes(episode)) return episode;
    const isNew = event !== '' && !episode.events.includes(event) && episode.events.length < eventsMax;
    return {
      ...episode,
      revision: episode.revision + 1,
      policyDuration: policyDuration || episode.policyDuration,
      events: isNew ? [...episode.events, event] : episode.events,
    };
  });
  const kept = after.slice(-episodesMax);
  state.episodes.set(account, key, kept);
  noteOpenings(state, place, before, kept);
  planExpiry(state, settings, { table: 'episodes', group: account, key });
  for (const episode of after) if (!before.includes(episode)) emitEpisode(context, account, episode);
}

function emitEpisode(context: StepContext, account: string, episode: EpisodeState): void {
  context.emit('episode', {
    ...envelope(context, episode.id, episode.revision, episode.firstReceivedAt),
    account,
    server: episode.server,
    metric: episode.metric,
    state: episode.closedAt === null ? 'open' : 'closed',
    opened_at: episode.openedAt,
    closed_at: episode.closedAt,
    length_ms: episode.closedAt === null ? null : episode.closedAt - episode.openedAt,
    ended_by: episode.endedBy,
    policy_duration: episode.policyDuration,
    events: episode.events,
    flags: episode.flags,
  });
}
