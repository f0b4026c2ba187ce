import type { EdgeMetrics } from '../telemetry.ts';
import type { Journal } from './journal.ts';

/** Whether deliveries are taken in, and if not, why. */
export interface Readiness {
  /** The ledger's reason to refuse a delivery now; undefined while deliveries are taken in. */
  refusal(): 'not_started' | 'commit_slow' | 'journal_full' | undefined;
  /** What /readyz says: empty while deliveries are taken in and committed. */
  reasons(): string[];
  /** What is wrong besides, and no reason to send deliveries elsewhere. */
  remarks(): string[];
  started(): void;
  stopping(): void;
  /** Looks at the size of the journal on disk and sets the metrics. Called about once a second. */
  sample(): void;
}

export interface ReadinessOptions {
  journal: Journal;
  journalBytes: () => number;
  journalBytesMax: number;
  remarks?: (() => string[]) | undefined;
  metrics: EdgeMetrics;
}

/** A full journal takes deliveries again once it is below this part of its high-water mark. */
const refillAt = 0.95;

export function createReadiness(options: ReadinessOptions): Readiness {
  const { journal, journalBytes, journalBytesMax, remarks = () => [], metrics } = options;
  let phase: 'starting' | 'started' | 'stopping' = 'starting';
  let full = false;
  metrics.journalBytesMax.set(journalBytesMax);

  function reasons(): string[] {
    return [
      ...(phase === 'started' ? [] : [phase]),
      ...(journal.slow() ? ['journal commit is slow'] : []),
      ...(journal.failed() ? ['journal append failed'] : []),
      ...(full ? ['journal is full'] : []),
    ];
  }

  return {
    refusal() {
      if (phase === 'starting') return 'not_started';
      if (journal.slow()) return 'commit_slow';
      return full ? 'journal_full' : undefined;
    },
    reasons,
    remarks,
    started() {
      phase = 'started';
    },
    stopping() {
      phase = 'stopping';
    },
    sample() {
      const bytes = journalBytes();
      full = full ? bytes >= journalBytesMax * refillAt : bytes > journalBytesMax;
      metrics.journalBytes.set(bytes);
      metrics.ready.set(reasons().length === 0 ? 1 : 0);
    },
  };
}
