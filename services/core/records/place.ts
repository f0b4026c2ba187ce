/**
 * Where a record stands, read from the beginning of its frame: who only passes records on need not decode bodies of
 * hundreds of kilobytes.
 */
import { FrameError, isOfKnownSchema, kindOf, schemaIdOf } from './codec.ts';
import { openFrame, readLong, readString } from './cursor.ts';

/** The fields with which every version of the schemas of a lane's records begins, without `position`. */
export interface Place {
  /** `record`: one or the other, under a schema that only a newer Hookwatch knows. */
  kind: 'delivery' | 'control' | 'record';
  tenant: string;
  boot: string;
  seq: number;
  id: string;
  /** Epoch milliseconds. */
  receivedAt: number;
}

/** The names of those fields, in their order. A test holds every version of both schemas to it. */
export const placeFields = ['tenant', 'boot', 'seq', 'position', 'id', 'received_at'] as const;

/**
 * The place of a lane's record. Throws FrameError where the frame holds no such record, or ends before its place does;
 * what follows the place is not looked at.
 */
export function placeOf(frame: Uint8Array): Place {
  const kind = kindOf(schemaIdOf(frame));
  if (kind !== 'delivery' && kind !== 'control') throw new FrameError(`Cannot place frame: a lane holds no ${kind}`);
  return readPlace(kind, frame);
}

/** The same, also of a frame that a newer Hookwatch wrote: its place is where it always was. */
export function placeOfAnyVersion(frame: Uint8Array): Place {
  return isOfKnownSchema(frame) ? placeOf(frame) : readPlace('record', frame);
}

function readPlace(kind: Place['kind'], frame: Uint8Array): Place {
  const cursor = openFrame(frame);
  const [tenant, boot, seq] = [readString(cursor), readString(cursor), readLong(cursor)];
  readLong(cursor);
  return { kind, tenant, boot, seq, id: readString(cursor), receivedAt: readLong(cursor) };
}
