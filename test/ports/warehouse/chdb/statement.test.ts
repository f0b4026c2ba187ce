import { describe, expect, test } from 'vitest';
import { formatClause, namesIn, splitInsert } from '../../../../services/ports/warehouse/chdb/statement.ts';

describe('an INSERT is told from its data', () => {
  test.each([
    ['INSERT INTO t FORMAT CSV\n1,2', 'INSERT INTO t ', '', 'CSV', '1,2'],
    ['insert into t (a, b) format JSONEachRow {"a":1}', 'insert into t (a, b) ', '', 'JSONEachRow', '{"a":1}'],
    ['INSERT INTO t SETTINGS x = 1 FORMAT Avro\nObj', 'INSERT INTO t ', 'SETTINGS x = 1 ', 'Avro', 'Obj'],
    ["INSERT INTO t VALUES ('a;b')", 'INSERT INTO t ', '', 'Values', " ('a;b')"],
    ['INSERT INTO t SETTINGS x = 1 VALUES (1)', 'INSERT INTO t ', 'SETTINGS x = 1 ', 'Values', ' (1)'],
    ['/* FORMAT */ INSERT -- VALUES\nINTO t FORMAT TSV\n', '/* FORMAT */ INSERT -- VALUES\nINTO t ', '', 'TSV', ''],
    ['INSERT INTO `a FORMAT b` FORMAT CSV 1', 'INSERT INTO `a FORMAT b` ', '', 'CSV', '1'],
    ['INSERT INTO t FORMAT CSV\r\n1', 'INSERT INTO t ', '', 'CSV', '1'],
    ['INSERT INTO t FORMAT RowBinary\n\n\n;\0\xff', 'INSERT INTO t ', '', 'RowBinary', '\n\n;\0\xff'],
    ['INSERT INTO t FORMAT LineAsString  \n  x', 'INSERT INTO t ', '', 'LineAsString', '  x'],
    ['INSERT INTO t FORMAT CSV', 'INSERT INTO t ', '', 'CSV', ''],
  ])('%j', (text, target, settings, format, data) => {
    const found = splitInsert(text);
    expect(found).toMatchObject({ target, settings, format });
    expect(text.slice(found!.dataOffset)).toBe(data);
  });

  test.each([
    'SELECT 1 FORMAT CSV',
    'INSERT INTO t SELECT * FROM u FORMAT CSV',
    'INSERT INTO t WITH 1 AS x SELECT x',
    "INSERT INTO t SELECT 'VALUES (1)'",
    'WITH 1 AS x SELECT x',
    'INSERT INTO t',
    'INSERT INTO t $a$ FORMAT CSV',
    '',
    '-- INSERT INTO t VALUES (1)',
  ])('not so %j', (text) => expect(splitInsert(text)).toBeUndefined());
});

test.each([
  ['SELECT 1', undefined],
  ['SELECT 1 FORMAT JSON', 'JSON'],
  ['SELECT 1 format TSVRaw settings a = 1', 'TSVRaw'],
  ['SELECT 1 FORMAT JSON;', 'JSON'],
  ["SELECT 'FORMAT CSV'", undefined],
  ['SELECT (SELECT 1 FORMAT CSV)', undefined],
  ['SELECT 1 -- FORMAT CSV', undefined],
  ['SELECT 1 # FORMAT CSV', undefined],
  ['SELECT $x$ FORMAT CSV $x$ FORMAT XML', 'XML'],
  ["SELECT 'it''s \\' FORMAT CSV' FORMAT XML", 'XML'],
  ['SELECT `FORMAT` CSV', undefined],
])('the format that %j asks for', (sql, format) => expect(formatClause(sql)).toBe(format));

test('a hostile text does not take time that grows with the square of its length', { timeout: 20_000 }, () => {
  const text = `SELECT ${Array.from({ length: 300_000 }, (_, index) => `$${index}$`).join(' ')} FORMAT CSV`;
  expect(formatClause(text)).toBeUndefined();
});

test.each([
  ['SELECT file(x)', ['SELECT', 'file', 'x']],
  ['SELECT arrayMap(file, t.profile)', ['SELECT', 'arrayMap', 'file', 't', 'profile']],
  ["SELECT 'file', 'it\\'s file', '' FROM `a b`", ['SELECT', 'FROM', 'a b']],
  ['SELECT `file`, "file 2"', ['SELECT', 'file', 'file 2']],
  ['SELECT a$$b, file', ['SELECT', 'a$$b', 'file']],
])('the names in %j', (formatted, names) => expect([...namesIn(formatted)]).toEqual(names));
