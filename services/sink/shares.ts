/**
 * Sinks that share the partitions of the outputs: this process has one sink for all that it was given. At each change the
 * partitions that stay go on where they are, and those that are new begin some minutes back as always: what two sinks have
 * written is the same.
 */
import type { Logger } from 'pino';
import type { Sink } from './sink.ts';
import type { SinkSource } from './source.ts';

export interface SinkSharesOptions {
  /**
   * Joins those who share. `assigned` is to be called with all partitions that this process has, each time that they
   * change.
   */
  join(assigned: (partitions: readonly number[]) => void): { leave(): Promise<void> };
  /** Fills ClickHouse from what it is given here; it has no sources of its own. */
  sink: Sink;
  /** The sources of a partition; asked for again when it comes back. */
  openPartition(partition: number): readonly SinkSource[];
  logger: Logger;
}

export function createSinkShares({ join, sink, openPartition, logger }: SinkSharesOptions): Omit<Sink, 'use'> {
  let membership: { leave(): Promise<void> } | undefined;
  let shares: ReadonlyMap<number, readonly SinkSource[]> | undefined;

  function assign(partitions: readonly number[]): void {
    shares = new Map(partitions.map((partition) => [partition, shares?.get(partition) ?? openPartition(partition)]));
    logger.info({ partitions }, 'partitions taken up');
    sink.use([...shares.values()].flat());
  }

  return {
    run() {
      membership ??= join(assign);
      return sink.run();
    },
    async stop(deadlineMs) {
      await sink.stop(deadlineMs);
      await membership?.leave().catch((error) => logger.warn({ err: error }, 'group not left; it will notice'));
    },
    troubles: () => (shares ? sink.troubles() : ['sink: it has not been given any partitions yet']),
  };
}
