/**
 * Sinks that share the partitions of the outputs: this process has one sink for all that it was given. At each change that
 * sink ends and another begins, some minutes back as always: what two have written is the same.
 */
import type { Logger } from 'pino';
import type { Sink } from './sink.ts';

export interface SinkSharesOptions {
  /**
   * Joins those who share. `assigned` is to be called with all partitions that this process has, each time that they
   * change.
   */
  join(assigned: (partitions: readonly number[]) => void): { leave(): Promise<void> };
  open(partitions: readonly number[]): Sink;
  logger: Logger;
  /** How long what was read may take to be written when the partitions change. */
  leaveMs?: number;
}

export function createSinkShares({ join, open, logger, leaveMs = 5_000 }: SinkSharesOptions): Sink {
  const ended = Promise.withResolvers<void>();
  let membership: { leave(): Promise<void> } | undefined;
  let sink: Sink | undefined;
  let wanted: readonly number[] | undefined;
  let changing: Promise<void> | undefined;
  let stopping = false;

  /** Brings the sink to where it should be, and once more if that has changed meanwhile. */
  async function follow(): Promise<void> {
    for (let had: readonly number[] | undefined; had !== wanted && !stopping; ) {
      had = wanted;
      await sink?.stop(leaveMs);
      sink = had?.length ? open(had) : undefined;
      if (had !== wanted || stopping) continue;
      logger.info({ partitions: had }, 'partitions taken up');
      sink?.run().catch(ended.reject);
    }
    changing = undefined;
  }

  return {
    run() {
      membership ??= join((partitions) => {
        wanted = partitions;
        changing ??= follow().catch(ended.reject);
      });
      return ended.promise;
    },
    async stop(deadlineMs) {
      stopping = true;
      await changing;
      await sink?.stop(deadlineMs);
      await membership?.leave().catch((error) => logger.warn({ err: error }, 'group not left; it will notice'));
      ended.resolve();
    },
    troubles: () => (wanted ? (sink?.troubles() ?? []) : ['sink: it has not been given any partitions yet']),
  };
}
