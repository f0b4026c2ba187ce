/** An analyst reads, and that is all, whichever client asks. The Python client has a file of its own. */
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { passwords } from './engine-process.ts';
import { type Ask, attack, buildFortress, command, type Fortress } from './fortress.ts';

let fortress: Fortress;
beforeAll(async () => {
  fortress = await buildFortress();
});
afterAll(() => fortress.dispose());

const users = [
  { username: 'analyst', password: passwords.analyst },
  { username: 'default', password: '' },
];

describe.each(users)('$username', ({ username, password }) => {
  const headers = { 'x-clickhouse-user': username, 'x-clickhouse-key': password };

  const http =
    (method: 'GET' | 'POST'): Ask =>
    async (sql) => {
      const { url } = fortress.engine;
      const response = await (method === 'GET'
        ? fetch(`${url}/?query=${encodeURIComponent(sql)}`, { headers })
        : fetch(url, { method, headers, body: sql }));
      const text = await response.text();
      return response.ok ? { answer: text } : { error: text };
    };

  test.each(['GET', 'POST'] as const)('cannot break out by %s', async (method) => {
    await fortress.assertHeld(await attack(fortress.statements, http(method)));
  });

  test('cannot break out by @clickhouse/client', async () => {
    const client = createClient({
      url: fortress.engine.url,
      username,
      password,
      log: { level: ClickHouseLogLevel.OFF },
    });
    const ask: Ask = async (sql) => {
      try {
        const { stream } = await client.exec({ query: sql });
        return { answer: Buffer.concat(await stream.toArray()).toString() };
      } catch (error) {
        return { error: (error as Error).message };
      }
    };
    await fortress.assertHeld(await attack(fortress.statements, ask));
    await client.close();
  });

  test.each([
    'readonly=0',
    'readonly=2',
    'user_files_path=/',
    'format_schema=x',
    'role=writer',
    'allow_ddl=1',
    "param_x=1';SET%20ROLE%20writer;--",
    "param_x'=1",
    "max_threads=1';SET%20ROLE%20writer;--",
    'max_threads=1,%20readonly=0',
    'database=default`;SET%20ROLE%20writer;--',
    "default_format=CSV%20INTO%20OUTFILE%20'x'",
  ])('cannot break out by the parameter %s', async (parameter) => {
    const query = encodeURIComponent("INSERT INTO hookwatch.treasure VALUES ('changed')");
    const changed = await fetch(`${fortress.engine.url}/?${parameter}&query=${query}`, { method: 'POST', headers });
    expect(changed.ok).toBe(false);
    const roles = await fetch(`${fortress.engine.url}/?${parameter}&query=SELECT+currentRoles()`, { headers });
    // Refused, or as harmless as without it.
    expect(await roles.text()).toMatch(/^(?:\[\]\n|Code: .*)$/s);
    expect(await command(fortress.engine, 'SELECT groupArray(x) FROM hookwatch.treasure FORMAT TSVRaw')).toBe(
      "['kept']\n",
    );
  });

  test('reads what there is to read', async () => {
    const ask = http('GET');
    expect(await ask('SELECT x FROM hookwatch.treasure')).toEqual({ answer: 'kept\n' });
    expect(await ask('SELECT x FROM treasure')).toEqual({ answer: 'kept\n' });
    expect(await ask("SELECT getSetting('readonly'), currentRoles()")).toEqual({ answer: '1\t[]\n' });
    expect(await ask('SHOW TABLES')).toEqual({ answer: 'treasure\n' });
    expect(await ask('DESCRIBE treasure')).toMatchObject({ answer: expect.stringContaining('x\tString') });
    expect(await ask('EXPLAIN SELECT 1')).toMatchObject({ answer: expect.stringContaining('ReadFromSystemOne') });
  });

  test('finds no password in any system table', async () => {
    const ask = http('POST');
    await fetch(`${fortress.engine.url}/?user=hookwatch&password=${passwords.hookwatch}&query=SELECT+1`);
    await fetch(`${fortress.engine.url}/?user=analyst&password=${passwords.analyst}&query=SELECT+1`);
    const tables = await command(
      fortress.engine,
      "SELECT name FROM system.tables WHERE database = 'system' FORMAT TSVRaw",
    );
    let read = 0;
    const leaks: string[] = [];
    for (const table of tables.trim().split('\n')) {
      const outcome = await ask(`SELECT * FROM system.\`${table}\` LIMIT 1000 FORMAT JSONEachRow`);
      const text = JSON.stringify(outcome);
      if (text.includes(passwords.hookwatch) || text.includes(passwords.analyst)) leaks.push(table);
      if ('answer' in outcome) read++;
    }
    expect(leaks).toEqual([]);
    expect(read).toBeGreaterThan(50);
  });
});

test('limits of time and result hold, and cannot be raised', async () => {
  const { url } = fortress.engine;
  const limits = await fetch(
    `${url}/?max_execution_time=0&max_result_bytes=0&query=SELECT+getSetting('max_execution_time'),getSetting('max_result_bytes')`,
  );
  expect(await limits.text()).toBe(`300\t${128 * 1024 * 1024}\n`);
  const long = await fetch(
    `${url}/?max_execution_time=0.2&query=SELECT+count()+FROM+numbers(1e12)+WHERE+sipHash64(number)=1`,
  );
  expect([long.status, long.headers.get('x-clickhouse-exception-code')]).toEqual([408, '159']);
  const large = await fetch(`${url}/?max_result_bytes=1000&query=SELECT+number+FROM+numbers(10000)`);
  expect(large.headers.get('x-clickhouse-exception-code')).toBe('396');
});

test('every function whose name sounds of files, programs or machines was looked at', async () => {
  const harmless =
    /^(?:JSON\w*Paths\w*|\w*URL\w*|path|pathFull|filesystem(?:Available|Capacity|Unreserved)|(?:current|default|enabled)Profiles|readWK[BT]\w*|(?:format|parse)Readable\w+|getClientHTTPHeader|hasThreadFuzzer)$/i;
  const refused = ['file', 'catboostEvaluate'];
  // Behind settings that an analyst cannot change.
  const disabled = /^ai(?:Classify|Embed|Extract|Generate|Translate)$/i;
  const sounds =
    '(?i)file|url|http|path|exec|script|bridge|evaluate|^ai[A-Z]|python|read|load|env|fetch|download|shell';
  const names = await command(
    fortress.engine,
    `SELECT name FROM system.functions WHERE NOT is_aggregate AND match(name, '${sounds}') FORMAT TSVRaw`,
  );
  const unknown = names
    .trim()
    .split('\n')
    .filter((name) => !harmless.test(name) && !refused.includes(name) && !disabled.test(name));
  expect(unknown).toEqual([]);
});
