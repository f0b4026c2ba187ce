/**
 * The answer to a fetch of Kafka (Fetch 11, record batch 2), read in one pass. kafkajs makes some twenty objects of each
 * record, most of them for headers, which nobody looks at here.
 */
import type { LogRecord } from './log.ts';

export interface FetchReply {
  errorCode: number;
  /** Milliseconds for which Kafka wants to be left alone. */
  clientSideThrottleTime: number;
  responses: { topicName: string; partitions: FetchedPartition[] }[];
}

export interface FetchedPartition {
  partition: number;
  errorCode: number;
  highWatermark: number;
  /** Also those of the first batch that come before the position that was asked for. */
  records: LogRecord[];
}

/** By the number that Kafka knows them by: how what a codec has made smaller is brought back. */
export type Inflate = Readonly<Record<number, (bytes: Buffer) => Promise<Buffer>>>;

const batchHeaderBytes = 61;
/** Of a batch: its base offset and its length. */
const lengthEnd = 12;
const magic = 2;
const codecMask = 0x7;
const controlFlag = 0x20;

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

export async function decodeFetch(bytes: Buffer, inflate: Inflate): Promise<FetchReply> {
  const cursor: Cursor = { bytes, at: 0 };
  const clientSideThrottleTime = readInt32(cursor);
  const errorCode = readInt16(cursor);
  readInt32(cursor); // session
  const responses: FetchReply['responses'] = [];
  for (let topics = readInt32(cursor); topics > 0; topics--) {
    const topicName = readString(cursor);
    const partitions: FetchedPartition[] = [];
    for (let count = readInt32(cursor); count > 0; count--) partitions.push(await decodePartition(cursor, inflate));
    responses.push({ topicName, partitions });
  }
  return { errorCode, clientSideThrottleTime, responses };
}

async function decodePartition(cursor: Cursor, inflate: Inflate): Promise<FetchedPartition> {
  const partition = readInt32(cursor);
  const errorCode = readInt16(cursor);
  const highWatermark = readInt64(cursor);
  cursor.at += 16; // last stable offset, start of the log
  const aborted = Math.max(0, readInt32(cursor));
  cursor.at += 16 * aborted; // transactions that were given up
  cursor.at += 4; // preferred replica
  const size = Math.max(0, readInt32(cursor));
  const batches = cursor.bytes.subarray(cursor.at, cursor.at + size);
  cursor.at += size;
  return { partition, errorCode, highWatermark, records: await decodeBatches(batches, inflate) };
}

/** The records of whole batches; the last batch may have been cut off. */
export async function decodeBatches(bytes: Buffer, inflate: Inflate): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for (let start = 0; start + batchHeaderBytes <= bytes.length; ) {
    const end = start + lengthEnd + bytes.readInt32BE(start + 8);
    if (end > bytes.length) break;
    await decodeBatch(bytes.subarray(start, end), inflate, records);
    start = end;
  }
  return records;
}

async function decodeBatch(batch: Buffer, inflate: Inflate, records: LogRecord[]): Promise<void> {
  const attributes = batch.readInt16BE(21);
  if (batch[16] !== magic) throw new Error(`Cannot read a batch of format ${batch[16]}: Kafka 4 has none`);
  if (attributes & controlFlag) return;
  const codec = attributes & codecMask;
  const body = batch.subarray(batchHeaderBytes);
  if (codec !== 0 && !inflate[codec]) throw new Error(`Cannot read a batch that codec ${codec} has made smaller`);
  const first = Number(batch.readBigInt64BE());
  const cursor: Cursor = { bytes: codec === 0 ? body : await inflate[codec]!(body), at: 0 };
  for (let count = batch.readInt32BE(57); count > 0; count--) records.push(decodeRecord(cursor, first));
}

function decodeRecord(cursor: Cursor, first: number): LogRecord {
  const length = readVarint(cursor);
  const end = cursor.at + length;
  if (length < 0 || end > cursor.bytes.length) throw new Error('Cannot read a batch: a record is longer than the rest');
  cursor.at++; // attributes
  while (cursor.bytes[cursor.at++]! > 0x7f); // time, which may be too large for a number of 32 bits
  const position = first + readVarint(cursor);
  const key = readBytes(cursor).toString();
  const frame = readBytes(cursor);
  cursor.at = end; // headers
  return { position, key, frame };
}

function readBytes(cursor: Cursor): Buffer {
  const length = Math.max(0, readVarint(cursor));
  const start = cursor.at;
  cursor.at += length;
  return cursor.bytes.subarray(start, cursor.at);
}

/** Zigzag, of 32 bits. */
function readVarint(cursor: Cursor): number {
  let value = 0;
  let shift = 0;
  let byte: number;
  do {
    byte = cursor.bytes[cursor.at++]!;
    value |= (byte & 0x7f) << shift;
    shift += 7;
  } while (byte > 0x7f);
  return (value >>> 1) ^ -(value & 1);
}

function readInt16(cursor: Cursor): number {
  cursor.at += 2;
  return cursor.bytes.readInt16BE(cursor.at - 2);
}

function readInt32(cursor: Cursor): number {
  cursor.at += 4;
  return cursor.bytes.readInt32BE(cursor.at - 4);
}

function readInt64(cursor: Cursor): number {
  cursor.at += 8;
  return Number(cursor.bytes.readBigInt64BE(cursor.at - 8));
}

function readString(cursor: Cursor): string {
  const length = readInt16(cursor);
  cursor.at += length;
  return cursor.bytes.toString('utf8', cursor.at - length, cursor.at);
}
