/**
 * Where a record stands, read from the beginning of its frame: who only passes records on need not decode bodies of
 * hundreds of kilobytes.
 */
import { FrameError, kindOf, schemaIdOf } from './codec.ts';
import { openFrame, readLong, readString } from './cursor.ts';

/** The fields with which every version of the schemas of a lane's records begins, without `position`. */
export interface Place {
  kind: 'delivery' | 'control';
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
  const cursor = openFrame(frame);
  const [tenant, boot, seq] = [readString(cursor), readString(cursor), readLong(cursor)];
  readLong(cursor);
  return { kind, tenant, boot, seq, id: readString(cursor), receivedAt: readLong(cursor) };
}
