/**
 * One batch of one partition as Kafka takes it (Produce 7, record batch 2), written in one pass into one buffer. kafkajs
 * makes a buffer of half a kilobyte for each record and each header, which costs a worker more than all else that it does.
 *
 * https://kafka.apache.org/documentation/#recordbatch
 */
import type { NewRecord } from './log.ts';

export interface ProduceRequest {
  topic: string;
  partition: number;
  batch: readonly NewRecord[];
  /** How long the broker may wait for replicas. */
  timeoutMs: number;
}

/** What the records of a batch are made smaller with: the number that Kafka knows it by, and how. */
export interface Codec {
  id: number;
  /** Resolves to memory of its own: what it is given is written over afterwards. */
  compress(records: Buffer): Promise<Buffer>;
}

/** `max.message.bytes` of the topics: of a batch with its keys and headers, before it is compressed. */
export const kafkaMessageBytesMax = 8 * 1024 * 1024;
/** Lengths, deltas and the like of a record in its batch, at most. */
const recordOverheadBytes = 32;
/** Two lengths of a header, at most. */
const headerOverheadBytes = 8;
const batchHeaderBytes = 61;
const produceVersion = 7;
const allReplicas = -1;
const maxAscii = 0x7f;
/** Of one unit of a string. */
const utf8BytesMax = 3;

/** A request as connections of kafkajs send it. */
export async function encodeProduce(request: ProduceRequest, codec: Codec, crc32c: (bytes: Buffer) => number) {
  const batch = await encodeBatch(request.batch, codec, crc32c);
  const topic = Buffer.from(request.topic);
  const head = Buffer.allocUnsafe(2 + 2 + 4 + 4 + 2 + topic.length + 4 + 4 + 4);
  let offset = head.writeInt16BE(-1); // no transaction
  offset = head.writeInt16BE(allReplicas, offset);
  offset = head.writeInt32BE(request.timeoutMs, offset);
  offset = head.writeInt32BE(1, offset); // topics
  offset = head.writeInt16BE(topic.length, offset);
  offset += topic.copy(head, offset);
  offset = head.writeInt32BE(1, offset); // partitions
  offset = head.writeInt32BE(request.partition, offset);
  head.writeInt32BE(batch.length, offset);
  const buffer = Buffer.concat([head, batch]);
  return {
    apiKey: 0,
    apiVersion: produceVersion,
    apiName: 'Produce',
    expectResponse: () => true,
    encode: async () => ({ buf: buffer, buffer }),
  };
}

/**
 * A whole batch. Throws RangeError where it is too large: it cannot be split here, for then it could be torn.
 *
 * @param nowMs the time that all its records have where the topic does not give them its own; epoch milliseconds
 */
export async function encodeBatch(
  records: readonly NewRecord[],
  codec: Codec,
  crc32c: (bytes: Buffer) => number,
  nowMs = Date.now(),
): Promise<Buffer> {
  const compressed = await compressRecords(records, codec);
  const batch = Buffer.allocUnsafe(batchHeaderBytes + compressed.length);
  let offset = batch.writeBigInt64BE(0n); // base offset: the broker gives it
  offset = batch.writeInt32BE(batch.length - 12, offset); // behind this field
  offset = batch.writeInt32BE(-1, offset); // leader epoch
  offset = batch.writeInt8(2, offset); // magic
  const crcAt = offset;
  offset = batch.writeInt16BE(codec.id, offset + 4);
  offset = batch.writeInt32BE(records.length - 1, offset);
  offset = batch.writeBigInt64BE(BigInt(nowMs), offset);
  offset = batch.writeBigInt64BE(BigInt(nowMs), offset);
  offset = batch.writeBigInt64BE(-1n, offset); // no producer, no epoch, no sequence of it
  offset = batch.writeInt16BE(-1, offset);
  offset = batch.writeInt32BE(-1, offset);
  offset = batch.writeInt32BE(records.length, offset);
  compressed.copy(batch, offset);
  batch.writeUInt32BE(crc32c(batch.subarray(crcAt + 4)), crcAt);
  return batch;
}

