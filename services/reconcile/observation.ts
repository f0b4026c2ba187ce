/** What the process exports of its comparisons. */
import type { Attempt } from '../ports/provider-api/provider-api.ts';
import type { ReconcileMetrics } from '../telemetry.ts';
import type { AccountReport, Report } from './report.ts';

const differences = {
  creation: 'missed_creations',
  change: 'missed_changes',
  deletion: 'missed_deletions',
  seen: 'seen',
  contradiction: 'contradictions',
  unsettled: 'unsettled',
  withheld: 'withheld',
} as const satisfies Record<string, keyof AccountReport>;

export function observe(metrics: ReconcileMetrics, report: Report): void {
  const { tenant, accounts, complete } = report;
  const labels = { tenant, provider: report.provider };
  const sum = (name: (typeof differences)[keyof typeof differences]) =>
    accounts.reduce((total, account) => total + account[name], 0);
  for (const [difference, name] of Object.entries(differences)) {
    metrics.differences.inc({ ...labels, difference }, sum(name));
  }
  metrics.runs.inc({ tenant, outcome: complete ? 'complete' : 'incomplete' });
  metrics.accounts.set({ ...labels, outcome: 'whole' }, accounts.filter((account) => account.complete).length);
  metrics.accounts.set({ ...labels, outcome: 'not_whole' }, accounts.filter((account) => !account.complete).length);
  metrics.servers.set(
    labels,
    accounts.reduce((total, { servers }) => total + servers, 0),
  );
  metrics.lastSeconds.set({ tenant }, Date.parse(report.completed_at) / 1_000);
  if (complete) observeMemory(metrics, tenant, Date.parse(report.started_at));
}

export function observeFailure(metrics: ReconcileMetrics, tenant: string): void {
  metrics.runs.inc({ tenant, outcome: 'failed' });
}

/** `startedAt`: when the last whole comparison began; it is exported as 0 where there was none. */
export function observeMemory(metrics: ReconcileMetrics, tenant: string, startedAt: number | undefined): void {
  metrics.lastCompleteSeconds.set({ tenant }, (startedAt ?? 0) / 1_000);
}

export function observeAttempt(metrics: ReconcileMetrics, provider: string): (attempt: Attempt) => void {
  return ({ name, outcome, durationMs }) => {
    metrics.calls.inc({ provider, call: name, outcome });
    metrics.callSeconds.observe(durationMs / 1_000);
  };
}
