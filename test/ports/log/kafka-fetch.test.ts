import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { decodeBatches, decodeFetch } from '../../../services/ports/log/kafka-fetch.ts';
import { encodeBatch } from '../../../services/ports/log/kafka-produce.ts';

const inside = (module: string) => createRequire(import.meta.url)(`kafkajs/src/protocol/${module}`);
const Encoder = inside('encoder.js');
const { RecordBatch } = inside('recordBatch/v0/index.js');
const Record = inside('recordBatch/record/v0/index.js');
const doubled = { id: 5, compress: async (bytes: Buffer) => Buffer.concat([bytes, bytes]) };
const halves = { 5: async (bytes: Buffer) => bytes.subarray(0, bytes.length / 2) };

/** As kafkajs writes it, with what our own batches have not: times of their own, and a place in the log. */
async function batchOfOthers(firstOffset: number, messages: object[], attributes = 0): Promise<Buffer> {
  const records = messages.map((message, offsetDelta) => Record({ offsetDelta, timestampDelta: 2 ** 40, ...message }));
  const { buffer } = await RecordBatch({ records, lastOffsetDelta: records.length - 1 });
  const batch = Buffer.from(buffer as Buffer);
  batch.writeBigInt64BE(BigInt(firstOffset));
  batch.writeInt16BE(attributes, 21);
  return batch;
}

const read = async (...batches: Buffer[]) =>
  (await decodeBatches(Buffer.concat(batches), halves)).map(({ position, key, frame }) => [position, key, `${frame}`]);

describe('batches', () => {
  test('of others are read, whatever stands beside key and value', async () => {
    const first = await batchOfOthers(70_000, [
      { key: 'acme', value: 'one', headers: { a: 'x', b: ['y', 'z'] } },
      { key: 'bolt', value: '' },
    ]);
    const second = await batchOfOthers(2 ** 40, [{ key: null, value: null }]);
    expect(await read(first, second)).toEqual([
      [70_000, 'acme', 'one'],
      [70_001, 'bolt', ''],
      [2 ** 40, '', ''],
    ]);
  });

  test('of our own are read, long and many', async () => {
    const records = Array.from({ length: 300 }, (_, n) => ({
      ...{ key: `tenant-${n % 3}`, frame: Buffer.from('x'.repeat(10 * n)) },
      headers: { ce_id: `ü${n}` },
    }));
    const batch = await encodeBatch(records, doubled, () => 0);
    expect(await read(batch)).toEqual(records.map(({ key, frame }, position) => [position, key, `${frame}`]));
  });

  test('one that was cut off, and those of transactions, are left out', async () => {
    const whole = await batchOfOthers(0, [{ key: 'acme', value: 'one' }]);
    const control = await batchOfOthers(1, [{ key: 'acme', value: 'none' }], 0x20);
    for (const cut of [whole.length - 1, 61, 12, 3]) {
      expect(await read(whole, control, whole.subarray(0, cut))).toEqual([[0, 'acme', 'one']]);
    }
  });

  test.each([
    { what: 'of a codec that nobody here has', attributes: 1, message: /codec 1/ },
    { what: 'whose inside is torn', attributes: 5, message: /a record is longer/ },
  ])('one $what is no end of the log', async ({ attributes, message }) => {
    const batch = await batchOfOthers(0, [{ key: 'acme', value: 'one' }], attributes);
    await expect(read(batch)).rejects.toThrow(message);
  });
});

test('an answer is read to its end', async () => {
  const batch = await batchOfOthers(7, [{ key: 'acme', value: 'one' }]);
  const partition = (number: number, errorCode: number, aborted: number, records: Buffer) => {
    const encoder = new Encoder().writeInt32(number).writeInt16(errorCode).writeInt64(9).writeInt64(9).writeInt64(0);
    encoder.writeInt32(aborted);
    for (let n = 0; n < aborted; n++) encoder.writeInt64(1).writeInt64(2);
    return encoder.writeInt32(-1).writeBytes(records);
  };
  const topic = (name: string, partitions: unknown[]) => new Encoder().writeString(name).writeArray(partitions);
  const topics = [
    topic('lanes', [partition(0, 0, 2, batch), partition(1, 1, -1, Buffer.alloc(0))]),
    topic('events', [partition(5, 0, 0, batch)]),
  ];
  const answer = new Encoder().writeInt32(40).writeInt16(0).writeInt32(3).writeArray(topics);
  const found = (number: number, errorCode: number, records: unknown[]) => ({
    ...{ partition: number, errorCode, highWatermark: 9 },
    records,
  });
  const record = { position: 7, key: 'acme', frame: Buffer.from('one') };
  expect(await decodeFetch(answer.buffer, halves)).toEqual({
    ...{ errorCode: 0, clientSideThrottleTime: 40 },
    responses: [
      { topicName: 'lanes', partitions: [found(0, 0, [record]), found(1, 1, [])] },
      { topicName: 'events', partitions: [found(5, 0, [record])] },
    ],
  });
});
