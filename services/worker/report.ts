import type { LaneSummary } from '../core/flow/summary.ts';
import type { WorkerMetrics } from '../telemetry.ts';

/** Exports what a lane's state says of itself. `nowMs` is the wall clock. */
export function reportLane(metrics: WorkerMetrics, tenant: string, summary: LaneSummary, nowMs: number): void {
  metrics.position.set({ tenant }, summary.position);
  // Before its first tick a lane has no time that could lag.
  const lagMs = summary.watermark === 0 ? 0 : Math.max(0, nowMs - summary.watermark);
  metrics.watermarkLagSeconds.set({ tenant }, lagMs / 1000);
  metrics.producersBehind.set({ tenant }, summary.producersBehind);
  metrics.repeats.set({ tenant }, summary.repeats);
  for (const [outcome, count] of Object.entries(summary.retired)) metrics.retired.set({ tenant, outcome }, count);
  const { journaled, events, twins, rejects, pending } = summary.ledger;
  metrics.ledgerImbalance.set({ tenant }, journaled - events - twins - rejects - pending);
  for (const [outcome, count] of Object.entries(summary.ledger)) metrics.ledger.set({ tenant, outcome }, count);
  for (const { count, ...labels } of summary.deliveries) metrics.deliveries.set({ tenant, ...labels }, count);
  for (const { provider, at } of summary.compared) metrics.compared.set({ tenant, provider }, at / 1000);
  for (const { count, reason } of summary.rejects) metrics.rejects.set({ tenant, reason }, count);
  for (const { both, alone, ...endpoints } of summary.losses) {
    metrics.twinLosses.set({ tenant, ...endpoints }, alone);
    metrics.twinsMeasured.set({ tenant, ...endpoints }, both + alone);
  }
  for (const [what, count] of Object.entries(summary.remembered)) metrics.remembered.set({ tenant, what }, count);
  for (const [what, count] of Object.entries(summary.forgotten)) metrics.forgotten.set({ tenant, what }, count);
  reportWatched(metrics, tenant, summary);
  for (const { count, open, ...labels } of summary.detections) {
    metrics.detections.set({ tenant, ...labels }, count);
    metrics.openDetections.set({ tenant, ...labels }, open);
  }
  for (const { count, metric, oldestAt, openLong, long } of summary.openEpisodes) {
    metrics.openEpisodes.set({ tenant, metric }, count);
    metrics.openLongEpisodes.set({ tenant, metric }, openLong);
    metrics.longEpisodes.set({ tenant, metric }, long);
    metrics.oldestEpisodeSeconds.set({ tenant, metric }, oldestAt === null ? 0 : Math.max(0, nowMs - oldestAt) / 1000);
  }
}

function reportWatched(metrics: WorkerMetrics, tenant: string, summary: LaneSummary): void {
  const { coverage, blind, silentEndpoints, recovered, backups } = summary;
  for (const { count, ...labels } of coverage) metrics.coverage.set({ tenant, ...labels }, count);
  metrics.blindSeconds.set({ tenant }, blind.ms / 1000);
  metrics.blindUntil.set({ tenant }, blind.until / 1000);
  for (const { endpoint, silent } of silentEndpoints) metrics.silentEndpoints.set({ tenant, endpoint }, Number(silent));
  for (const { count, ...labels } of recovered) metrics.recovered.set({ tenant, ...labels }, count);
  for (const { count, state } of backups) metrics.backups.set({ tenant, state }, count);
}

/** Takes a lane out of the metrics: another worker may export it by now. */
export async function forgetLane(metrics: WorkerMetrics, tenant: string): Promise<void> {
  const { stepSeconds, checkpointSeconds, ...ofLanes } = metrics;
  for (const metric of Object.values(ofLanes)) {
    const { values } = await metric.get();
    for (const { labels } of values) if (labels.tenant === tenant) metric.remove(labels);
  }
}
