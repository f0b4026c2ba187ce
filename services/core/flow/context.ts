import type { Decode, Fact } from '../providers/provider.ts';
import type { OutputKind } from '../records/codec.ts';
import type { Delivery, RecordTypes } from '../records/generated.ts';
import { versionOf } from './ids.ts';
import type { FlowState, Settings } from './state.ts';

/** A fact that stands in the lane: what the stages of the flow are given, one after the other. */
export interface Occurrence {
  fact: Fact;
  delivery: Delivery;
  /** Id of its event. */
  event: string;
  /** When it happened, by the time rules; epoch milliseconds. */
  time: number;
}

/** What one record is worked with: the state, the settings in force, and where outputs go. */
export interface StepContext {
  state: FlowState;
  settings: Settings;
  tenant: string;
  /** Position of the record that is being worked on. */
  position: number;
  epoch: number;
  /** By provider. */
  decoders: Decoders;
  emit<K extends OutputKind>(kind: K, value: RecordTypes[K]): void;
  /** Does a part of the work. Where it throws it leaves no trace, and `fail` says so. */
  attempt(work: () => void, fail: (error: Error) => void): void;
}

export type Decoders = ReadonlyMap<string, Decode>;

/** The columns that every output but deliveries and controls starts with. */
export function envelope(context: StepContext, id: string, revision: number, firstReceivedAt: number) {
  return {
    tenant: context.tenant,
    id,
    version: versionOf(context.epoch, revision),
    withdrawn: false,
    replaced_by: '',
    first_received_at: firstReceivedAt,
    position: context.position,
  };
}

/** `{ kind: 'event', value: Event }` and so on. */
export type Output = { [K in OutputKind]: { kind: K; value: RecordTypes[K] } }[OutputKind];
