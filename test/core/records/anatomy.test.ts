import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { examine } from '../../../services/core/records/anatomy.ts';
import { encode, type RecordKind } from '../../../services/core/records/codec.ts';
import { schemas } from '../../../services/core/records/generated.ts';
import { makeDelivery, makeEvent } from '../../console/fixtures.ts';
import { arbitraryRecord } from './arbitrary.ts';

const kinds = [...new Set(schemas.map(({ kind }) => kind))];

describe.each(kinds)('a frame of %s', (kind: RecordKind) => {
  test('is whole, and says its id', () => {
    fc.assert(
      fc.property(arbitraryRecord(kind), (value) => {
        expect(examine(encode(kind, value))).toEqual({ id: 'id' in value ? value.id : '', damage: '' });
      }),
    );
  });

  test('is not whole once it was cut anywhere, or has bytes behind it', () => {
    const part = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(arbitraryRecord(kind), part, fc.uint8Array({ minLength: 1, maxLength: 9 }), (value, at, more) => {
        const frame = encode(kind, value);
        expect(examine(frame.subarray(0, Math.floor(frame.length * at))).damage).not.toBe('');
        expect(examine(Buffer.concat([frame, more])).damage).not.toBe('');
      }),
    );
  });

  test('whatever its bytes are, it takes no longer than it is long', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(arbitraryRecord(kind), changes, (value, places) => {
        const frame = encode(kind, value);
        for (const [at, byte] of places) frame[5 + (at % (frame.length - 5))] = byte;
        expect(typeof examine(frame).damage).toBe('string');
      }),
      { interruptAfterTimeLimit: 10_000, markInterruptAsFailure: true },
    );
  });
});

const whole = encode('event', makeEvent({ seq: 1, id: 'its-id' }));
const withByte = (at: number, byte: number) => Buffer.from(whole).fill(byte, at, at + 1);

test.each([
  ['too short for a header', whole.subarray(0, 4), ''],
  ['without the zero byte', withByte(0, 1), ''],
  ['of an unknown schema', withByte(3, 9), ''],
  ['cut behind its id', whole.subarray(0, whole.indexOf('its-id') + 6), 'its-id'],
])('a frame %s says so', (_, frame, id) => {
  expect(examine(frame)).toEqual({ id, damage: expect.stringMatching(/^Cannot/) });
});

test('a list that claims to be endless ends with the frame', () => {
  const frame = encode('delivery', makeDelivery({ seq: 1, flags: ['only-flag'] }));
  const at = frame.indexOf('only-flag') - 2;
  // The largest count that a varint of eight bytes holds.
  const endless = Buffer.from('feffffffffffff1f', 'hex');
  expect(examine(Buffer.concat([frame.subarray(0, at), endless, frame.subarray(at + 1)])).damage).not.toBe('');
});
