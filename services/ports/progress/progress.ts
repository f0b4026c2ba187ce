import type { Progress as ProgressRecord } from '../../core/records/generated.ts';

/** What a worker says of a lane; the backend adds when it was said. */
export type NewProgress = Omit<ProgressRecord, 'published_at'>;

export interface LaneProgress {
  /** How far the lane has been worked on: the record of the highest position, the last one of several there. */
  live: ProgressRecord | undefined;
  /**
   * What would still be known if the newest snapshot turned out to be damaged: the record with a snapshot at the highest
   * position below that of the newest one.
   */
  covered: ProgressRecord | undefined;
}

/**
 * How far workers have come with the lanes: edges send again what a lane lacks, and keep what no snapshot covers.
 *
 * Guarantees, held by one contract suite over every backend:
 * - what `publish` has resolved with is seen by every later `latest`, also in other processes (memory: in this one);
 * - any number of writers, in any order: positions decide, so one that is late takes nothing back;
 * - nothing is retried inside. A backend that is not reached rejects with LogUnavailableError: what was to be published
 *   may be there or not, and may be published again.
 */
export interface Progress {
  publish(progress: NewProgress): Promise<void>;
  latest(tenant: string): Promise<LaneProgress>;
}

/** What `latest` answers, kept up to date record by record. */
export interface ProgressTally {
  add(record: ProgressRecord): void;
  latest(tenant: string): LaneProgress;
}

export function createProgressTally(): ProgressTally {
  const live = new Map<string, ProgressRecord>();
  /** The two newest of different positions, oldest first. */
  const saved = new Map<string, readonly ProgressRecord[]>();

  return {
    add(record) {
      const { tenant, position, snapshot } = record;
      if (position >= (live.get(tenant)?.position ?? Number.NEGATIVE_INFINITY)) live.set(tenant, record);
      if (!snapshot) return;
      const others = (saved.get(tenant) ?? []).filter((other) => other.position !== position);
      saved.set(tenant, [...others, record].sort((a, b) => a.position - b.position).slice(-2));
    },
    latest: (tenant) => ({ live: live.get(tenant), covered: saved.get(tenant)?.at(-2) }),
  };
}
