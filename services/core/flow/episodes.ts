/**
 * Alert episodes: how long an alert was on, by server and metric. Length is end − start, never the policy's duration.
 *
 *   triggered S            notTriggered S E
 *   ────┬───────────────────────┬────────▶     one episode S…E, ended by `alert`
 *   ────┬──────────────┬─────────────────▶     a later opening without a closing between: ended by `next_opening`
 *                               └──────────    a closing alone: an episode S…E, flagged `opening_missing`
 */
import type { AlertTrigger, Fact } from '../providers/provider.ts';
import { envelope, type Occurrence, type StepContext } from './context.ts';
import { outputId } from './ids.ts';
import { count, type EpisodeState } from './state.ts';

/** `stateStartTime` may be missing: then the time at which we heard of it stands in. */
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
  const startedAt = signal.trigger.startedAt ?? signal.time;
  const current = context.state.episodes.get(signal.fact.account, signal.key);
  if (!current) return begin(context, signal, startedAt);
  if (current.closedAt === null) {
    if (startedAt <= current.openedAt) return save(context, signal, { ...current, openedAt: startedAt });
    save(context, signal, ended(current, startedAt, 'next_opening'));
    return begin(context, signal, startedAt);
  }
  if (startedAt >= current.closedAt && startedAt !== current.openedAt) return begin(context, signal, startedAt);
  // Overtaken by its own closing: the episode is known.
  const flags = current.flags.filter((flag) => flag !== 'opening_missing');
  save(context, signal, { ...current, openedAt: Math.min(current.openedAt, startedAt), flags });
}

function close(context: StepContext, signal: Signal): void {
  const { startedAt, endedAt } = signal.trigger;
  const closedAt = endedAt ?? signal.time;
  const current = context.state.episodes.get(signal.fact.account, signal.key);
  if (current?.closedAt === null) {
    if (startedAt === undefined || startedAt <= current.openedAt) {
      const openedAt = startedAt ?? current.openedAt;
      return save(context, signal, ended({ ...current, openedAt }, closedAt, 'alert'));
    }
    save(context, signal, ended(current, startedAt, 'next_opening'));
  } else if (current && (startedAt === undefined || startedAt === current.openedAt)) {
    return save(context, signal, ended(current, closedAt, 'alert'));
  }
  begin(context, signal, startedAt ?? closedAt, closedAt);
}

function ended(episode: EpisodeState, closedAt: number, endedBy: EpisodeState['endedBy']): EpisodeState {
  const flags = episode.flags.filter((flag) => flag !== 'negative_length');
  if (closedAt < episode.openedAt) flags.push('negative_length');
  return { ...episode, closedAt, endedBy, flags };
}

function begin(context: StepContext, signal: Signal, openedAt: number, closedAt?: number): void {
  const { delivery, fact, trigger } = signal;
  const episode: EpisodeState = {
    id: outputId(delivery.received_at, 'episode', context.tenant, delivery.id, signal.key, String(openedAt)),
    firstReceivedAt: delivery.received_at,
    revision: 0,
    server: fact.subject,
    metric: trigger.metric,
    openedAt,
    closedAt: null,
    endedBy: '',
    policyDuration: '',
    events: [],
    flags: closedAt === undefined ? [] : ['opening_missing'],
  };
  context.state.episodes.delete(fact.account, signal.key);
  save(context, signal, closedAt === undefined ? episode : ended(episode, closedAt, 'alert'));
}

function save(context: StepContext, signal: Signal, changed: EpisodeState): void {
  const { state } = context;
  const { account } = signal.fact;
  const before = state.episodes.get(account, signal.key);
  const episode: EpisodeState = {
    ...changed,
    revision: changed.revision + 1,
    policyDuration: signal.trigger.policyDuration || changed.policyDuration,
    events: changed.events.includes(signal.event) ? changed.events : [...changed.events, signal.event],
  };
  const isOpen = Number(episode.closedAt === null) - Number(before !== undefined && before.closedAt === null);
  count(state, 'openEpisodes', episode.metric, isOpen);
  state.episodes.set(account, signal.key, episode);
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
