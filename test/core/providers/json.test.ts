import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJsonObject } from '../../../services/core/providers/json.ts';

const parse = (text: string) => parseJsonObject(Buffer.from(text));

test('an object without long numbers is what JSON.parse makes of it', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 5 }), { maxKeys: 5 }),
      (object) => {
        const text = JSON.stringify(object);
        fc.pre(!/\d{16}/.test(text));
        expect(parse(text)).toEqual({ ok: true, text, object: JSON.parse(text) });
      },
    ),
  );
});

test.each([
  ['of a name that comes twice the last value holds', '{"a":1,"b":2,"a":{"c":3}}', { a: { c: 3 }, b: 2 }],
  ['whatever is escaped in it', '{"a":1,"\\u0061":2}', { a: 2 }],
  [
    'long integers stay as they were written',
    '{"a":9007199254740993,"b":-9007199254740991}',
    { a: '9007199254740993', b: -9007199254740991 },
  ],
  ['so do those behind a name that comes twice', '{"a":1,"a":12345678901234567890}', { a: '12345678901234567890' }],
  ['a byte order mark is none of it', '\ufeff{"a":1}', { a: 1 }],
])('%s', (_name, text, object) => {
  expect(parse(text)).toMatchObject({ ok: true, object });
});

test('a number of any size keeps its sign and is no text', () => {
  expect(parse('{"a":1e999,"b":-1e999}')).toMatchObject({ object: { a: Infinity, b: -Infinity } });
});

test.each([
  ['xyz', 0],
  ['{"a":x}', 5],
  ['{"a":tru}', 8],
  ['{"a":"text with \\"x\\"","b":[1,2,nulL]}', 35],
  [`{"a":"${'x'.repeat(10_000)}","b":?}`, 10_012],
  ['{"a":1}}', 7],
  ["{'a':1}", 1],
  ['{"a":1,}', 7],
  ['[1,]', 3],
  ['{"a":"\u0001"}', 6],
])('a fault is told by its place: %s', (text, position) => {
  expect(parse(text)).toEqual({ ok: false, reason: 'not JSON', detail: `not valid JSON at character ${position}` });
});

test.each(['', '{', '{"a":', '{"a":tru'])('a body that stops: %j', (text) => {
  const detail = text === '{' ? 'not valid JSON at character 1' : 'the body ends too early';
  expect(parse(text)).toEqual({ ok: false, reason: 'not JSON', detail });
});

test('every reject for bytes or syntax says where, and quotes nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), fc.nat(60), (odd, at) => {
      const secret = '{"password":"hunter2","next":[true,{"a":null}],"pin":"hunter2"}';
      const parsed = parse(secret.slice(0, at) + odd + secret.slice(at));
      if (parsed.ok) return;
      expect(parsed.detail).toMatch(
        /^(not valid JSON at character \d+|the body ends too early|the body is (null|an? \w+))$/,
      );
      expect(parsed.detail).not.toContain('hunter2');
    }),
    { numRuns: 500 },
  );
});
