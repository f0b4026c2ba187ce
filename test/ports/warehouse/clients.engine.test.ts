/** The front over the real engine: formats, parameters, isolation, errors, with fetch, curl's requests and the client. */
import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EngineProcess, passwords, startEngineProcess } from './engine-process.ts';
import { command } from './fortress.ts';

let engine: EngineProcess;
beforeAll(async () => {
  engine = await startEngineProcess();
});
afterAll(() => engine.dispose());

const writer = { 'x-clickhouse-user': 'hookwatch', 'x-clickhouse-key': passwords.hookwatch };
const ask = async (query: string, parameters = '') =>
  (await fetch(`${engine.url}/?query=${encodeURIComponent(query)}${parameters}`)).text();

describe('inserts', () => {
  const formats = [
    'Native',
    'RowBinary',
    'RowBinaryWithNamesAndTypes',
    'Avro',
    'Parquet',
    'Arrow',
    'ArrowStream',
    'ORC',
    'MsgPack',
    'JSONEachRow',
    'JSONCompactEachRow',
    'JSON',
    'TabSeparated',
    'TabSeparatedWithNamesAndTypes',
    'CSV',
    'CSVWithNames',
    'Values',
  ];
  // Every byte there is; double newlines and semicolons, where a text protocol would end a statement.
  const bytes =
    'concat(char(10, 10, 59, 10, 10), arrayStringConcat(arrayMap(x -> char(x), range(32, 127))), char(0, 10, 10, 59, 10))';

  beforeAll(() =>
    command(engine, 'CREATE TABLE copies (n UInt64, s String, t DateTime64(3)) ENGINE = MergeTree ORDER BY n'),
  );

  test.each(formats)('what is read as %s can be inserted again', async (format) => {
    const rows = `SELECT number AS n, ${bytes} AS s, toDateTime64('2026-01-02 03:04:05.678', 3) AS t FROM numbers(3000)`;
    const body = await (
      await fetch(`${engine.url}/?default_format=${format}`, { method: 'POST', body: rows })
    ).arrayBuffer();
    await command(engine, 'TRUNCATE TABLE copies');
    const response = await fetch(`${engine.url}/?query=INSERT+INTO+copies+FORMAT+${format}`, {
      method: 'POST',
      headers: writer,
      body,
    });
    expect(await response.text()).toBe('');
    expect(JSON.parse(response.headers.get('x-clickhouse-summary')!)).toMatchObject({ written_rows: '3000' });
    const different = `SELECT count(), countIf(s != ${bytes} OR n != rowNumberInAllBlocks() OR toUnixTimestamp64Milli(t) % 1000 != 678)`;
    expect(await ask(`${different} FROM (SELECT * FROM copies ORDER BY n) FORMAT CSV`)).toBe('3000,0\n');
  });

  test.each([
    ['the query in the body', '', 'INSERT INTO copies (n, s) FORMAT CSV\n1,a\n2,b\n'],
    [
      'VALUES with an expression and a comment',
      '',
      "/* x */ INSERT INTO copies (n, s) VALUES (1, 'a;'), (1 + 1, upper('b'))",
    ],
    ['SELECT', '', "INSERT INTO copies (n, s) SELECT number + 1, 'x' FROM numbers(2)"],
    ['settings', '', "INSERT INTO copies (n, s) SETTINGS format_csv_delimiter = '|' FORMAT CSV\n1|a\n2|b\n"],
    ['a parameter', '&param_t=copies', 'INSERT INTO {t:Identifier} (n, s) FORMAT CSV\n1,a\n2,b\n'],
    ['another database', '&database=system', 'INSERT INTO hookwatch.copies (n, s) FORMAT CSV\n1,a\n2,b\n'],
  ])('with %s', async (_, parameters, body) => {
    await command(engine, 'TRUNCATE TABLE copies');
    const response = await fetch(`${engine.url}/?${parameters}`, { method: 'POST', headers: writer, body });
    expect(await response.text()).toBe('');
    expect(JSON.parse(response.headers.get('x-clickhouse-summary')!)).toMatchObject({ written_rows: '2' });
    expect(await ask('SELECT groupArray(n) FROM (SELECT n FROM copies ORDER BY n)')).toBe('[1,2]\n');
  });

  test('as curl sends a large file, waiting for 100 Continue', async () => {
    await command(engine, 'TRUNCATE TABLE copies');
    const body = gzipSync('7,seven\n');
    const headers = { ...writer, expect: '100-continue', 'content-encoding': 'gzip', 'content-length': body.length };
    const status = await new Promise((resolve) => {
      const sent = request(`${engine.url}/?query=INSERT+INTO+copies+(n,s)+FORMAT+CSV`, { method: 'POST', headers });
      sent.on('continue', () => sent.end(body));
      sent.on('response', (response) => resolve(response.resume().statusCode));
      sent.flushHeaders();
    });
    expect(status).toBe(200);
    expect(await ask('SELECT n, s FROM copies')).toBe('7\tseven\n');
  });

  test('a second statement behind the data is no statement', async () => {
    for (const body of [
      'INSERT INTO copies (n) VALUES (1); DROP TABLE copies',
      "INSERT INTO copies (n, s) VALUES (1, 'a;'), (2, 'b') ; SELECT 1",
      'INSERT INTO copies (n) FORMAT CSV\n1\n;\nDROP TABLE copies\n',
    ]) {
      const response = await fetch(engine.url, { method: 'POST', headers: writer, body });
      expect(response.ok).toBe(false);
    }
    expect(await ask('EXISTS TABLE copies')).toBe('1\n');
  });
});

