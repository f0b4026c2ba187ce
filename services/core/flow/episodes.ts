/**
 * Alert episodes: how long an alert was on, by server and metric. Length is end − start, never the policy's duration.
 *
 *   triggered S            notTriggered S E
 *   ────┬───────────────────────┬────────▶     one episode S…E, ended by `alert`
 *   ────┬──────────────┬─────────────────▶     a later opening without a closing between: ended by `next_opening`
 *                               └──────────    a closing alone: an episode S…E, flagged `opening_missing`
 *
 * An episode is recognised by its start, so openings and closings may come in any order.
 */
import type { AlertTrigger, Fact } from '../providers/provider.ts';
import { envelope, type Occurrence, type StepContext } from './context.ts';
import { planExpiry } from './expiry.ts';
import { outputId } from './ids.ts';
import { noteOpenings } from './openings.ts';
import { count, type EpisodeState, isOpen } from './state.ts';

const eventsMax = 100;
/** Episodes of one server and metric that are kept to be amended. */
const episodesMax = 64;

interface Signal extends Occurrence {
  trigger: AlertTrigger;
  /** Key of the server and metric within the account. */
  key: string;
}

/** Remarks on an alert: states that nobody documented are flagged, never guessed at. */
export function flagsOf(fact: Fact): string[] {
  const known = fact.triggers.every(({ state }) => state === 'triggered' || state === 'notTriggered');
  return known ? [] : ['alert_state_unknown'];
}

/** Applies one alert: an event of several triggers moves several episodes. */
export function applyAlert(context: StepContext, occurrence: Occurrence): void {
  for (const trigger of occurrence.fact.triggers) {
    const signal = { ...occurrence, trigger, key: `${occurrence.fact.key}|${trigger.metric}` };
    if (trigger.state === 'triggered') open(context, signal);
    else if (trigger.state === 'notTriggered') close(context, signal);
  }
}

function open(context: StepContext, signal: Signal): void {
  const { startedAt } = signal.trigger;
  const known = find(context, signal, startedAt);
  if (!known) return begin(context, signal, startedAt ?? signal.time);
  // Told again, or overtaken by its own closing: the episode is known.
  const flags = known.flags.filter((flag) => flag !== 'opening_missing');
  save(context, signal, { ...known, ...openingOf(known, startedAt), flags });
}

function close(context: StepContext, signal: Signal): void {
  const { startedAt, endedAt } = signal.trigger;
  const closedAt = endedAt ?? signal.time;
  const known = find(context, signal, startedAt);
  if (known) return save(context, signal, ended({ ...known, ...openingOf(known, startedAt) }, closedAt, 'alert'));
  begin(context, signal, startedAt ?? closedAt, closedAt);
}

function episodesOf(context: StepContext, signal: Signal): EpisodeState[] {
  return context.state.episodes.get(signal.fact.account, signal.key) ?? [];
}

/** The episode with that start; where one of the two starts is not known, the one that is open. */
function find(context: StepContext, signal: Signal, startedAt: number | undefined): EpisodeState | undefined {
  const episodes = episodesOf(context, signal);
  const same = episodes.find((episode) => episode.openedAt === startedAt);
  if (same) return same;
  return episodes.findLast((episode) => isOpen(episode) && (startedAt === undefined || episode.openingHeard));
}

function openingOf(
  known: EpisodeState,
  startedAt: number | undefined,
): Pick<EpisodeState, 'openedAt' | 'openingHeard'> {
  if (startedAt === undefined || !known.openingHeard) return known;
  return { openedAt: startedAt, openingHeard: false };
}

function ended(episode: EpisodeState, closedAt: number, endedBy: EpisodeState['endedBy']): EpisodeState {
  const flags = episode.flags.filter((flag) => flag !== 'negative_length');
  if (closedAt < episode.openedAt) flags.push('negative_length');
  return { ...episode, closedAt, endedBy, flags };
}

/** A new episode. The one before it has ended by then, and it has ended by the time of the one after it. */
function begin(context: StepContext, signal: Signal, openedAt: number, closedAt?: number): void {
  const { delivery, fact, trigger } = signal;
  const others = episodesOf(context, signal);
  const before = others.findLast((episode) => episode.openedAt < openedAt);
  const after = others.find((episode) => episode.openedAt > openedAt);
  if (before?.closedAt === null) save(context, signal, ended(before, openedAt, 'next_opening'));
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
  if (closedAt !== undefined) save(context, signal, ended(episode, closedAt, 'alert'));
  else save(context, signal, after ? ended(episode, after.openedAt, 'next_opening') : episode);
}

function save(context: StepContext, signal: Signal, changed: EpisodeState): void {
  const { state, settings } = context;
  const { account } = signal.fact;
  const others = episodesOf(context, signal);
  const isNew = !changed.events.includes(signal.event) && changed.events.length < eventsMax;
  const episode: EpisodeState = {
    ...changed,
    revision: changed.revision + 1,
    policyDuration: signal.trigger.policyDuration || changed.policyDuration,
    events: isNew ? [...changed.events, signal.event] : changed.events,
  };
  const all = [...others.filter(({ id }) => id !== episode.id), episode].sort((a, b) => a.openedAt - b.openedAt);
  const kept = all.slice(-episodesMax);
  const opened = noteOpenings(state, episode.metric, others, kept);
  if (opened !== 0) count(state, 'openEpisodes', episode.metric, opened);
  state.episodes.set(account, signal.key, kept);
  planExpiry(state, settings, { table: 'episodes', group: account, key: signal.key });
  emitEpisode(context, account, episode);
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
