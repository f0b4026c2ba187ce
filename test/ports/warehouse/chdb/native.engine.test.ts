/** FORMAT Native for clients that name a revision of ClickHouse's protocol, as Grafana's plug-in does. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { frameNative } from '../../../../services/ports/warehouse/chdb/native.ts';
import { type EngineProcess, startEngineProcess } from '../engine-process.ts';

let engine: EngineProcess;
beforeAll(async () => {
  engine = await startEngineProcess();
});
afterAll(() => engine.dispose());

async function ask(
  sql: string,
  revision?: number,
  blockRows = 65_536,
): Promise<{ bytes: Buffer; code: string | null }> {
  const version = revision === undefined ? '' : `&client_protocol_version=${revision}`;
  const response = await fetch(`${engine.url}/?default_format=Native&max_block_size=${blockRows}${version}`, {
    method: 'POST',
    body: sql,
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  return { bytes, code: response.headers.get('x-clickhouse-exception-code') };
}

const latin1 = (bytes: Buffer) => bytes.toString('latin1');
const info = '\x01\x00\x02\xff\xff\xff\xff\x00';
const sql = "SELECT toUInt8(7) AS a, 'x' AS b";

test.each([
  [undefined, '\x02\x01\x01a\x05UInt8\x07\x01b\x06String\x01x'],
  [0, '\x02\x01\x01a\x05UInt8\x07\x01b\x06String\x01x'],
  [54405, `${info}\x02\x01\x01a\x05UInt8\x07\x01b\x06String\x01x`],
  [54453, `${info}\x02\x01\x01a\x05UInt8\x07\x01b\x06String\x01x`],
  [54454, `${info}\x02\x01\x01a\x05UInt8\x00\x07\x01b\x06String\x00\x01x`],
  [54490, `${info}\x02\x01\x01a\x05UInt8\x00\x07\x01b\x06String\x00\x01x`],
])('a block for revision %s', async (revision, expected) => {
  expect(latin1((await ask(sql, revision)).bytes)).toBe(expected);
});

test('other formats do not depend on the revision', async () => {
  expect(latin1((await ask(`${sql} FORMAT TSV`, 54460)).bytes)).toBe('7\tx\n');
});

test.each([54404, 1])('revision %s, which would want other data, is refused', async (revision) => {
  expect(await ask(sql, revision)).toMatchObject({ code: '48' });
});

test('a revision that is no number is refused', async () => {
  const response = await fetch(`${engine.url}/?client_protocol_version=x&query=SELECT+1`);
  expect(response.headers.get('x-clickhouse-exception-code')).toBe('36');
});

/** An expression over `number`, in which short, long, empty, null and repeated values turn up. */
const columns: [type: string, expression: string][] = [
  ['Bool', 'number % 2 = 0'],
  ['Int8', 'number'],
  ['UInt16', 'number'],
  ['Int32', 'number'],
  ['UInt64', 'number'],
  ['Int128', 'number'],
  ['UInt256', 'number'],
  ['Float32', 'number / 3'],
  ['Float64', 'number / 3'],
  ['BFloat16', 'number'],
  ['Decimal(9, 2)', 'number'],
  ['Decimal(18, 2)', 'number'],
  ['Decimal(38, 2)', 'number'],
  ['Decimal(76, 2)', 'number'],
  ['Date', 'number'],
  ['Date32', 'toDate32(number)'],
  ["DateTime('UTC')", 'number'],
  ["DateTime64(3, 'UTC')", 'number'],
  ['UUID', 'generateUUIDv4(number)'],
  ['IPv4', 'toIPv4(number)'],
  ['IPv6', "toIPv6('::1')"],
  ["Enum8('a, b' = 0, 'c(\\'' = 1)", 'number % 2'],
  ["Enum16('a' = 0, 'b' = 1)", 'number % 2'],
  ['IntervalSecond', 'toIntervalSecond(number)'],
  ['String', "repeat('é', number * 30)"],
  ['FixedString(5)', "'abc'"],
  ['Nullable(String)', "if(number % 2 = 0, NULL, repeat('x', number))"],
  ['Nullable(Nothing)', 'NULL'],
  ['LowCardinality(String)', 'toString(number % 3)'],
  ['LowCardinality(Nullable(String))', 'if(number % 2 = 0, NULL, toString(number))'],
  ['LowCardinality(FixedString(3))', 'toFixedString(toString(number % 10), 3)'],
  ['Array(String)', 'arrayMap(n -> toString(n), range(number % 4))'],
  ['Array(Nothing)', '[]'],
  ['Array(Array(UInt8))', 'arrayMap(n -> range(n), range(number % 4))'],
  ['Array(LowCardinality(String))', 'arrayMap(n -> toString(n), range(number % 3))'],
  ['Array(LowCardinality(Nullable(String)))', '[]'],
  ['Array(Nullable(Float64))', '[NULL, number]'],
  ['Map(LowCardinality(String), String)', "map('k', toString(number), 'l', '')"],
  ['Map(String, Array(LowCardinality(String)))', "if(number % 2 = 0, map(), map('k', ['a', 'b']))"],
  ['Tuple(UInt8, String)', '(number, toString(number))'],
  ['Tuple(a LowCardinality(String), `b, c` Array(UInt8))', '(toString(number), [1, 2])'],
  ['Array(Tuple(a LowCardinality(String), b LowCardinality(String)))', "[('a', 'b'), ('a', toString(number))]"],
];

