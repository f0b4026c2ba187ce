/**
 * What a lane knows of what it may have missed, for a page: coverage, lost deliveries, comparisons with providers, and
 * backups that need a look. The worst first, and a part only where there is much; ClickHouse has all of it.
 */
import { type BackupHealth, lastReportAt, totalsOf } from './backups.ts';
import type { CoverageLevel } from './coverage.ts';
import { type FlowState, metaOf } from './state.ts';

/** Times in epoch milliseconds. */
export interface LaneReport {
  /** Of the lane, when the report was made. */
  position: number;
  watermark: number;
  /** As it stands now. */
  coverage: Part<{ account: string; state: CoverageLevel; reasons: string[]; since: number }>;
  /** By the hour that are remembered, added up: of the events that two endpoints should have heard. */
  losses: Part<{ endpoint: string; other: string; account: string; both: number; alone: number }>;
  /** The newest comparison of each account. */
  comparisons: Part<ComparisonReport>;
  /** Those that are not as they should be. */
  backups: Part<BackupReport>;
}

/** Some of the rows, and how many there are. */
export interface Part<Row> {
  rows: Row[];
  count: number;
}

export interface ComparisonReport {
  account: string;
  run: string;
  startedAt: number;
  /** Null while it goes on, or where it ended before it had come to the account's end. */
  completedAt: number | null;
  /** The first of its provider: what it met was new to us, and not missed. */
  bootstrap: boolean;
  servers: number;
  missed: { creations: number; changes: number; deletions: number };
  /** Endpoints that should have been called, and how often. */
  byEndpoint: Record<string, number>;
}

export interface BackupReport {
  account: string;
  server: string;
  policy: string;
  state: BackupHealth;
  lastSuccessAt: number | null;
  lastReportAt: number;
  failures: number;
  missed: number;
}

const levels: readonly CoverageLevel[] = ['blind', 'degraded', 'unknown', 'good'];
const healths: readonly BackupHealth[] = ['failing', 'silent', 'missed', 'ok'];

/** Reads the state at once: some milliseconds for ten thousand accounts. `rowsMax`: of each part. */
export function reportLane(state: FlowState, rowsMax: number): LaneReport {
  const { position, watermark } = metaOf(state);
  return {
    position,
    watermark,
    coverage: part(coverageOf(state), rowsMax, (a, b) => levels.indexOf(a.state) - levels.indexOf(b.state)),
    losses: part(lossesOf(state), rowsMax, (a, b) => b.alone - a.alone),
    comparisons: part(comparisonsOf(state), rowsMax, (a, b) => missedOf(b) - missedOf(a) || b.startedAt - a.startedAt),
    backups: part(backupsOf(state), rowsMax, (a, b) => healths.indexOf(a.state) - healths.indexOf(b.state)),
  };
}

/** Sorting keeps the order of equals, which is that of their names. */
function part<Row>(rows: Row[], rowsMax: number, compare: (a: Row, b: Row) => number): Part<Row> {
  return { rows: rows.sort(compare).slice(0, rowsMax), count: rows.length };
}

function coverageOf(state: FlowState): LaneReport['coverage']['rows'] {
  return state.coverage.sortedEntries('').flatMap(([account, { rows }]) => {
    const now = rows.at(-1);
    return now ? [{ account, state: now.level, reasons: now.reasons, since: now.startedAt }] : [];
  });
}

function lossesOf(state: FlowState): LaneReport['losses']['rows'] {
  const pairs = new Map<string, LaneReport['losses']['rows'][number]>();
  for (const hour of state.losses.sortedGroups()) {
    for (const [key, { endpoint, other, account, both, alone }] of state.losses.sortedEntries(hour)) {
      const known = pairs.get(key) ?? { endpoint, other, account, both: 0, alone: 0 };
      pairs.set(key, { ...known, account, both: known.both + both, alone: known.alone + alone });
    }
  }
  return [...pairs.values()];
}

function comparisonsOf(state: FlowState): ComparisonReport[] {
  const newest = new Map<string, ComparisonReport>();
  for (const run of state.comparisons.sortedGroups()) {
    for (const [account, comparison] of state.comparisons.sortedEntries(run)) {
      const { startedAt, completedAt, bootstrap, servers, missed, byEndpoint } = comparison;
      // The run as a whole has no account.
      if (account === '' || startedAt < (newest.get(account)?.startedAt ?? 0)) continue;
      newest.set(account, { account, run, startedAt, completedAt, bootstrap, servers, missed, byEndpoint });
    }
  }
  return [...newest.values()].sort((a, b) => (a.account < b.account ? -1 : 1));
}

function missedOf({ missed }: ComparisonReport): number {
  return missed.creations + missed.changes + missed.deletions;
}

function backupsOf(state: FlowState): BackupReport[] {
  return state.backups.sortedGroups().flatMap((account) =>
    state.backups
      .sortedEntries(account)
      .filter(([, { health }]) => health !== 'ok')
      .map(([, backup]) => {
        const { lastSuccessAt, failures, missed } = totalsOf(backup);
        const { server, policy, health } = backup;
        return {
          account,
          server,
          policy,
          state: health,
          lastSuccessAt,
          lastReportAt: lastReportAt(backup),
          failures,
          missed,
        };
      }),
  );
}
