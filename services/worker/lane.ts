import { type LaneRecord, type StepResult, step } from '../core/flow/flow.ts';
import { createState, metaOf } from '../core/flow/state.ts';
import { type LaneSummary, summarize } from '../core/flow/summary.ts';
import { decode } from '../core/records/codec.ts';
import type { Checkpoints } from '../ports/checkpoints/checkpoints.ts';
import { restoreNewest } from '../ports/checkpoints/restore.ts';
import type { Log } from '../ports/log/log.ts';

/** A lane cannot go on as it stands: people must look. A retry does not help. */
export class LaneStoppedError extends Error {
  readonly code = 'LANE_STOPPED';
}

/** A tenant's lane as this worker holds it. */
export interface Lane {
  readonly tenant: string;
  /** Position of the last record worked on; -1 before the first. */
  readonly position: number;
  summary(): LaneSummary;
  step(records: readonly LaneRecord[]): StepResult['outputs'];
  /** Saves the state as it is at the call, chunk by chunk between later steps. Resolves with the position it stands for. */
  checkpoint(): Promise<number>;
}

/**
 * Restores a lane from its newest checkpoint, or begins it at the start of the log.
 * @throws LaneStoppedError where log and checkpoint do not belong together.
 */
export async function openLane(tenant: string, records: Log, checkpoints: Checkpoints): Promise<Lane> {
  const restored = await restoreNewest(checkpoints, tenant);
  let state = restored?.state ?? createState();
  if (restored) await compareIdentity(tenant, records, restored.head.position, restored.head.recordId);
  let savedPosition = restored?.head.position ?? -1;
  return {
    tenant,
    get position() {
      return metaOf(state).position;
    },
    summary: () => summarize(state),
    step(batch) {
      const result = step(state, batch);
      state = result.state;
      return result.outputs;
    },
    async checkpoint() {
      const { position, recordId } = metaOf(state);
      if (position === savedPosition) return position;
      // Taken here and now: by the time that it is written the state is another one.
      const snapshot = state.tables.snapshot();
      const head = { position, recordId, flow: '', final: false, producers: [] };
      await checkpoints.save(tenant, head, breathe(snapshot));
      savedPosition = position;
      return position;
    },
  };
}

/** Chunks with a turn of the event loop after each, so that no snapshot stalls the lane. */
async function* breathe(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    yield chunk;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A log that was replaced or rewritten has another record where the checkpoint was taken. */
async function compareIdentity(tenant: string, log: Log, position: number, recordId: string): Promise<void> {
  if (position < 0) return;
  const { first, next } = await log.bounds();
  if (position + 1 < first || position >= next) {
    throw new LaneStoppedError(
      `Cannot resume lane ${tenant} at position ${position}: the log holds ${first} to ${next - 1}. ` +
        'The log and the checkpoints are not of one installation, or records were lost.',
    );
  }
  if (position < first) return;
  const [record] = await log.read(position, { records: 1, bytes: 1 });
  const found = record && decode(record.frame).value;
  const foundId = found && 'id' in found ? found.id : 'nothing';
  if (record?.position !== position || foundId !== recordId) {
    throw new LaneStoppedError(
      `Cannot resume lane ${tenant} at position ${position}: the checkpoint ends with record ${recordId}, the log has ${foundId} there`,
    );
  }
}
