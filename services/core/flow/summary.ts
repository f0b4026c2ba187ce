import { summarizeOpenings } from './openings.ts';
import { type ProducerSummary, producersBehind, summarizeProducers } from './producers.ts';
import { rule as burstRule, countOpen } from './rules/account-created-then-servers.ts';
import { settingsOf } from './settings.ts';
import { type FlowState, metaOf, type Settings } from './state.ts';
import { summarizeWatched, type WatchedSummary } from './watched.ts';

/** What a lane's state says of itself: for metrics and for the ledger, never from counting what a process did. */
export interface LaneSummary extends WatchedSummary {
  /** In force; undefined before the lane's first record. */
  settings: Settings | undefined;
  position: number;
  epoch: number;
  /** Hash of the flow that works on the lane; empty where any may. */
  flow: string;
  /** Epoch milliseconds. */
  watermark: number;
  producers: ProducerSummary[];
  producersBehind: number;
  /** Records of retired producers: known to be missing, come after all, and dropped for having torn too many holes. */
  retired: { lost: number; recovered: number; dropped: number };
  repeats: number;
  /** journaled = events + twins + rejects + pending. */
  ledger: { journaled: number; events: number; twins: number; rejects: number; pending: number };
  deliveries: { provider: string; event: string; verdict: string; count: number }[];
  rejects: { reason: string; count: number }[];
  /** Events that two endpoints should have been told of: how many came to both, and how many to the other one alone. */
  losses: { endpoint: string; other: string; both: number; alone: number }[];
  /** What the lane remembers of that it may be asked for; `refused`: deliveries that may still turn out to be the tenant's. */
  remembered: { waiting: number; refused: number; bodies: number; twins: number };
  /** What it did not remember, or not for as long as it should, since there was too much. */
  forgotten: { waiting: number; bodies: number; twins: number };
  /** When the last whole comparison with a provider's API began, epoch milliseconds; none where there was none. */
  compared: { provider: string; at: number }[];
  /** `open` of `count` wait for people. */
  detections: { rule: string; severity: string; count: number; open: number }[];
  /**
   * `oldestAt`: when the alert began that has been on for longest, epoch milliseconds; null where none is on. `openLong`
   * have been on for over an hour by the watermark; `long`: how many alerts ever were.
   */
  openEpisodes: { metric: string; count: number; oldestAt: number | null; openLong: number; long: number }[];
}

/** What is known of a lane where it may stand still: all of the summary while it is worked on. */
export type LaneStatus = Partial<LaneSummary> & {
  /** Why it is not worked on; empty where it is. */
  stopped: string;
  /** The takeover at which another flow begins, and whether the flow before it has worked up to there. */
  takeover?: { position: number; flow: string; ready: boolean } | undefined;
  /**
   * Set where its log has lost what was worked on: the position behind which it can be worked on once more, and whether
   * the log has come past where the lane stopped, so that people can ask for it.
   */
  lost?: { from: number; ready: boolean } | undefined;
};

export function summarize(state: FlowState): LaneSummary {
  const meta = metaOf(state);
  const outcome = (name: string) => state.counts.get('outcomes', name) ?? 0;
  const retired = (name: string) => state.counts.get('retired', name) ?? 0;
  const counted = (group: string) =>
    state.counts.sortedEntries(group).map(([key, count]) => ({ labels: key.split('|'), count }));
  const total = (group: string) => counted(group).reduce((sum, { count }) => sum + count, 0);
  return {
    settings: settingsOf(state),
    position: meta.position,
    epoch: meta.epoch,
    flow: meta.flow,
    watermark: meta.watermark,
    producers: summarizeProducers(state),
    producersBehind: producersBehind(state),
    retired: { lost: retired('lost'), recovered: retired('recovered'), dropped: retired('dropped') },
    repeats: state.counts.get('repeats', '') ?? 0,
    ledger: {
      journaled: total('deliveries'),
      events: outcome('events'),
      twins: outcome('twins'),
      rejects: total('rejects'),
      pending: outcome('pending'),
    },
    deliveries: counted('deliveries').map(({ labels: [provider = '', event = '', verdict = ''], count }) => ({
      provider,
      event,
      verdict,
      count,
    })),
    rejects: counted('rejects').map(({ labels: [reason = ''], count }) => ({ reason, count })),
    ...summarizeIdentity(state),
    ...summarizeWatched(state),
    compared: counted('compared').map(({ labels: [provider = ''], count: at }) => ({ provider, at })),
    detections: counted('detections').map(({ labels: [rule = '', severity = ''], count }) => ({
      rule,
      severity,
      count,
      open: rule === burstRule ? countOpen(state) : 0,
    })),
    openEpisodes: state.counts.sortedEntries('openEpisodes').map(([metric, count]) => ({
      metric,
      count,
      ...summarizeOpenings(state, metric),
      long: state.counts.get('longEpisodes', metric) ?? 0,
    })),
  };
}

/** Whose deliveries are, and which of them are one event. */
function summarizeIdentity(state: FlowState): Pick<LaneSummary, 'losses' | 'remembered' | 'forgotten'> {
  const counted = (group: string, key: string) => state.counts.get(group, key) ?? 0;
  const pairs = new Set([...state.counts.group('both').keys(), ...state.counts.group('alone').keys()]);
  const refused = counted('pending', 'foreign');
  return {
    losses: [...pairs].sort().map((pair) => {
      const [endpoint = '', other = ''] = pair.split('|');
      return { endpoint, other, both: counted('both', pair), alone: counted('alone', pair) };
    }),
    remembered: {
      waiting: counted('pending', 'kept') - refused,
      refused,
      bodies: state.bodies.size,
      twins: state.twins.size,
    },
    forgotten: {
      waiting: counted('pending', 'overflowed') + counted('pending', 'evicted'),
      bodies: counted('bodies', 'unremembered'),
      twins: counted('twins', 'forgotten'),
    },
  };
}
