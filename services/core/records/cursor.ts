/** Avro's binary encoding, read by hand where decoding a whole record would cost too much, or cannot be risked. */
import { FrameError, headerBytes } from './codec.ts';

/** A place within a frame. */
export interface Cursor {
  readonly bytes: Buffer;
  offset: number;
}

/** At the first byte of the frame's body. */
export function openFrame(frame: Uint8Array): Cursor {
  const bytes = Buffer.isBuffer(frame) ? frame : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  return { bytes, offset: headerBytes };
}

/** A zigzag varint. Up to 2^54 - 4 before the sign is unfolded, every long that the codec writes is exact as a number. */
export function readLong(cursor: Cursor): number {
  let folded = 0;
  let scale = 1;
  let byte: number | undefined;
  do {
    byte = cursor.bytes[cursor.offset++];
    if (byte === undefined || scale > 2 ** 49) throw new FrameError('Cannot read frame: a number does not end');
    folded += (byte & 0x7f) * scale;
    scale *= 128;
  } while (byte >= 0x80);
  if (folded > 2 ** 54 - 4) throw new FrameError('Cannot read frame: a number is too large');
  return folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
}

/** A count of bytes, then UTF-8. */
export function readString(cursor: Cursor): string {
  const length = readLong(cursor);
  const start = cursor.offset;
  skipBytes(cursor, length);
  return cursor.bytes.toString('utf8', start, cursor.offset);
}

export function skipBytes(cursor: Cursor, length: number): void {
  const { bytes, offset } = cursor;
  if (length < 0 || offset + length > bytes.length) {
    throw new FrameError(`Cannot read frame: ${length} bytes at ${offset} of ${bytes.length}`);
  }
  cursor.offset += length;
}
