import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCodec, encode, FrameError } from '../../../services/core/records/codec.ts';
import { type Control, type Delivery, schemas } from '../../../services/core/records/generated.ts';
import { placeFields, placeOf, placeOfAnyVersion } from '../../../services/core/records/place.ts';
import { arbitraryOf, arbitraryRecord } from './arbitrary.ts';

const versions = schemas.filter(({ kind }) => kind === 'delivery' || kind === 'control');

describe.each(versions)('$kind, version $version', (version) => {
  const codec = createCodec([version]);
  const records = arbitraryOf<Delivery | Control>(version.schema);

  test('begins with the fields of a place', () => {
    const { fields } = version.schema as { fields: { name: string }[] };
    expect(fields.slice(0, placeFields.length).map(({ name }) => name)).toEqual(placeFields);
  });

  test('has the place that the codec reads', () => {
    fc.assert(
      fc.property(records, (record) => {
        const { tenant, boot, seq, id, received_at: receivedAt } = record;
        const place = { kind: version.kind, tenant, boot, seq, id, receivedAt };
        expect(placeOf(codec.encode(version.kind, record))).toEqual(place);
      }),
    );
  });

  test('is refused when it was cut within its place', () => {
    fc.assert(
      fc.property(records, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (record, part) => {
        const frame = codec.encode(version.kind, record);
        const end = placeEnd(record);
        expect(() => placeOf(frame.subarray(0, Math.floor(end * part)))).toThrow(FrameError);
        expect(placeOf(frame.subarray(0, end))).toMatchObject({ id: record.id, receivedAt: record.received_at });
      }),
    );
  });
});

test('of a schema that only a newer version knows is where it always was', () => {
  const [record] = fc.sample(arbitraryRecord('control'), { numRuns: 1, seed: 1 });
  const frame = encode('control', record!);
  expect(placeOfAnyVersion(frame)).toEqual(placeOf(frame));
  const newer = Buffer.from(frame);
  newer.writeInt32BE(4_711, 1);
  expect(placeOfAnyVersion(newer)).toEqual({ ...placeOf(frame), kind: 'record' });
  expect(() => placeOf(newer)).toThrow(FrameError);
  expect(() => placeOfAnyVersion(newer.subarray(0, 10))).toThrow(FrameError);
});

test('may lie anywhere in a larger array', () => {
  const [record] = fc.sample(arbitraryRecord('delivery'), { numRuns: 1, seed: 1 });
  const frame = encode('delivery', record!);
  const larger = new Uint8Array(frame.length + 20);
  larger.set(frame, 7);
  expect(placeOf(larger.subarray(7, 7 + frame.length))).toEqual(placeOf(frame));
});

test.each([
  { fault: 'is empty', bytes: [] },
  { fault: 'is of another kind', bytes: [0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0] },
  { fault: 'has an id that nobody was given', bytes: [0, 0x7f, 0xff, 0xff, 0xff, 0] },
  { fault: 'has a string of negative length', bytes: [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0] },
  { fault: 'has a number without an end', bytes: [0, 0, 0, 0, 1, 0, 0, ...Array(20).fill(0xff)] },
  {
    fault: 'has a number beyond those that are exact',
    bytes: [0, 0, 0, 0, 1, 0, 0, ...Array(7).fill(0xff), 0x7f, 0, 0, 0],
  },
])('a frame that $fault is refused', ({ bytes }) => {
  expect(() => placeOf(Uint8Array.from(bytes))).toThrow(FrameError);
});

/** Where the place of a frame ends: fields of Avro have no marks between them. */
function placeEnd(record: Record<(typeof placeFields)[number], string | number>): number {
  const fields = placeFields.map((name) => ({ name, type: typeof record[name] === 'string' ? 'string' : 'long' }));
  const schema = { type: 'record', name: 'Place', fields };
  return createCodec([{ id: 1, kind: 'place', version: 1, schema }]).encode('place', record).length;
}
