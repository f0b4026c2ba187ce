import { createState, type FlowState } from '../../core/flow/state.ts';
import { type Checkpoint, CheckpointDamagedError, type CheckpointHead, type Checkpoints } from './checkpoints.ts';

export interface Restored {
  head: CheckpointHead;
  state: FlowState;
}

/**
 * The state of a lane from its newest whole checkpoint, of those at or before `upTo`; undefined where there is none.
 * The state is held in memory once: chunks are let go as they are taken.
 */
export async function restoreNewest(
  checkpoints: Checkpoints,
  lane: string,
  upTo?: number,
): Promise<Restored | undefined> {
  for (;;) {
    const checkpoint = await checkpoints.newest(lane, upTo);
    if (!checkpoint) return undefined;
    const state = await restore(checkpoint);
    const { chunks: _, ...head } = checkpoint;
    if (state) return { head, state };
  }
}

/** Undefined where it is damaged, which its backend knows from then on. */
async function restore({ chunks }: Checkpoint): Promise<FlowState | undefined> {
  const state = createState();
  const restorer = state.tables.restorer();
  let failure: unknown;
  const attempt = (work: () => void) => {
    try {
      if (!failure) work();
    } catch (error) {
      failure = error;
    }
  };
  try {
    // Read to the end whatever comes of it: only there is it known whether the bytes or this version are at fault.
    for await (const chunk of chunks) attempt(() => restorer.take(chunk));
  } catch (error) {
    if (error instanceof CheckpointDamagedError) return undefined;
    throw error;
  }
  attempt(() => restorer.end());
  if (failure) throw failure;
  return state;
}
