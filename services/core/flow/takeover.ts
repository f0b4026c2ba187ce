/**
 * Another version of the code is another function of the lane. Only a takeover record changes which one works on it:
 *
 *   … epoch 1, flow a …  takeover {epoch: 2, flow: b, previous: a}  … epoch 2, flow b …
 *
 * The worker of a stops before the record, that of b begins with it. Rows of a later epoch replace earlier ones.
 */
import type { DecodedRecord } from '../records/codec.ts';
import type { Control } from '../records/generated.ts';
import { type Document, parseDocument } from './documents.ts';
import { confirmKnown } from './hierarchy.ts';
import { findOpenings } from './openings.ts';
import { type FlowState, metaOf } from './state.ts';

export type Takeover = Document<'takeover'>;

/** The takeover that a record asks for; undefined where it is none, or not a valid one. */
export function takeoverOf({ kind, value }: DecodedRecord): Takeover | undefined {
  if (kind !== 'control' || value.kind !== 'takeover') return undefined;
  const parsed = parseDocument('takeover', value.document);
  return parsed.ok ? parsed.value : undefined;
}

/** Why a lane in this state does not follow a takeover; empty where it does, or has done so. */
export function objectionTo(state: FlowState, { epoch, flow, previous }: Takeover): string {
  const meta = metaOf(state);
  if (epoch === meta.epoch && flow === meta.flow) return '';
  if (epoch !== meta.epoch + 1) return `it begins epoch ${epoch}, but the lane is in epoch ${meta.epoch}`;
  if (meta.flow !== '' && previous !== meta.flow) {
    return `it takes over from flow ${previous || '(unknown)'}, but ${meta.flow} works on the lane`;
  }
  return '';
}

/** Takes a takeover record. Returns why it was ignored, or an empty string. */
export function applyTakeover(state: FlowState, control: Control): string {
  const parsed = parseDocument('takeover', control.document);
  if (!parsed.ok) return `ignored: ${parsed.problem}`;
  const objection = objectionTo(state, parsed.value);
  if (objection !== '') return `ignored: ${objection}`;
  beginEpoch(state, parsed.value.epoch, parsed.value.flow);
  return '';
}

/** What is worked on from here on belongs to an epoch and a flow; for the worker that begins at a takeover. */
export function beginEpoch(state: FlowState, epoch: number, flow: string): void {
  state.meta.set('', '', { ...metaOf(state), epoch, flow });
  findOpenings(state);
  confirmKnown(state);
}