describe.each([
  ['one block', 100, 65_536],
  ['several blocks', 100, 7],
  // Indexes of LowCardinality take two bytes then.
  ['many rows', 1_000, 65_536],
])('%s', (_, rows, blockRows) => {
  test.each(columns)('of %s', async (type, expression) => {
    const select = `SELECT CAST(${expression} AS ${type}) AS a, 'end' AS z FROM numbers(${rows})`;
    const plain = await ask(select, undefined, blockRows);
    const framed = await ask(select, 54460, blockRows);
    expect([plain.code, framed.code]).toEqual([null, null]);
    // A column that was measured wrongly puts what follows in the wrong place, or is not found at all.
    const parts = latin1(framed.bytes).split(info).slice(1);
    const last = '\x01z\x06String\x00';
    const ends = parts.map((part) => part.slice(part.lastIndexOf(last) + last.length));
    expect(ends.join('')).toBe('\x03end'.repeat(rows));
    expect(framed.bytes).toHaveLength(plain.bytes.length + parts.length * (info.length + 2));
    if (blockRows < rows) expect(parts.length).toBeGreaterThan(1);
  });
});

test.each([
  ['AggregateFunction(sum, UInt64)', 'SELECT sumState(number) FROM numbers(2)'],
  ['Dynamic', 'SELECT number::Dynamic FROM numbers(2)'],
  ['JSON', 'SELECT \'{"a": 1}\'::JSON'],
])('a column of %s is refused for a client with a revision, and sent without one', async (_, select) => {
  expect((await ask(select)).code).toBe(null);
  const { bytes, code } = await ask(select, 54460);
  expect(code).toBe('48');
  expect(latin1(bytes)).toContain('cast it to String');
});

test('nothing is nothing', async () => {
  const none = 'SELECT number FROM numbers(0)';
  const { bytes } = await ask(none);
  expect(latin1((await ask(none, 54460)).bytes)).toBe(latin1(frameNative(bytes, 54460)));
  expect(frameNative(Buffer.alloc(0), 54460)).toHaveLength(0);
});

test('what is cut off is not sent as if it were whole', async () => {
  const { bytes } = await ask(sql);
  for (let length = 1; length < bytes.length; length++) {
    expect(() => frameNative(bytes.subarray(0, length), 54460)).toThrow(/^Cannot/);
  }
});
