import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createCodec,
  decode,
  encode,
  FrameError,
  type RecordKind,
  type SchemaVersion,
  schemaIdOf,
} from '../../../services/core/records/codec.ts';
import type { Pane } from '../../../services/core/records/generated.ts';
import { schemas } from '../../../services/core/records/generated.ts';
import { arbitraryOf, arbitraryRecord } from './arbitrary.ts';

const kinds = [...new Set(schemas.map(({ kind }) => kind))];
const newestOf = (wanted: RecordKind) => schemas.findLast(({ kind }) => kind === wanted)!;

function pane(more: Partial<Pane> = {}): Pane {
  return {
    tenant: 'acme',
    id: '018f',
    version: 0,
    withdrawn: false,
    replaced_by: '',
    first_received_at: 1,
    position: 2,
    account: 'centurylink:DEMO',
    metric: 'servers_created',
    minute: 60_000,
    value: 3,
    rolling_1h: 4,
    ...more,
  };
}

describe('every kind of record', () => {
  test.each(kinds)('%s comes back as it was written', (kind: RecordKind) => {
    fc.assert(
      fc.property(arbitraryRecord(kind), (value) => {
        const decoded = decode(encode(kind, value));
        expect(decoded.kind).toBe(kind);
        expect({ ...decoded.value }).toEqual(value);
      }),
    );
  });

  test.each(kinds)('%s is refused when its frame was cut anywhere', (kind: RecordKind) => {
    fc.assert(
      fc.property(
        arbitraryRecord(kind),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (value, part) => {
          const frame = encode(kind, value);
          expect(() => decode(frame.subarray(0, Math.floor(frame.length * part)))).toThrow(FrameError);
        },
      ),
    );
  });

  test.each(kinds)('%s is refused when bytes follow it', (kind: RecordKind) => {
    const [value] = fc.sample(arbitraryRecord(kind), { numRuns: 1, seed: 1 });
    expect(() => decode(Buffer.concat([encode(kind, value!), Buffer.from([0])]))).toThrow(FrameError);
  });
});

describe('a frame', () => {
  test('is a zero byte, the id as big-endian int32 and the Avro body', () => {
    const bytes = createCodec([thing({ id: 0x01020304 })]).encode('thing', { name: 'ab', count: -1 });
    expect([...bytes]).toEqual([0, 1, 2, 3, 4, 4, 0x61, 0x62, 1]);
  });

  test.each(kinds.map((kind) => ({ kind, id: newestOf(kind).id })))('of $kind carries the id $id', ({ kind, id }) => {
    const [value] = fc.sample(arbitraryRecord(kind), { numRuns: 1, seed: 1 });
    expect(schemaIdOf(encode(kind, value!))).toBe(id);
  });

  test('may lie anywhere in a larger buffer', () => {
    const frame = encode('pane', pane());
    const larger = new Uint8Array(frame.length + 20);
    larger.set(frame, 7);
    expect(decode(larger.subarray(7, 7 + frame.length)).value).toMatchObject(pane());
  });

  test('owns its bytes: a decoded body does not change with the frame', () => {
    const [delivery] = fc.sample(arbitraryRecord('delivery'), { numRuns: 1, seed: 1 });
    const frame = encode('delivery', { ...delivery!, body: Buffer.from('body') });
    const decoded = decode(frame);
    frame.fill(0);
    expect(decoded.kind === 'delivery' && decoded.value.body.toString()).toBe('body');
  });

  test.each([
    { fault: 'is empty', bytes: [] },
    { fault: 'ends in its header', bytes: [0, 0, 0, 0] },
    { fault: 'does not start with zero', bytes: [1, 0, 0, 0, 5, 0] },
    { fault: 'has an id that nobody was given', bytes: [0, 0x7f, 0xff, 0xff, 0xff, 0] },
    { fault: 'has a negative id', bytes: [0, 0xff, 0xff, 0xff, 0xff, 0] },
    { fault: 'has a header only', bytes: [0, 0, 0, 0, 5] },
    { fault: 'has a string of negative length', bytes: [0, 0, 0, 0, 5, 1, ...Array(40).fill(0)] },
    { fault: 'has a string that ends after the frame', bytes: [0, 0, 0, 0, 5, 0x80, 0x80, 0x02, 0x61] },
  ])('that $fault is refused', ({ bytes }) => {
    expect(() => decode(Uint8Array.from(bytes))).toThrow(FrameError);
  });

  test('says in its error what is wrong, with a code', () => {
    expect(() => decode(Uint8Array.from([0, 0, 0, 9, 9, 0]))).toThrow('schema id 2313 is not in lock.json');
    expect(new FrameError('x').code).toBe('FRAME_INVALID');
  });

  test('of a value that the schema does not know is never written', () => {
    expect(() => encode('pane', pane({ value: 1.5 }))).toThrow('invalid "long"');
    expect(() => encode('pane', pane({ value: 2 ** 53 }))).toThrow('invalid "long"');
  });
});

