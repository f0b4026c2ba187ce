/**
 * A lane worked on once more, beside the worker: the same flow on the same records, so that the lane itself says what
 * there should be.
 */
import type { Output } from '../../core/flow/context.ts';
import { step } from '../../core/flow/flow.ts';
import { type FlowState, metaOf } from '../../core/flow/state.ts';
import { type LaneSummary, summarize } from '../../core/flow/summary.ts';
import { beginEpoch, objectionTo, takeoverOf } from '../../core/flow/takeover.ts';
import type { Restored } from '../../ports/checkpoints/restore.ts';
import type { LaneSource } from './lane-source.ts';

/**
 * START_MISSING: neither its genesis nor a checkpoint that its records follow is left. OTHER_FLOW: another version of
 * Hookwatch works on the lane. RECORDS_MISSING: records between those that are there are not. A retry does not help.
 */
export class ReplayError extends Error {
  readonly code: 'START_MISSING' | 'OTHER_FLOW' | 'RECORDS_MISSING';
  constructor(code: ReplayError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export interface ReplayedBatch {
  outputs: readonly Output[];
  /** Records of the lane that led to them. */
  records: number;
  /** Up to where the source has been read. */
  upTo: number;
}

export interface Replay {
  /** Up to where its source has been read. */
  readonly upTo: number;
  summary(): LaneSummary;
  /** Works on the records up to `until`, or to the end of the source; may be called again, with another source too. */
  run(source: LaneSource, until: number): AsyncGenerator<ReplayedBatch>;
  /** Goes on from a saved state of the same place in the lane, with takeovers refused by a flow from here on. */
  adopt(restored: Restored, flow: string): void;
  /** What is worked on from here on bears this epoch, whatever the lane says. */
  holdEpoch(epoch: number): void;
}

export interface ReplayOptions {
  tenant: string;
  state: FlowState;
  /** Position of the last record that was read. */
  upTo: number;
  /** The flow that this code is: a takeover that takes effect and names another one ends the replay. Empty: none does. */
  flow: string;
}

export function createReplay(options: ReplayOptions): Replay {
  const { tenant } = options;
  let { state, upTo, flow } = options;

  function refuseTakeovers(records: Parameters<typeof step>[1]): void {
    for (const { position, record } of records) {
      const takeover = flow === '' ? undefined : takeoverOf(record);
      if (!takeover || takeover.flow === flow || objectionTo(state, takeover) !== '') continue;
      throw new ReplayError(
        'OTHER_FLOW',
        `Cannot replay lane ${tenant} beyond position ${position}: there flow ${takeover.flow} takes over, and this is ${flow}`,
      );
    }
  }

  return {
    get upTo() {
      return upTo;
    },
    summary: () => summarize(state),
    async *run(source, until) {
      while (upTo < until) {
        const page = await source.read(upTo);
        if (page.upTo === upTo) return;
        const { position } = metaOf(state);
        const records = page.records.filter((record) => record.position > position && record.position <= until);
        refuseTakeovers(records);
        const result = step(state, records);
        state = result.state;
        upTo = Math.min(page.upTo, until);
        yield { outputs: result.outputs, records: records.length, upTo };
      }
    },
    adopt({ head, state: saved }, by) {
      const { position, recordId } = metaOf(state);
      if (position !== head.position || recordId !== head.recordId) {
        throw new ReplayError(
          'RECORDS_MISSING',
          `Cannot go on with lane ${tenant} from its checkpoint at ${head.position} (${head.recordId}): the replay is at ${position} (${recordId})`,
        );
      }
      state = saved;
      flow = by;
    },
    holdEpoch(epoch) {
      beginEpoch(state, epoch, '');
    },
  };
}
