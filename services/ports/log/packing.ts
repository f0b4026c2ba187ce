/**
 * A batch as one piece of bytes: how it crosses to the writer's thread and how it lies in its row. Storing a row per
 * record would cost more than all else that an edge does for a delivery save for verifying it.
 *
 * Per record: length of the key (uint16), key (UTF-8), length of the frame (uint32), frame.
 */
import type { LogRecord, NewRecord } from './log.ts';

const keyLengthBytes = 2;
const frameLengthBytes = 4;

export function packBatch(batch: readonly NewRecord[]): Buffer {
  const keys = batch.map(({ key }) => ({ key, length: Buffer.byteLength(key) }));
  let size = 0;
  for (const [index, { frame }] of batch.entries()) {
    size += keyLengthBytes + keys[index]!.length + frameLengthBytes + frame.length;
  }
  // Not from the pool of small buffers: the memory is transferred to another thread.
  const packed = Buffer.from(new ArrayBuffer(size));
  let offset = 0;
  for (const [index, { frame }] of batch.entries()) {
    const { key, length } = keys[index]!;
    offset = packed.writeUInt16BE(length, offset);
    offset += packed.write(key, offset);
    offset = packed.writeUInt32BE(frame.length, offset);
    packed.set(frame, offset);
    offset += frame.length;
  }
  return packed;
}

/**
 * The `count` records of a batch whose first one has position `first`. Frames are views of `packed`. Throws where the batch
 * turns out to be damaged, behind the records before.
 */
export function* unpackBatch(packed: Uint8Array, first: number, count: number): Generator<LogRecord, void, void> {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  let position = first;
  for (let offset = 0; offset < bytes.length; position++) {
    const keyAt = offset + keyLengthBytes;
    const lengthAt = keyAt + bytes.readUInt16BE(offset);
    const frameAt = lengthAt + frameLengthBytes;
    offset = frameAt + bytes.readUInt32BE(lengthAt);
    if (offset > bytes.length || position === first + count) throw damaged(first);
    yield { position, key: bytes.toString('utf8', keyAt, lengthAt), frame: packed.subarray(frameAt, offset) };
  }
  if (position !== first + count) throw damaged(first);
}

function damaged(first: number): Error {
  return new Error(`Cannot read the batch at position ${first}: it is damaged`);
}