/**
 * Where records are written before they are compressed. Used again: for every 64 MB of buffers V8 looks through the whole
 * heap, and a worker's is as large as its lanes' state.
 */
const slabs: Buffer[] = [];
const slabsMax = 8;

async function compressRecords(records: readonly NewRecord[], codec: Codec): Promise<Buffer> {
  const room = records.reduce((sum, record) => sum + roomFor(record), 0);
  const free = slabs.findIndex((slab) => slab.length >= room);
  const slab = free < 0 ? Buffer.allocUnsafeSlow(room) : slabs.splice(free, 1)[0]!;
  try {
    return await codec.compress(slab.subarray(0, writeRecords(slab, records)));
  } finally {
    // The large ones stay: they fit for all.
    slabs.push(slab);
    slabs.sort((a, b) => a.length - b.length);
    if (slabs.length > slabsMax) slabs.shift();
  }
}

function writeRecords(bytes: Buffer, records: readonly NewRecord[]): number {
  let offset = 0;
  for (const [index, record] of records.entries()) offset = writeRecord(bytes, offset, index, record);
  if (offset <= kafkaMessageBytesMax) return offset;
  throw new RangeError(
    `Cannot append ${records.length} records of ${offset} bytes: a batch has ${kafkaMessageBytesMax} bytes at most`,
  );
}

/** So many bytes are enough for a record. */
function roomFor({ key, frame, headers }: NewRecord): number {
  let bytes = frame.byteLength + utf8BytesMax * key.length + recordOverheadBytes;
  for (const name in headers) bytes += utf8BytesMax * (name.length + headers[name]!.length) + headerOverheadBytes;
  return bytes;
}

function writeRecord(bytes: Buffer, start: number, index: number, record: NewRecord): number {
  const { key, frame, headers } = record;
  // The length comes first and is known last: room is left for one that is nearly always as long.
  const guess = sizeOfVarint(frame.byteLength + key.length);
  const bodyAt = start + guess;
  let offset = bodyAt;
  bytes[offset++] = 0; // attributes
  bytes[offset++] = 0; // no later than the batch
  offset = writeVarint(bytes, offset, index);
  offset = writeText(bytes, offset, key);
  offset = writeVarint(bytes, offset, frame.byteLength);
  bytes.set(frame, offset);
  offset = writeHeaders(bytes, offset + frame.byteLength, headers);
  const length = offset - bodyAt;
  const size = sizeOfVarint(length);
  if (size !== guess) bytes.copyWithin(start + size, bodyAt, offset);
  writeVarint(bytes, start, length);
  return start + size + length;
}

function writeHeaders(bytes: Buffer, start: number, headers: NewRecord['headers']): number {
  let count = 0;
  for (const _ in headers) count++;
  let offset = writeVarint(bytes, start, count);
  for (const name in headers) {
    offset = writeText(bytes, offset, name);
    offset = writeText(bytes, offset, headers[name]!);
  }
  return offset;
}

/** Short texts of ASCII, as nearly all are: a call out of JavaScript for each would take longer. */
function writeText(bytes: Buffer, start: number, text: string): number {
  let offset = writeVarint(bytes, start, text.length);
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > maxAscii) return writeUtf8(bytes, start, text);
    bytes[offset++] = code;
  }
  return offset;
}

function writeUtf8(bytes: Buffer, start: number, text: string): number {
  const offset = writeVarint(bytes, start, Buffer.byteLength(text));
  return offset + bytes.write(text, offset);
}

/** Zigzag: all that is written here is positive, and doubled so. Bounded by 2^30. */
function writeVarint(bytes: Buffer, start: number, value: number): number {
  let offset = start;
  let rest = value << 1;
  for (; rest > maxAscii; rest >>>= 7) bytes[offset++] = (rest & maxAscii) | 0x80;
  bytes[offset++] = rest;
  return offset;
}

function sizeOfVarint(value: number): number {
  let size = 1;
  for (let rest = value << 1; rest > maxAscii; rest >>>= 7) size++;
  return size;
}
