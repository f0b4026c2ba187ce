/**
 * A tenant's lane as a worker holds it: the state, and which flow works on it.
 *
 *   … records of epoch 1 │ takeover: flow b │ records of epoch 2 …
 *       flow a works      stops             b begins
 */
import type { Output } from '../core/flow/context.ts';
import type { LaneRecord, step } from '../core/flow/flow.ts';
import { producersBehind, producersOf } from '../core/flow/producers.ts';
import { type FlowState, metaOf } from '../core/flow/state.ts';
import { type LaneSummary, summarize } from '../core/flow/summary.ts';
import { objectionTo, takeoverOf } from '../core/flow/takeover.ts';
import { decode, isOfKnownSchema } from '../core/records/codec.ts';
import type { ProducerProgress } from '../core/records/generated.ts';
import type { CheckpointHead, Checkpoints } from '../ports/checkpoints/checkpoints.ts';
import type { Log, LogRecord } from '../ports/log/log.ts';
import { findLoss } from './lost-log.ts';

/** The function of a lane, and the hash that names it. */
export interface Flow {
  hash: string;
  step: typeof step;
}

/** A lane cannot go on as it stands: people must look. A retry does not help. */
export class LaneStoppedError extends Error {
  readonly code = 'LANE_STOPPED';
}

/** The log is not the one that a lane's state was made of. */
export class LogLostError extends LaneStoppedError {
  constructor(tenant: string, position: number, loss: string) {
    super(`Cannot resume lane ${tenant} at position ${position}: ${loss}`);
  }
}

/** Where another flow begins: at a takeover, or at a record that only a newer version can read. */
export interface Handover {
  position: number;
  /** Hash of the flow that takes over; undefined where none has been named yet. */
  flow: string | undefined;
}

export interface Lane {
  readonly tenant: string;
  /** Position of the last record worked on; -1 before the first. */
  readonly position: number;
  /** Set once the lane has come to where another flow begins: nothing is worked on any more. */
  readonly handover: Handover | undefined;
  /** False as long as no checkpoint says that the lane belongs to its flow. */
  readonly claimed: boolean;
  /** The state as it is now: to be read at once, for the next step takes it over. */
  readonly state: FlowState;
  summary(): LaneSummary;
  /** How far producers have come, and how many of them have a gap that is waited for. */
  progress(): { position: number; recordId: string; producers: ProducerProgress[]; behind: number };
  step(records: readonly LogRecord[]): Output[];
  /**
   * Saves the state as it is at the call, chunk by chunk between later steps; one at a time.
   * `final`: the worker ends here, and has worked on nothing behind it. Resolves with the position that is saved.
   */
  checkpoint(final: boolean): Promise<number>;
  /** @throws LogLostError where the log has another record at the lane's position. */
  compareIdentity(): Promise<void>;
}

export interface LaneOptions {
  tenant: string;
  state: FlowState;
  flow: Flow;
  records: Log;
  checkpoints: Checkpoints;
  /** What the newest checkpoint says, where the state is from it. */
  saved?: Pick<CheckpointHead, 'position' | 'final' | 'flow'> | undefined;
}

export function createLane({ tenant, flow, records, checkpoints, ...begin }: LaneOptions): Lane {
  let { state, saved } = begin;
  let handover: Handover | undefined;

  function stepThrough(batch: readonly LaneRecord[], outputs: Output[]): void {
    const result = flow.step(state, batch);
    state = result.state;
    // One by one: a tick after a long pause may lead to more outputs than a call takes arguments.
    for (const output of result.outputs) outputs.push(output);
  }

  function handoverAt({ position, record }: LaneRecord): Handover | undefined {
    const takeover = takeoverOf(record);
    if (!takeover || takeover.flow === flow.hash || objectionTo(state, takeover) !== '') return undefined;
    return { position, flow: takeover.flow };
  }

  const isSaved = (head: CheckpointHead) =>
    saved?.position === head.position && saved.flow === head.flow && saved.final === head.final;

  return {
    tenant,
    get position() {
      return metaOf(state).position;
    },
    get handover() {
      return handover;
    },
    get claimed() {
      return saved?.flow === flow.hash;
    },
    get state() {
      return state;
    },
    summary: () => ({ ...summarize(state), flow: flow.hash }),
    progress() {
      const { position, recordId } = metaOf(state);
      return { position, recordId, producers: producersOf(state), behind: producersBehind(state) };
    },
    step(records) {
      const outputs: Output[] = [];
      if (handover) return outputs;
      const newer = records.find(({ frame }) => !isOfKnownSchema(frame));
      const known = newer ? records.slice(0, records.indexOf(newer)) : records;
      const batch = known.map(({ position, frame }) => ({ position, record: decode(frame) }));
      let from = 0;
      for (const [at, record] of batch.entries()) {
        if (!takeoverOf(record.record)) continue;
        // Whether it takes effect follows from all that precedes it.
        if (at > from) stepThrough(batch.slice(from, at), outputs);
        from = at;
        handover = handoverAt(record);
        if (handover) return outputs;
      }
      if (from < batch.length) stepThrough(batch.slice(from), outputs);
      if (newer) handover = { position: newer.position, flow: undefined };
      return outputs;
    },
    async checkpoint(final) {
      const { position, recordId } = metaOf(state);
      const head = { position, recordId, flow: flow.hash, final, producers: producersOf(state) };
      if (position < 0 || isSaved(head)) return position;
      // Taken here and now: by the time that it is written the state is another one.
      const snapshot = state.tables.snapshot();
      try {
        // A worker that was thought dead and has come back knows nothing of what its successor has worked on.
        head.final &&= ((await checkpoints.list(tenant)).at(-1) ?? -1) <= position;
        await checkpoints.save(tenant, head, breathe(snapshot));
        saved = head;
      } finally {
        snapshot.return();
      }
      return position;
    },
    async compareIdentity() {
      const loss = await findLoss(records, metaOf(state));
      if (loss) throw new LogLostError(tenant, metaOf(state).position, loss);
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
