/**
 * Frames of the log: Confluent framing (a zero byte, the schema's id as int32, the Avro body).
 *
 * A frame written under any version of a schema decodes into the newest one; what the writer did not know takes the
 * field's default.
 */
import avro from 'avsc';
import { type RecordTypes, schemas } from './generated.ts';

export type RecordKind = keyof RecordTypes;
/** What the flow makes of a lane: each kind has a table, and where others read along, a topic. */
export const outputKinds = [
  'delivery',
  'control',
  'event',
  'episode',
  'pane',
  'detection',
  'reject',
  'change',
  'hierarchy',
  'loss',
  'backup',
  'coverage',
  'reconciliation',
] as const;
export type OutputKind = (typeof outputKinds)[number];
/** A decoded frame: `{ kind: 'delivery', value: Delivery }` and so on. */
export type DecodedRecord = { [K in RecordKind]: { kind: K; value: RecordTypes[K] } }[RecordKind];

/** A frame that cannot be decoded: damaged, or written by a newer Hookwatch. A retry does not help. */
export class FrameError extends Error {
  readonly code = 'FRAME_INVALID';
}

/** A version of a schema: `{ id: 1, kind: 'delivery', version: 1, schema: { type: 'record', ... } }`. */
export interface SchemaVersion {
  id: number;
  kind: string;
  version: number;
  schema: object;
}

interface Reader {
  kind: string;
  type: avro.Type;
  resolver: avro.Resolver | undefined;
}

/** Gives memory of so many bytes, with anything in it. */
export type Allocate = (bytes: number) => Buffer;

/** Frames under any table of schema versions; the project's own table is behind `encode` and `decode`. */
export interface Codec {
  encode(kind: string, value: unknown, allocate?: Allocate): Buffer;
  decode(frame: Uint8Array): { kind: string; value: unknown };
}

/** Bytes of a frame before its Avro body. */
export const headerBytes = 5;

/** Makes the codec of a table, which lists the versions of each kind in ascending order. */
export function createCodec(table: readonly SchemaVersion[]): Codec {
  const newest = new Map<string, { id: number; type: avro.Type }>();
  for (const { id, kind, schema } of table) {
    newest.set(kind, { id, type: avro.Type.forSchema(schema as avro.Schema, { typeHook: replaceBytes }) });
  }

  const readers = new Map<number, Reader>(
    table.map(({ id, kind, schema }) => {
      const { id: newestId, type } = newest.get(kind)!;
      const resolver = newestId === id ? undefined : type.createResolver(avro.Type.forSchema(schema as avro.Schema));
      return [id, { kind, type, resolver }];
    }),
  );

  return {
    encode(kind, value, allocate = Buffer.allocUnsafe) {
      const { id, type } = newest.get(kind)!;
      return frameOf(id, type, value, allocate);
    },
    decode(frame) {
      const id = schemaIdOf(frame);
      const reader = readers.get(id);
      if (!reader) throw new FrameError(`Cannot decode frame: schema id ${id} is not in lock.json`);
      return { kind: reader.kind, value: decodeBody(reader, frame) };
    },
  };
}

/** What avsc reads from. */
interface Tap {
  buf: Buffer;
  pos: number;
  readLong(): number;
  _invalidate(): void;
}

/** Bytes as avsc has them, but read into memory that was not cleared before: that took longer than all else of a delivery. */
class PlainBytesType extends avro.types.BytesType {
  _read(tap: Tap): Buffer | undefined {
    const length = tap.readLong();
    if (length < 0) return void tap._invalidate();
    const start = tap.pos;
    tap.pos += length;
    if (tap.pos > tap.buf.length) return undefined;
    const copy = Buffer.allocUnsafe(length);
    tap.buf.copy(copy, 0, start, tap.pos);
    return copy;
  }
}

function replaceBytes(schema: avro.Schema): avro.Type | undefined {
  const name = typeof schema === 'string' ? schema : (schema as { type?: unknown }).type;
  return name === 'bytes' ? new PlainBytesType() : undefined;
}

/** Where frames are built: avsc's own buffer is so small that it encodes most deliveries twice. */
const slab = Buffer.allocUnsafeSlow(64 * 1024);

function frameOf(id: number, type: avro.Type, value: unknown, allocate: Allocate): Buffer {
  const end = type.encode(value, slab, headerBytes);
  // A negative end says how many bytes are missing.
  const frame = allocate(end < 0 ? slab.length - end : end);
  if (end < 0) type.encode(value, frame, headerBytes);
  else slab.copy(frame, headerBytes, headerBytes, end);
  frame.writeUInt8(0, 0);
  frame.writeInt32BE(id, 1);
  return frame;
}

function decodeBody({ kind, type, resolver }: Reader, frame: Uint8Array): unknown {
  const buffer = Buffer.isBuffer(frame) ? frame : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  let decoded: { value: unknown; offset: number };
  try {
    decoded = type.decode(buffer, headerBytes, resolver);
  } catch (error) {
    throw new FrameError(`Cannot decode frame as ${kind}: the body is damaged`, { cause: error });
  }
  if (decoded.offset !== frame.length) {
    throw new FrameError(`Cannot decode frame as ${kind}: ${frame.length} bytes, body ends at ${decoded.offset}`);
  }
  return decoded.value;
}

const codec = createCodec(schemas);

/**
 * The framed bytes of a record, under the newest version of its schema. Throws on a value that the schema does not
 * know: a programmer error. Longs must lie in [-2^52, 2^53 - 2]; avsc 5.7 writes lower ones wrong, without a word.
 */
export function encode<K extends RecordKind>(kind: K, value: RecordTypes[K], allocate?: Allocate): Buffer {
  return codec.encode(kind, value, allocate);
}

/**
 * The record in a frame. Throws FrameError. Meant for frames that a log has kept whole: where the count of a list is
 * damaged, avsc may try very long before it gives up.
 */
export function decode(frame: Uint8Array): DecodedRecord {
  return codec.decode(frame) as DecodedRecord;
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

const kinds = new Map(schemas.map(({ id, kind }) => [id, kind]));

/** False for a frame of a schema that only a newer Hookwatch knows. Throws FrameError where it is no frame at all. */
export function isOfKnownSchema(frame: Uint8Array): boolean {
  return kinds.has(schemaIdOf(frame));
}

/** The kind of record that a schema id stands for. Throws FrameError. */
export function kindOf(schemaId: number): RecordKind {
  const kind = kinds.get(schemaId);
  if (!kind) throw new FrameError(`Cannot read frame: schema id ${schemaId} is not in lock.json`);
  return kind;
}
