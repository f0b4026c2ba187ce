/**
 * The flow: what a lane's records mean. A pure function of the lane; whoever works on it gets the same outputs.
 *
 *   admit (gapless per producer) → decode → whose → copies → entities → episodes → panes → rules
 *
 * Laws, held by property tests:
 * 1. step(step(s, a), b) = step(s, a ++ b), outputs joined: nothing depends on how records are batched.
 * 2. A state restored from a snapshot goes on exactly as the one that was saved.
 * 3. A record that came before has no effect. A record on which anything throws leaves no trace but the reject
 *    `internal`, and the lane goes on.
 */

import type { RejectReason } from '../providers/provider.ts';
import { decoders as allDecoders } from '../providers/providers.ts';
import type { DecodedRecord, OutputKind } from '../records/codec.ts';
import type { RecordTypes } from '../records/generated.ts';
import type { Decoders, Output, StepContext } from './context.ts';
import { keepControl, workControl } from './controls.ts';
import { keepDelivery, workDelivery } from './deliveries.ts';
import { type Admission, admit } from './producers.ts';
import { reject } from './rejects.ts';
import { settingsOf } from './settings.ts';
import { type FlowState, metaOf, type Settings, settingsDefaults } from './state.ts';

/** A record of a lane at its position. */
export interface LaneRecord {
  position: number;
  record: DecodedRecord;
}

/** The lane cannot be worked on at all; a retry does not help. */
export class LaneError extends Error {
  readonly code: 'GENESIS_MISSING' | 'RECORD_UNEXPECTED' | 'POSITION_PASSED';
  constructor(code: LaneError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export interface StepResult {
  state: FlowState;
  outputs: Output[];
}

/** In force before the first settings record, which alone is worked with them. */
const beforeGenesis: Settings = {
  id: '',
  roots: [],
  endpoints: [],
  rules: { 'account-created-then-servers': { servers: 5, within_ms: 3_600_000 } },
  time: { past_ms: 3_600_000, future_ms: 60_000 },
  slack_ms: 2_000,
  lateness_ms: 172_800_000,
  ...settingsDefaults,
};

/**
 * Works on records of one lane, in order. The state is taken over: use the one that is returned.
 * @throws LaneError where the lane does not begin with settings, or goes back.
 */
export function step(state: FlowState, records: readonly LaneRecord[], decoders: Decoders = allDecoders): StepResult {
  const outputs: Output[] = [];
  for (const { position, record } of records) {
    if (record.kind !== 'delivery' && record.kind !== 'control') {
      throw new LaneError(
        'RECORD_UNEXPECTED',
        `Cannot work on position ${position}: a lane holds no ${record.kind} records`,
      );
    }
    if (position <= metaOf(state).position) {
      throw new LaneError(
        'POSITION_PASSED',
        `Cannot work on position ${position}: the lane is at ${metaOf(state).position}`,
      );
    }
    if (!settingsOf(state) && !(record.kind === 'control' && record.value.kind === 'settings')) {
      throw new LaneError(
        'GENESIS_MISSING',
        `Cannot work on position ${position}: the lane does not begin with settings and there is no checkpoint of it`,
      );
    }
    workRecord(state, position, record, outputs, decoders);
  }
  return { state, outputs };
}

type LaneInput = Extract<DecodedRecord, { kind: 'delivery' | 'control' }>;

function workRecord(state: FlowState, position: number, input: LaneInput, outputs: Output[], decoders: Decoders): void {
  state.tables.begin();
  const context = createContext(state, position, input, outputs, decoders);
  context.attempt(
    () => {
      if (begin(context, input) !== 'next') return;
      if (input.kind === 'delivery') workDelivery(context, input.value);
      else workControl(context, input.value);
    },
    (error) => {
      begin(context, input);
      rejectInternal(context, input, error);
    },
  );
}

function createContext(
  state: FlowState,
  position: number,
  input: LaneInput,
  outputs: Output[],
  decoders: Decoders,
): StepContext {
  return {
    state,
    settings: settingsOf(state) ?? beforeGenesis,
    tenant: input.value.tenant,
    position,
    epoch: metaOf(state).epoch,
    decoders,
    emit<K extends OutputKind>(kind: K, value: RecordTypes[K]) {
      outputs.push({ kind, value } as Output);
    },
    attempt(work, fail) {
      const mark = state.tables.mark();
      const { length } = outputs;
      try {
        work();
      } catch (error) {
        state.tables.rollback(mark);
        outputs.length = length;
        fail(error as Error);
      }
    },
  };
}

/** What every record does, whatever follows: it moves the lane's position, its clock, and its producer's number. */
function begin(context: StepContext, { value }: LaneInput): Admission {
  const { state, position } = context;
  const meta = metaOf(state);
  state.meta.set('', '', { ...meta, position, recordId: value.id, now: Math.max(meta.now, value.received_at) });
  return admit(state, value);
}

function rejectInternal(context: StepContext, input: LaneInput, error: Error): void {
  const detail = `the flow failed on it: ${error.message}`;
  if (input.kind === 'control') return keepControl(context, input.value, `internal: ${detail}`);
  keepDelivery(context, input.value);
  reject(context, input.value, 'internal' satisfies RejectReason, detail);
}
