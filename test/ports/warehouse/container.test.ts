import avro from 'avsc';
import { expect, test } from 'vitest';
import { containerParts } from '../../../services/ports/warehouse/container.ts';

const schema = { type: 'record', name: 'Row', fields: [{ name: 'text', type: 'string' }] } as const;
const type = avro.Type.forSchema(schema as unknown as avro.Schema);

function decode(bytes: Buffer): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const rows: unknown[] = [];
    const decoder = new avro.streams.BlockDecoder();
    decoder
      .on('data', (row) => rows.push(row))
      .on('end', () => resolve(rows))
      .on('error', reject);
    decoder.end(bytes);
  });
}

test.each([1, 2, 63, 64, 65, 8_191, 8_193])('another Avro library reads %i rows', async (count) => {
  const rows = Array.from({ length: count }, (_, index) => ({ text: `row ${index}` }));
  const bodies = rows.map((row) => type.toBuffer(row));
  expect(await decode(Buffer.concat(containerParts(schema, bodies)))).toEqual(rows);
});

test('rows of any size are read', async () => {
  const rows = [0, 62, 63, 64, 100_000, 3_000_000].map((length) => ({ text: 'x'.repeat(length) }));
  const bodies = rows.map((row) => type.toBuffer(row));
  expect(await decode(Buffer.concat(containerParts(schema, bodies)))).toEqual(rows);
});
