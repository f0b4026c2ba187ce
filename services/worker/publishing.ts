import type { Logger } from 'pino';
import type { Progress } from '../ports/progress/progress.ts';
import type { Lane } from './lane.ts';

export interface PublishingOptions {
  /** Checkpoints write to the same place, each time that one is saved. */
  progress: Pick<Progress, 'publish'>;
  /** Hash of the flow. */
  flow: string;
  logger: Logger;
  intervalMs?: number | undefined;
}

/**
 * Says how far lanes are between two checkpoints, where edges wait for it: while a producer has a gap, once more when it
 * no longer has, and when another boot has come, whose predecessor may be missing as a whole. `begin` does not wait.
 */
export function createPublishing({ progress, flow, logger, intervalMs = 2_000 }: PublishingOptions) {
  /** What was said last, by tenant. */
  const said = new Map<string, { position: number; behind: number; boots: string }>();
  let dueMs = 0;
  let publishing: Promise<unknown> | undefined;

  async function publish(lane: Lane): Promise<void> {
    const { position, recordId, producers, behind } = lane.progress();
    const boots = producers.map(({ boot }) => boot).join();
    const last = said.get(lane.tenant);
    const isNews = behind > 0 || last?.behind !== 0 || last.boots !== boots;
    if (!isNews || position < 0 || position === last?.position) return;
    const place = { tenant: lane.tenant, position, record_id: recordId };
    await progress.publish({ ...place, flow, final: false, producers, snapshot: null });
    said.set(lane.tenant, { position, behind, boots });
  }

  return {
    begin(lanes: Iterable<Lane>): void {
      if (publishing || performance.now() < dueMs) return;
      publishing = Promise.all([...lanes].map(publish))
        .catch((error) => logger.warn({ err: error }, 'progress could not be published; it is tried again'))
        .finally(() => {
          dueMs = performance.now() + intervalMs;
          publishing = undefined;
        });
    },
  };
}
