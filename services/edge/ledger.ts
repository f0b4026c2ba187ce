import type { Verdict } from '../core/records/generated.ts';
import type { EdgeMetrics } from '../telemetry.ts';
import { type RefusalReason, refusals } from './answers.ts';
import type { Endpoint } from './endpoints.ts';

/**
 * Accounts for every request to /in/: it enters once, and gets one outcome. At any time requests = journaled + refused +
 * in flight, so that a request which is forgotten on its way shows: it stays in flight. Durations in milliseconds.
 */
export interface Ledger {
  /** Its head has arrived. */
  entered(): void;
  /** On disk, then answered. */
  journaled(endpoint: Endpoint, verdict: Verdict, ms: number): void;
  refused(reason: RefusalReason, ms: number): void;
  /** On disk after all, though its sender had been refused: not part of the equation. */
  journaledAfterRefusal(): void;
  verified(ms: number): void;
}

export function createLedger(metrics: EdgeMetrics): Ledger {
  // Prometheus sees a rise from 0 only where it has seen the 0.
  for (const reason of [...Object.keys(refusals), 'rejected_over_quota', 'timeout', 'aborted'])
    metrics.refused.inc({ reason }, 0);

  function leave(ms: number): void {
    metrics.requestsInFlight.dec();
    metrics.requestSeconds.observe(ms / 1000);
  }

  return {
    entered() {
      metrics.requests.inc();
      metrics.requestsInFlight.inc();
    },
    journaled({ provider, event }, verdict, ms) {
      metrics.journaled.inc({ provider: provider.name, event, verdict });
      leave(ms);
    },
    refused(reason, ms) {
      metrics.refused.inc({ reason });
      leave(ms);
    },
    journaledAfterRefusal() {
      metrics.journaledAfterRefusal.inc();
    },
    verified(ms) {
      metrics.verificationSeconds.observe(ms / 1000);
    },
  };
}
