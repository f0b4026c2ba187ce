import type { Logger } from 'pino';
import type { Checkpoints } from '../ports/checkpoints/checkpoints.ts';
import type { Log } from '../ports/log/log.ts';
import type { WorkerMetrics } from '../telemetry.ts';
import type { Lane } from './lane.ts';

export interface SavingOptions {
  records: Pick<Log, 'bounds'>;
  checkpoints: Checkpoints;
  metrics: WorkerMetrics;
  logger: Logger;
  intervalMs: number;
}

export interface Saving {
  /**
   * Begins to save those lanes whose turn it is, without waiting. To be called only when all of their outputs are
   * acknowledged: the snapshots begin before the call returns. One that has come to its handover is saved at once, and
   * `ended` is called when it was.
   */
  begin(lanes: Iterable<Lane>, ended: (lane: Lane) => void): void;
  /** Saves lanes once more, now. */
  finish(lanes: Iterable<Lane>, final: boolean): Promise<void>;
  /** Why the newest checkpoint of a lane is not as new as it should be. */
  troubles(): string[];
}

/** So many times as long as a checkpoint took, none follows it: writing them takes a tenth of the time, no more. */
const pauseFactor = 10;

interface Turn {
  dueMs: number;
  saving?: Promise<boolean> | undefined;
  /** The handover was tried: it waits its turn like all others. */
  ending?: boolean;
}

export function createSaving({ records, checkpoints, metrics, logger, intervalMs }: SavingOptions): Saving {
  const turns = new WeakMap<Lane, Turn>();
  const failures = new Map<string, string>();

  function turnOf(lane: Lane): Turn {
    const turn = turns.get(lane) ?? { dueMs: lane.claimed ? performance.now() + intervalMs : 0 };
    turns.set(lane, turn);
    return turn;
  }

  /** Resolves to whether it was saved. */
  async function save(lane: Lane, final: boolean): Promise<boolean> {
    const { tenant } = lane;
    const ended = metrics.checkpointSeconds.startTimer();
    try {
      metrics.checkpointPosition.set({ tenant }, await lane.checkpoint(final));
    } catch (error) {
      failures.set(tenant, (error as Error).message);
      logger.error({ err: error, tenant }, 'checkpoint failed; the next one is tried in its turn');
      return false;
    }
    ended();
    failures.delete(tenant);
    await prune(tenant).catch((error) => logger.warn({ err: error, tenant }, 'checkpoints could not be pruned'));
    return true;
  }

  async function prune(tenant: string): Promise<void> {
    await checkpoints.prune(tenant, (await records.bounds()).first);
  }

  function saveNow(lane: Lane, final: boolean): Promise<boolean> {
    const turn = turnOf(lane);
    const startedMs = performance.now();
    turn.saving = save(lane, final).finally(() => {
      const endedMs = performance.now();
      turn.dueMs = endedMs + Math.max(intervalMs, pauseFactor * (endedMs - startedMs));
      turn.saving = undefined;
    });
    return turn.saving;
  }

  return {
    begin(lanes, ended) {
      for (const lane of lanes) {
        const turn = turnOf(lane);
        const isEnd = lane.handover !== undefined;
        if (turn.saving || (performance.now() < turn.dueMs && !(isEnd && !turn.ending))) continue;
        turn.ending = isEnd;
        saveNow(lane, isEnd).then((saved) => saved && isEnd && ended(lane));
      }
    },
    async finish(lanes, final) {
      await Promise.all(
        [...lanes].map(async (lane) => {
          await turns.get(lane)?.saving;
          await saveNow(lane, final || lane.handover !== undefined);
        }),
      );
    },
    troubles: () => [...failures].map(([tenant, why]) => `lane ${tenant}: its last checkpoint failed: ${why}`),
  };
}
