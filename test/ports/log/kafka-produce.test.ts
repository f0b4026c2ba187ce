import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeBatch, kafkaMessageBytesMax } from '../../../services/ports/log/kafka-produce.ts';
import type { NewRecord } from '../../../services/ports/log/log.ts';

const inside = (module: string) => createRequire(import.meta.url)(`kafkajs/src/protocol/${module}`);
const decodeBatch = inside('recordBatch/v0/decoder.js');
const Decoder = inside('decoder.js');
const crc32c = inside('recordBatch/crc32C/crc32C.js') as (bytes: Buffer) => number;

/** As it is: no codec. */
const plain = { id: 0, compress: async (records: Buffer) => Buffer.from(records) };

interface Decoded {
  lastOffsetDelta: number;
  records: { key: Buffer; value: Buffer; headers: Record<string, Buffer>; timestamp: string; offset: string }[];
}

/** The batch as kafkajs reads it behind the offset and the length that it takes for itself. */
async function decode(batch: Buffer): Promise<Decoded> {
  return decodeBatch(new Decoder(batch));
}

const texts = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 40 }));
/** Around the sizes at which a length takes another byte. */
const sizes = fc.oneof(fc.nat({ max: 130 }), fc.integer({ min: 7_900, max: 8_250 }));
const records: fc.Arbitrary<NewRecord> = fc.record(
  {
    key: texts,
    frame: fc.tuple(sizes, fc.nat({ max: 255 })).map(([size, byte]) => Buffer.alloc(size, byte)),
    headers: fc.dictionary(
      texts.map((name) => `ce_${name}`),
      texts,
      { maxKeys: 9 },
    ),
  },
  { requiredKeys: ['key', 'frame'] },
);

describe('a batch', () => {
  test('is read by others as it was written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(records, { minLength: 1, maxLength: 70 }), async (written) => {
        const { records: read, lastOffsetDelta } = await decode(await encodeBatch(written, plain, crc32c, 1_700));
        expect(lastOffsetDelta).toBe(written.length - 1);
        const asWritten = read.map(({ key, value, headers, timestamp, offset }) => ({
          key: key.toString(),
          frame: value.toString('latin1'),
          headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, `${text}`])),
          timestamp,
          offset,
        }));
        expect(asWritten).toEqual(
          written.map(({ key, frame, headers = {} }, index) => ({
            ...{
              key: Buffer.from(key).toString(),
              frame: Buffer.from(frame).toString('latin1'),
              timestamp: '1700',
              offset: `${index}`,
            },
            headers: Object.fromEntries(
              Object.entries(headers).map((pair) => pair.map((text) => `${Buffer.from(text)}`)),
            ),
          })),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('has the checksum of what follows it', async () => {
    const batch = await encodeBatch([{ key: 'acme', frame: Buffer.from('x') }], plain, crc32c);
    expect(batch.readUInt32BE(17)).toBe(crc32c(batch.subarray(21)));
    expect(batch.readInt32BE(8)).toBe(batch.length - 12);
  });

  test.each([
    { what: 'frames', frame: Buffer.alloc(kafkaMessageBytesMax - 40), headers: {}, fits: true },
    { what: 'frames', frame: Buffer.alloc(kafkaMessageBytesMax), headers: {}, fits: false },
    { what: 'headers', frame: Buffer.alloc(1), headers: { a: 'ä'.repeat(kafkaMessageBytesMax / 2) }, fits: false },
  ])('of large $what is refused where it is too large', async ({ fits, frame, headers }) => {
    const encoding = encodeBatch([{ key: 'acme', frame, headers }], plain, crc32c);
    if (fits) await encoding;
    else await expect(encoding).rejects.toThrow(/Cannot append 1 records of \d+ bytes/);
  });
});
