/**
 * Where a record stands, read from the beginning of its frame: who only passes records on need not decode bodies of
 * hundreds of kilobytes.
 */
import { FrameError, headerBytes, kindOf, schemaIdOf } from './codec.ts';

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
  const bytes = Buffer.isBuffer(frame) ? frame : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const cursor = { bytes, offset: headerBytes };
  const [tenant, boot, seq] = [readString(cursor), readString(cursor), readLong(cursor)];
  readLong(cursor);
  return { kind, tenant, boot, seq, id: readString(cursor), receivedAt: readLong(cursor) };
}

interface Cursor {
  bytes: Buffer;
  offset: number;
}

/** A count of bytes, then UTF-8. */
function readString(cursor: Cursor): string {
  const length = readLong(cursor);
  const start = cursor.offset;
  if (length < 0 || start + length > cursor.bytes.length) {
    throw new FrameError(`Cannot place frame: a string of ${length} bytes at ${start} of ${cursor.bytes.length}`);
  }
  cursor.offset += length;
  return cursor.bytes.toString('utf8', start, cursor.offset);
}

/** A zigzag varint. Up to 2^54 - 4 before the sign is unfolded, every long that the codec writes is exact as a number. */
function readLong(cursor: Cursor): number {
  let folded = 0;
  let scale = 1;
  let byte: number | undefined;
  do {
    byte = cursor.bytes[cursor.offset++];
    if (byte === undefined || scale > 2 ** 49) throw new FrameError('Cannot place frame: a number does not end');
    folded += (byte & 0x7f) * scale;
    scale *= 128;
  } while (byte >= 0x80);
  if (folded > 2 ** 54 - 4) throw new FrameError('Cannot place frame: a number is too large');
  return folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
}
