import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { indentJson, readBody } from '../../services/console/payload.ts';

describe('indentJson', () => {
  test.each([
    ['{}', '{}'],
    ['[]', '[]'],
    ['[{}]', '[\n  {}\n]'],
    ['{"a":[1,2]}', '{\n  "a": [\n    1,\n    2\n  ]\n}'],
    ['{"a":"b:{,[c"}', '{\n  "a": "b:{,[c"\n}'],
    ['{"a":"\\"}"}', '{\n  "a": "\\"}"\n}'],
    [' true\n', 'true'],
    ['{"a":{"b":[]}}', '{\n  "a": {\n    "b": []\n  }\n}'],
  ])('%s', (text, expected) => {
    expect(indentJson(text)).toBe(expected);
  });

  test('numbers and repeated names stay as they were written', () => {
    expect(indentJson('{"n":12345678901234567890,"n":1.0}')).toBe('{\n  "n": 12345678901234567890,\n  "n": 1.0\n}');
  });

  test('agrees with JSON.stringify on everything that JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        expect(indentJson(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
      }),
    );
  });

  test.each(['', '{', '{"a":}', 'name=value', `${'['.repeat(65)}${']'.repeat(65)}`])('is not for: %s', (text) => {
    expect(indentJson(text)).toBeUndefined();
  });
});

describe('readBody', () => {
  test.each([
    { name: 'JSON', body: Buffer.from('{"a":1}'), expected: { encoding: 'utf-8', json: true, text: '{\n  "a": 1\n}' } },
    { name: 'text', body: Buffer.from('héllo'), expected: { encoding: 'utf-8', json: false, text: 'héllo', bytes: 6 } },
    { name: 'bytes', body: Buffer.from([0xff, 0xfe]), expected: { encoding: 'base64', json: false, text: '//4=' } },
    { name: 'nothing', body: Buffer.alloc(0), expected: { encoding: 'utf-8', json: false, text: '', bytes: 0 } },
  ])('$name', ({ body, expected }) => {
    expect(readBody(body)).toMatchObject(expected);
  });
});
