/** What a lane's state says of what watches it, for metrics: coverage, endpoints, comparisons, backups. */
import { everyAccount } from './coverage.ts';
import type { FlowState } from './state.ts';

export interface WatchedSummary {
  /** Accounts by how their own coverage is now. */
  coverage: { provider: string; state: string; count: number }[];
  /**
   * Of the lane as a whole, within the time that may still be amended: how long it was blind, milliseconds, and until when
   * at last, epoch milliseconds; 0 where it was not.
   */
  blind: { ms: number; until: number };
  silentEndpoints: { endpoint: string; silent: boolean }[];
  /** What providers' APIs told and no webhook had. */
  recovered: { provider: string; missed: string; count: number }[];
  /** Servers and policies by how they do. */
  backups: { state: string; count: number }[];
}

export function summarizeWatched(state: FlowState): WatchedSummary {
  return {
    coverage: counted(state, 'coverage').map(({ labels: [provider = '', level = ''], count }) => ({
      provider,
      state: level,
      count,
    })),
    blind: summarizeBlindness(state),
    silentEndpoints: state.rhythms.sortedEntries('').map(([endpoint, { silent }]) => ({ endpoint, silent })),
    recovered: counted(state, 'recovered').map(({ labels: [provider = '', missed = ''], count }) => ({
      provider,
      missed,
      count,
    })),
    backups: counted(state, 'backups').map(({ labels: [health = ''], count }) => ({ state: health, count })),
  };
}

function counted(state: FlowState, group: string): { labels: string[]; count: number }[] {
  return state.counts.sortedEntries(group).map(([key, count]) => ({ labels: key.split('|'), count }));
}

function summarizeBlindness(state: FlowState): WatchedSummary['blind'] {
  const rows = (state.coverage.get('', everyAccount)?.rows ?? []).flatMap(({ level, startedAt, endedAt }) =>
    level === 'blind' && endedAt !== null ? [{ startedAt, endedAt }] : [],
  );
  return {
    ms: rows.reduce((sum, { startedAt, endedAt }) => sum + endedAt - startedAt, 0),
    until: rows.at(-1)?.endedAt ?? 0,
  };
}
