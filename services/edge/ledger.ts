import type { Verdict } from '../core/records/generated.ts';
import type { EdgeMetrics } from '../telemetry.ts';
import type { RefusalReason } from './answers.ts';
import type { Endpoint } from './endpoints.ts';

/** Accounts for every request to /in/ once: requests = journaled + refused. Durations in milliseconds. */
export interface Ledger {
  /** On disk, then answered. */
  journaled(endpoint: Endpoint, verdict: Verdict, ms: number): void;
  refused(reason: RefusalReason, ms: number): void;
  /** On disk after all, though its sender had been refused: not part of the equation. */
  journaledAfterRefusal(): void;
  verified(ms: number): void;
}

export function createLedger(metrics: EdgeMetrics): Ledger {
  return {
    journaled({ provider, event }, verdict, ms) {
      metrics.requests.inc();
      metrics.journaled.inc({ provider, event, verdict });
      metrics.requestSeconds.observe(ms / 1000);
    },
    refused(reason, ms) {
      metrics.requests.inc();
      metrics.refused.inc({ reason });
      metrics.requestSeconds.observe(ms / 1000);
    },
    journaledAfterRefusal() {
      metrics.journaledAfterRefusal.inc();
    },
    verified(ms) {
      metrics.verificationSeconds.observe(ms / 1000);
    },
  };
}