test('one request leaves nothing to the next, however many run at once', async () => {
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const database = index % 2 ? 'system' : 'hookwatch';
      const format = index % 3 ? 'CSV' : 'JSONEachRow';
      const settings = index % 4 ? `&max_threads=${index}` : '';
      const query = "SELECT {p:UInt32} AS p, currentDatabase() AS d, getSetting('max_threads') AS m";
      const text = await ask(query, `&param_p=${index}&database=${database}&default_format=${format}${settings}`);
      const [p, d, m] = format === 'CSV' ? JSON.parse(`[${text}]`) : Object.values(JSON.parse(text));
      return {
        index: Number(p) === index,
        database: d === database,
        set: settings === '' || Number(m) === index,
        m: Number(m),
      };
    }),
  );
  expect(answers.filter(({ index, database, set }) => !index || !database || !set)).toEqual([]);
  const unset = Number(await ask("SELECT getSetting('max_threads')"));
  expect(answers.filter((_, index) => index % 4 === 0).map(({ m }) => m)).toEqual(Array(15).fill(unset));
  expect(await ask('SELECT {p:UInt32}')).toContain('(UNKNOWN_QUERY_PARAMETER)');
});

test('a query that failed leaves nothing to the next', async () => {
  expect(await ask('SELECT throwIf(1)', '&max_threads=1')).toContain('Code: 395.');
  expect(await ask("SELECT getSetting('max_threads') = 1", '&max_threads=2')).toBe('0\n');
});

test.each([
  ['SELECT * FROM nope', 404, 60, 'UNKNOWN_TABLE'],
  ['SELECT * FROM nope.nope', 404, 81, 'UNKNOWN_DATABASE'],
  ['SELECT nope', 404, 47, 'UNKNOWN_IDENTIFIER'],
  ['SELECT nope()', 404, 46, 'UNKNOWN_FUNCTION'],
  ['SELECT 1 FORMAT Nope', 404, 73, 'UNKNOWN_FORMAT'],
  ['SELEC 1', 400, 62, 'SYNTAX_ERROR'],
  ['', 400, 62, 'SYNTAX_ERROR'],
  ["SELECT toUInt8('x')", 400, 6, 'CANNOT_PARSE_TEXT'],
  ['SELECT 1; SELECT 2', 400, 62, 'SYNTAX_ERROR'],
  ['DROP TABLE nope', 404, 60, 'UNKNOWN_TABLE'],
])('%j fails as in ClickHouse', async (body, status, code, name) => {
  const response = await fetch(engine.url, { method: 'POST', headers: writer, body });
  expect([response.status, response.headers.get('x-clickhouse-exception-code')]).toEqual([status, String(code)]);
  expect(await response.text()).toMatch(
    new RegExp(`^Code: ${code}\\. DB::Exception: .*\\(${name}\\)( \\(version .*\\))?\n$`, 's'),
  );
});

test('a query is ended when its client goes', async () => {
  const leave = new AbortController();
  const query = 'SELECT count() FROM numbers(1e13) WHERE sipHash64(number) = 1';
  const running = () =>
    command(
      engine,
      "SELECT count() FROM system.processes WHERE query LIKE '%1e13%' AND query NOT LIKE '%processes%' FORMAT TSVRaw",
    );
  const asked = fetch(engine.url, { method: 'POST', body: query, signal: leave.signal }).catch(() => 'gone');
  await expect.poll(running, { timeout: 20_000 }).toBe('1\n');
  leave.abort();
  expect(await asked).toBe('gone');
  await expect.poll(running, { timeout: 20_000 }).toBe('0\n');
});

describe('@clickhouse/client', () => {
  let client: ClickHouseClient;
  beforeAll(async () => {
    const options = { username: 'hookwatch', password: passwords.hookwatch, database: 'hookwatch' };
    client = createClient({
      url: engine.url,
      ...options,
      compression: { request: true, response: true },
      log: { level: ClickHouseLogLevel.OFF },
    });
    await client.command({ query: 'CREATE TABLE things (id UInt64, name String) ENGINE = MergeTree ORDER BY id' });
  });
  afterAll(() => client.close());

  test('pings', async () => expect(await client.ping()).toEqual({ success: true }));

  test('inserts and queries, with parameters, streams and compression', async () => {
    const values = Array.from({ length: 2_000 }, (_, id) => ({ id: String(id), name: `it's\t#${id}\n` }));
    const { summary } = await client.insert({ table: 'things', values, format: 'JSONEachRow' });
    expect(summary).toMatchObject({ written_rows: '2000' });
    const result = await client.query({
      query:
        'SELECT toString(id) AS id, name FROM things AS t WHERE name IN {names:Array(String)} OR t.id < {max:UInt64} ORDER BY t.id',
      query_params: { names: ["it's\t#1999\n"], max: 2 },
      format: 'JSONEachRow',
    });
    expect(await result.json()).toEqual([values[0], values[1], values[1_999]]);
    const stream = (await client.query({ query: 'SELECT * FROM things', format: 'JSONEachRow' })).stream();
    let rows = 0;
    for await (const chunk of stream) rows += chunk.length;
    expect(rows).toBe(2_000);
  });

  test('sends long parameters as a form', async () => {
    const long = 'x'.repeat(200_000);
    const result = await client.query({
      query: 'SELECT length({long:String}) AS length',
      query_params: { long },
      use_multipart_params: true,
      format: 'JSONEachRow',
    });
    expect(await result.json<{ length: string }>()).toEqual([{ length: 200_000 }]);
  });

  test('understands errors', async () => {
    const failure = client.query({ query: 'SELECT * FROM nope' });
    await expect(failure).rejects.toMatchObject({ code: '60', type: 'UNKNOWN_TABLE' });
  });
});
