/**
 * Workers that share the partitions of a log: this process has a worker for each partition that it was given.
 *
 * A partition may be taken away and given back at any moment, and for a while two processes may have it: what they write
 * is the same. What a worker has in memory is therefore kept for a while, in case that its partition comes back.
 */
import type { Logger } from 'pino';
import type { LaneStatus } from '../core/flow/summary.ts';
import type { Worker } from './worker.ts';

export interface SharesOptions {
  /**
   * Joins those who share. `assigned` is to be called with all partitions that this process has, each time that they
   * change.
   */
  join(assigned: (partitions: readonly number[]) => void): { leave(): Promise<void> };
  /** The worker of a partition; asked for again once it was let go. */
  openPartition(partition: number): Worker;
  logger: Logger;
  /** How long, and how many, partitions are kept in memory after they were taken away. */
  keepMs?: number;
  keptMax?: number;
  /** How long saving may take when a partition is taken away. */
  leaveMs?: number;
}

interface Share {
  worker: Worker;
  /** Whether it was given to us, and whether its worker runs. They differ while it starts or leaves. */
  assigned: boolean;
  running: boolean;
  changing: boolean;
  forgetting?: NodeJS.Timeout;
}

/** All workers of a process as if they were one. */
export function createShares(options: SharesOptions): Omit<Worker, 'leave'> {
  const { logger, keepMs = 600_000, keptMax = 16, leaveMs = 5_000 } = options;
  /** By partition; those that were left first are first among those that are kept. */
  const shares = new Map<number, Share>();
  const ended = Promise.withResolvers<void>();
  let membership: { leave(): Promise<void> } | undefined;
  let known = false;
  let stopping = false;

  function shareOf(partition: number): Share {
    const share = shares.get(partition) ?? {
      worker: options.openPartition(partition),
      assigned: false,
      running: false,
      changing: false,
    };
    shares.set(partition, share);
    return share;
  }

  /** Brings a worker to where it should be, and once more if that has changed meanwhile. */
  async function follow(partition: number, share: Share): Promise<void> {
    if (share.changing) return;
    share.changing = true;
    while (share.assigned !== share.running && !stopping) {
      if (share.assigned) start(partition, share);
      else await leave(partition, share);
    }
    share.changing = false;
  }

  function start(partition: number, share: Share): void {
    logger.info({ partition }, 'partition taken up');
    clearTimeout(share.forgetting);
    share.running = true;
    share.worker.run().catch(ended.reject);
  }

  async function leave(partition: number, share: Share): Promise<void> {
    logger.info({ partition }, 'partition left');
    await share.worker.leave(leaveMs);
    share.running = false;
    share.forgetting = setTimeout(() => forget(partition, share), keepMs).unref();
    // At the end: the oldest is let go first.
    shares.delete(partition);
    shares.set(partition, share);
    const kept = [...shares].filter(([, other]) => !other.running && !other.assigned);
    for (const [oldest, other] of kept.slice(0, Math.max(0, kept.length - keptMax))) forget(oldest, other);
  }

  function forget(partition: number, share: Share): void {
    clearTimeout(share.forgetting);
    if (!share.running && !share.assigned && shares.get(partition) === share) shares.delete(partition);
  }

  function assign(partitions: readonly number[]): void {
    if (stopping) return;
    known = true;
    for (const partition of partitions) shareOf(partition);
    for (const [partition, share] of shares) {
      share.assigned = partitions.includes(partition);
      follow(partition, share).catch(ended.reject);
    }
  }

  const running = () => [...shares.values()].filter((share) => share.running).map((share) => share.worker);

  return {
    run() {
      membership ??= options.join(assign);
      return ended.promise;
    },
    async stop(deadlineMs) {
      stopping = true;
      // Before others are given what we have, so that what they find is the last word.
      await Promise.all(running().map((worker) => worker.stop(deadlineMs)));
      await membership?.leave().catch((error) => logger.warn({ err: error }, 'group not left; it will notice'));
      for (const { forgetting } of shares.values()) clearTimeout(forgetting);
      ended.resolve();
    },
    lanes: () => Object.assign({}, ...running().map((worker) => worker.lanes())) as Record<string, LaneStatus>,
    stateOf(tenant) {
      for (const worker of running()) {
        const state = worker.stateOf(tenant);
        if (state) return state;
      }
      return undefined;
    },
    troubles: () => [
      ...(known ? [] : ['worker: it has not been given any partitions yet']),
      ...new Set(running().flatMap((worker) => worker.troubles())),
    ],
  };
}
