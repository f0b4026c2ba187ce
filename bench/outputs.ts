import { step } from '../services/core/flow/flow.ts';
import { createState } from '../services/core/flow/state.ts';
import { decode, encode, headerBytes, kindOf, type RecordKind, schemaIdOf } from '../services/core/records/codec.ts';
import type { LogRecord } from '../services/ports/log/log.ts';

/** The frames that the worker writes to its outputs for a lane. */
export function workOut(frames: readonly Buffer[]): Buffer[] {
  const records = frames.map((frame, position) => ({ position, record: decode(frame) }));
  return step(createState(), records).outputs.map(({ kind, value }) => encode(kind, value as never));
}

/** Rows of one kind, as one insert takes them. */
export interface Block {
  kind: RecordKind;
  schemaId: number;
  bodies: Uint8Array[];
}

/** A batch of the outputs by kind. */
export function splitByKind(batch: readonly Pick<LogRecord, 'frame'>[]): Block[] {
  return [...Map.groupBy(batch, ({ frame }) => schemaIdOf(frame))].map(([schemaId, records]) => ({
    kind: kindOf(schemaId),
    schemaId,
    bodies: records.map(({ frame }) => frame.subarray(headerBytes)),
  }));
}