describe('what an earlier Hookwatch wrote', () => {
  const earlier = schemas.filter(({ kind, version }) => version < newestOf(kind).version);

  test.each(earlier)('of $kind in version $version is read with the defaults of what came since', (version) => {
    const fieldsOf = (schema: object) => (schema as { fields: { name: string; default?: unknown }[] }).fields;
    const written = fieldsOf(version.schema).map(({ name }) => name);
    const since = fieldsOf(newestOf(version.kind).schema).filter(({ name }) => !written.includes(name));
    const defaults = Object.fromEntries(since.map((field) => [field.name, field.default]));
    fc.assert(
      fc.property(arbitraryOf<object>(version.schema), (value) => {
        const { kind, value: read } = decode(createCodec([version]).encode(version.kind, value));
        expect(kind).toBe(version.kind);
        expect({ ...read }).toEqual({ ...value, ...defaults });
      }),
    );
  });

  test('is there: events and controls have grown', () => {
    expect(earlier.map(({ kind }) => kind).sort()).toEqual(['control', 'event']);
  });
});

describe('a newer version', () => {
  const mood = { type: 'enum', name: 'Mood', symbols: ['unknown', 'good'], default: 'unknown' };
  const moods = { ...mood, symbols: ['unknown', 'good', 'bad'] };
  const v1 = thing({ id: 1, fields: [{ name: 'mood', type: mood }] });
  const v2 = thing({
    id: 2,
    version: 2,
    fields: [
      { name: 'mood', type: moods },
      { name: 'colour', type: 'string', default: 'grey' },
    ],
  });
  const before = createCodec([v1]);
  const after = createCodec([v1, v2]);

  test('reads old frames; what their writer did not know takes its default', () => {
    const frame = before.encode('thing', { name: 'a', count: 1, mood: 'good' });
    expect({ ...(after.decode(frame).value as object) }).toEqual({ name: 'a', count: 1, mood: 'good', colour: 'grey' });
  });

  test('writes under its own id and reads that, too', () => {
    const value = { name: 'a', count: 1, mood: 'bad', colour: 'red' };
    const frame = after.encode('thing', value);
    expect(schemaIdOf(frame)).toBe(2);
    expect({ ...(after.decode(frame).value as object) }).toEqual(value);
  });

  test('is refused by an older program, which has never heard of it', () => {
    const frame = after.encode('thing', { name: 'a', count: 1, mood: 'good', colour: 'red' });
    expect(() => before.decode(frame)).toThrow('schema id 2 is not in lock.json');
  });

  test('can be read as an older one: a symbol that came later becomes the default', () => {
    const frame = after.encode('thing', { name: 'a', count: 1, mood: 'bad', colour: 'red' });
    const reader = createCodec([v2, v1]);
    expect({ ...(reader.decode(frame).value as object) }).toEqual({ name: 'a', count: 1, mood: 'unknown' });
  });
});

/** A version of a small schema: `{ name: string, count: int }` and more fields. */
function thing({ id = 1, version = 1, fields = [] as object[] } = {}): SchemaVersion {
  const all = [{ name: 'name', type: 'string' }, { name: 'count', type: 'int' }, ...fields];
  return { id, kind: 'thing', version, schema: { type: 'record', name: 'Thing', fields: all } };
}
