import { producersBehind } from './producers.ts';
import { settingsOf } from './settings.ts';
import { type FlowState, metaOf, type Settings } from './state.ts';

/** What a lane's state says of itself: for metrics and for the ledger, never from counting what a process did. */
export interface LaneSummary {
  /** In force; undefined before the lane's first record. */
  settings: Settings | undefined;
  position: number;
  /** Epoch milliseconds. */
  watermark: number;
  producersBehind: number;
  repeats: number;
  /** journaled = events + twins + rejects + pending. */
  ledger: { journaled: number; events: number; twins: number; rejects: number; pending: number };
  deliveries: { provider: string; event: string; verdict: string; count: number }[];
  rejects: { reason: string; count: number }[];
  detections: { rule: string; severity: string; count: number }[];
  openEpisodes: { metric: string; count: number }[];
}

export function summarize(state: FlowState): LaneSummary {
  const meta = metaOf(state);
  const outcome = (name: string) => state.counts.get('outcomes', name) ?? 0;
  const counted = (group: string) =>
    state.counts.sortedEntries(group).map(([key, count]) => ({ labels: key.split('|'), count }));
  const total = (group: string) => counted(group).reduce((sum, { count }) => sum + count, 0);
  return {
    settings: settingsOf(state),
    position: meta.position,
    watermark: meta.watermark,
    producersBehind: producersBehind(state),
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
    detections: counted('detections').map(({ labels: [rule = '', severity = ''], count }) => ({
      rule,
      severity,
      count,
    })),
    openEpisodes: counted('openEpisodes').map(({ labels: [metric = ''], count }) => ({ metric, count })),
  };
}
