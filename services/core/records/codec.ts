/**
 * Frames of the log: Confluent framing (a zero byte, the schema's id as int32, the Avro body).
 *
 * A frame written under any version of a schema decodes into the newest one; what the writer did not know takes the
 * field's default.
 */
import avro from 'avsc';
import { type RecordTypes, schemas } from './generated.ts';

export type RecordKind = keyof RecordTypes;
/** A decoded frame: `{ kind: 'delivery', value: Delivery }` and so on. */
export type DecodedRecord = { [K in RecordKind]: { kind: K; value: RecordTypes[K] } }[RecordKind];

/** A frame that cannot be decoded: damaged, or written by a newer Hookwatch. A retry does not help. */
export class FrameError extends Error {
  readonly code = 'FRAME_INVALID';
}

interface Reader {
  kind: RecordKind;
  decode(frame: Buffer): unknown;
}

const headerBytes = 5;
const newest = new Map<RecordKind, { id: number; type: avro.Type }>();
for (const { id, kind, schema } of schemas) newest.set(kind, { id, type: avro.Type.forSchema(schema as avro.Schema) });

const readers = new Map<number, Reader>(
  schemas.map(({ id, kind, schema }) => {
    const writer = avro.Type.forSchema(schema as avro.Schema);
    const current = newest.get(kind)!;
    const resolver = current.id === id ? undefined : current.type.createResolver(writer);
    return [id, { kind, decode: (frame) => decodeBody(current.type, frame, resolver) }];
  }),
);

function decodeBody(type: avro.Type, frame: Buffer, resolver: avro.Resolver | undefined): unknown {
  const { value, offset } = type.decode(frame, headerBytes, resolver);
  if (offset !== frame.length)
    throw new FrameError(`Cannot decode frame: ${frame.length} bytes, body ends at ${offset}`);
  return value;
}

/** The framed bytes of a record, under the newest version of its schema. */
export function encode<K extends RecordKind>(kind: K, value: RecordTypes[K]): Buffer {
  const { id, type } = newest.get(kind)!;
  const body = type.toBuffer(value);
  const frame = Buffer.allocUnsafe(headerBytes + body.length);
  frame.writeUInt8(0, 0);
  frame.writeInt32BE(id, 1);
  body.copy(frame, headerBytes);
  return frame;
}

/** The schema id in a frame's header, without decoding the body. Throws FrameError. */
export function schemaIdOf(frame: Uint8Array): number {
  if (frame.length < headerBytes || frame[0] !== 0) {
    throw new FrameError(
      `Cannot decode frame: ${frame.length} bytes that do not start with a zero byte and a schema id`,
    );
  }
  return new DataView(frame.buffer, frame.byteOffset).getInt32(1);
}

/** The record in a frame. Throws FrameError. */
export function decode(frame: Uint8Array): DecodedRecord {
  const reader = readers.get(schemaIdOf(frame));
  if (!reader) throw new FrameError(`Cannot decode frame: schema id ${schemaIdOf(frame)} is not in lock.json`);
  const buffer = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  try {
    return { kind: reader.kind, value: reader.decode(buffer) } as DecodedRecord;
  } catch (error) {
    if (error instanceof FrameError) throw error;
    throw new FrameError(`Cannot decode frame as ${reader.kind}: the body is damaged`, { cause: error });
  }
}
