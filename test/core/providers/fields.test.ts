import { expect, test } from 'vitest';
import { createNotes, Fields, instantOf, remarksOf } from '../../../services/core/providers/fields.ts';
import type { JsonObject } from '../../../services/core/providers/json.ts';

const documented = ['text', 'number', 'yes', 'at', 'nested', 'list'];

function read(object: JsonObject) {
  const notes = createNotes();
  return { fields: new Fields(object, documented, notes), remarks: () => remarksOf(notes) };
}

test('a body as documented is read and nothing is noted', () => {
  const at = '2018-04-24T15:15:17.0668796Z';
  const { fields, remarks } = read({ text: 'a', number: 1, yes: false, at, nested: { a: 'b' }, list: [{ a: 'c' }] });
  expect([fields.text('text'), fields.integer('number'), fields.boolean('yes'), fields.instant('at')]).toEqual([
    'a',
    1,
    false,
    Date.UTC(2018, 3, 24, 15, 15, 17, 66),
  ]);
  expect(fields.object('nested', ['a'])?.text('a')).toBe('b');
  expect(fields.objects('list', ['a']).map((element) => element.text('a'))).toEqual(['c']);
  expect(remarks()).toEqual({ unknownFields: [], flags: [], attributes: {} });
});

test('absent, null and blank are one, and no fault', () => {
  for (const value of [undefined, null, '  ']) {
    const { fields, remarks } = read(value === undefined ? {} : { text: value });
    expect(fields.text('text')).toBeUndefined();
    expect(remarks().flags).toEqual([]);
  }
});

test('what has another type counts as absent and is named by its path', () => {
  const { fields, remarks } = read({
    text: ['a'],
    number: 1.5,
    yes: 'yes',
    at: 'yesterday',
    nested: { a: {} },
    list: [{ a: true }, 'text', null],
  });
  expect([fields.text('text'), fields.integer('number'), fields.boolean('yes'), fields.instant('at')]).toEqual(
    Array(4).fill(undefined),
  );
  expect(fields.object('nested', ['a'])?.text('a')).toBeUndefined();
  expect(fields.objects('list', ['a']).map((element) => element.text('a'))).toEqual([undefined]);
  expect(remarks()).toEqual({
    unknownFields: [],
    flags: ['wrong_type'],
    attributes: { wrong_type: 'at list[] list[].a nested.a number text yes' },
  });
  expect(read({ nested: [] }).fields.object('nested', [])).toBeUndefined();
  expect(read({ list: {} }).fields.objects('list', [])).toEqual([]);
});

test('half of a surrogate pair is replaced, a name longer than names are is none', () => {
  const { fields, remarks } = read({ text: 'a\ud800', '\udc00': 1 });
  expect(fields.text('text')).toBe('a\ufffd');
  expect(fields.identifier('text')).toBe('a\ufffd');
  expect(remarks().unknownFields).toEqual(['\ufffd']);
  const long = read({ text: 'x'.repeat(513) });
  expect(long.fields.identifier('text')).toBeUndefined();
  expect(long.remarks().attributes).toEqual({ wrong_type: 'text' });
});

test('fields that no page lists are named once, sorted, at most 50', () => {
  const { fields, remarks } = read({ z: 1, nested: { b: 1, a: 1 }, list: [{ c: 1 }, { c: 2 }], a: null });
  fields.object('nested', ['a']);
  fields.objects('list', []);
  expect(remarks().unknownFields).toEqual(['a', 'list[].c', 'nested.b', 'z']);
  const many = read(Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`n${index + 10}`, 1])));
  expect(many.remarks().unknownFields).toHaveLength(50);
  expect(read({ ['x'.repeat(1000)]: 1 }).remarks().unknownFields[0]).toHaveLength(128);
});

test('names that objects inherit are names like any other', () => {
  const { fields, remarks } = read(JSON.parse('{"__proto__":{"text":"inherited"},"constructor":1}'));
  expect(fields.text('text')).toBeUndefined();
  expect(fields.any('toString')).toBeUndefined();
  expect(remarks().unknownFields).toEqual(['__proto__', 'constructor']);
});

test.each<[text: string, time: number | undefined]>([
  ['2015-07-07T14:00:28Z', Date.UTC(2015, 6, 7, 14, 0, 28)],
  ['2015-07-07t14:00:28.5+02:00', Date.UTC(2015, 6, 7, 12, 0, 28, 500)],
  ['2015-07-07T14:00:28', undefined],
  ['2015-07-07', undefined],
  ['2015-13-07T14:00:28Z', undefined],
])('an instant names its zone: %s', (text, time) => {
  expect(instantOf(text)).toBe(time);
});
