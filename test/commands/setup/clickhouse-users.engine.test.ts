/**
 * What users.xml means to ClickHouse, by the embedded engine: it reads such a file as a server does, but works as the user
 * `default` alone. So the file is given to it with the user in question under that name. What it cannot take is
 * `changeable_in_readonly`, which only a server has; names and values of settings are looked at all the same.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clickhouseUsers } from '../../../services/commands/setup/clickhouse-users.ts';
import { applyMigrations, readMigrations } from '../../../services/ports/warehouse/migrations.ts';

const script = fileURLToPath(new URL('ask-engine.ts', import.meta.url));
const users = clickhouseUsers({ hookwatch: 'one', analyst: 'other' });
/** Of somebody who looks after all of the server. */
const withoutGrants = users.replaceAll(/<grants>[\s\S]*?<\/grants>/g, '');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hookwatch-users-'));
  expect(
    askAs('hookwatch', [
      'CREATE DATABASE hookwatch',
      'CREATE TABLE hookwatch.events (id UInt8) ENGINE = MergeTree ORDER BY id',
      'INSERT INTO hookwatch.events VALUES (7)',
    ]).filter(({ error }) => error),
  ).toEqual([]);
  const others = ['CREATE DATABASE other', 'CREATE TABLE other.secrets (id UInt8) ENGINE = MergeTree ORDER BY id'];
  expect(askAs('hookwatch', others, { xml: withoutGrants }).filter(({ error }) => error)).toEqual([]);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** `xml` with one of its users as `default`, without a password and in a form that the engine takes. */
function asDefault(user: string, xml: string): string {
  const section = new RegExp(`<${user}>(?=\\s*<password_)[\\s\\S]*?</${user}>`).exec(xml)?.[0];
  if (!section) throw new Error(`There is no user ${user} with a password`);
  const renamed = section
    .replace(`<${user}>`, '<default>')
    .replace(`</${user}>`, '</default>')
    .replace(/<password_sha256_hex>\w+<\/password_sha256_hex>/, '<no_password/>');
  return xml
    .replace(/<users>[\s\S]*<\/users>/, `<quotas><default/></quotas>\n<users>${renamed}</users>`)
    .replace('<profiles>', '<profiles><default/>')
    .replaceAll('<changeable_in_readonly/>', '');
}

const plainConfig = '<clickhouse><timezone>UTC</timezone></clickhouse>';

function start(user: string, statements: readonly string[], { xml = users, config = plainConfig } = {}) {
  const usersFile = join(folder, 'users.xml');
  writeFileSync(usersFile, asDefault(user, xml));
  const withUsers = config.replace('</clickhouse>', `<users_config>${usersFile}</users_config></clickhouse>`);
  writeFileSync(join(folder, 'config.xml'), withUsers);
  return spawnSync(process.execPath, [script, folder, ...statements], { encoding: 'utf8' });
}

function askAs(user: string, statements: readonly string[], changed = {}): { answer?: string; error?: string }[] {
  const { stdout, stderr, status } = start(user, statements, changed);
  if (status !== 0) throw new Error(`The engine does not take the file: ${stderr}`);
  return JSON.parse(stdout);
}

describe('the analyst', () => {
  const allowed: [sql: string, answer: string][] = [
    ['SELECT id FROM hookwatch.events', '7'],
    ["SELECT name FROM system.columns WHERE database = 'hookwatch'", 'id'],
    ["SELECT count() FROM system.columns WHERE database = 'other'", '0'],
    ["SELECT table_name FROM information_schema.tables WHERE table_schema = 'hookwatch'", 'events'],
    ["SELECT getSetting('readonly'), getSetting('max_execution_time')", '1\t300'],
  ];
  const refused: [sql: string, reason: RegExp][] = [
    ['SELECT * FROM other.secrets', /ACCESS_DENIED/],
    ['SELECT * FROM system.users', /ACCESS_DENIED/],
    ['INSERT INTO hookwatch.events VALUES (8)', /ACCESS_DENIED|READONLY/],
    ['ALTER TABLE hookwatch.events DELETE WHERE 1', /ACCESS_DENIED|READONLY/],
    ['DROP TABLE hookwatch.events', /ACCESS_DENIED|READONLY/],
    ['CREATE USER mallory', /ACCESS_DENIED|READONLY/],
    ["SELECT * FROM file('/etc/passwd', 'LineAsString')", /ACCESS_DENIED|READONLY/],
    ["DESCRIBE url('http://127.0.0.1:1/', 'CSV')", /ACCESS_DENIED|READONLY/],
    ['SET readonly = 0', /READONLY/],
    ['SELECT 1 SETTINGS max_execution_time = 301', /READONLY|SETTING_CONSTRAINT_VIOLATION/],
    ['SELECT 1 SETTINGS max_threads = 64', /READONLY/],
  ];

  test('reads the database and what the server says of its tables, and nothing else', () => {
    const answers = askAs(
      'analyst',
      [...allowed, ...refused].map(([sql]) => sql),
    );
    const said = allowed.map(([sql], index) => [sql, answers[index]!.answer ?? answers[index]!.error]);
    expect(said).toEqual(allowed);
    for (const [index, [sql, reason]] of refused.entries()) {
      expect([sql, answers[allowed.length + index]!.error]).toEqual([sql, expect.stringMatching(reason)]);
    }
  });
});

test('hookwatch may make all tables and views, where people read them and where they are rebuilt', async () => {
  const statements: string[] = [];
  const target = {
    run: async (sql: string, parameters?: object) => void statements.push(...(parameters ? [] : [sql])),
    ask: async () => [],
  };
  await applyMigrations(target, readMigrations(), { deliveries: 90, facts: 400 }, 'hookwatch_rebuild');
  const end = 'DROP DATABASE hookwatch_rebuild';
  const answers = askAs('hookwatch', [...statements, 'SHOW TABLES FROM hookwatch_rebuild', end]);
  expect(answers.filter(({ error }) => error)).toEqual([]);
  expect(answers.at(-2)?.answer).toContain('events_rows');
});

test('hookwatch looks after its two databases, and nothing else', () => {
  const allowed = [
    'CREATE DATABASE hookwatch_rebuild',
    'CREATE TABLE hookwatch_rebuild.events AS hookwatch.events',
    'EXCHANGE TABLES hookwatch.events AND hookwatch_rebuild.events',
    'EXCHANGE TABLES hookwatch.events AND hookwatch_rebuild.events',
    'CREATE OR REPLACE VIEW hookwatch.seen AS SELECT id FROM hookwatch.events',
    "ALTER TABLE hookwatch.events MODIFY COMMENT 'changed'",
    'SELECT count() FROM system.tables',
    'SELECT count() FROM system.processes',
    'SELECT uptime()',
    'DROP VIEW hookwatch.seen',
    'DROP DATABASE hookwatch_rebuild',
  ];
  const refused = [
    'CREATE USER mallory',
    'CREATE DATABASE third',
    'SELECT * FROM other.secrets',
    'DROP TABLE other.secrets',
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV')",
    'SYSTEM SHUTDOWN',
  ];
  const errors = askAs('hookwatch', [...allowed, ...refused]).map(({ error }) => error ?? 'done');
  expect(errors.slice(0, allowed.length)).toEqual(allowed.map(() => 'done'));
  expect(errors.slice(allowed.length)).toEqual(refused.map(() => expect.stringContaining('ACCESS_DENIED')));
});

test('a setting that the server does not know would keep it from starting, and is found here', () => {
  const mistyped = users.replaceAll('session_timezone', 'session_time_zone');
  expect(mistyped).not.toBe(users);
  expect(start('analyst', ['SELECT 1'], { xml: mistyped })).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("Unknown setting 'session_time_zone'"),
  });
});

describe("the stack's configuration of the server", () => {
  /** What of the server's own config.xml the file beside it changes; the log lies where anybody may write. */
  const shipped = () => `<clickhouse>
    <logger><level>trace</level><log>${folder}/clickhouse-server.log</log></logger>
    <mysql_port>9004</mysql_port>
    <interserver_http_port>9009</interserver_http_port>
    <query_log><database>system</database><table>query_log</table></query_log>
  </clickhouse>`;
  const ask = [
    "SELECT name, value FROM system.server_settings WHERE name = 'max_server_memory_usage_to_ram_ratio'",
    "SELECT name, value FROM system.server_settings WHERE name = 'interserver_http_port'",
  ];
  const file = new URL('../../../dashboards/clickhouse/config.d/hookwatch.xml', import.meta.url);
  const text = readFileSync(file, 'utf8');

  function startWith(configD: string) {
    mkdirSync(join(folder, 'config.d'), { recursive: true });
    writeFileSync(join(folder, 'config.d', 'hookwatch.xml'), configD);
    const { status, stdout } = start('hookwatch', ask, { config: shipped() });
    rmSync(join(folder, 'config.d'), { recursive: true });
    return { status, answers: stdout === '' ? [] : JSON.parse(stdout) };
  }

  test('is taken, and what it removes is gone', () => {
    expect(startWith(text)).toEqual({
      status: 0,
      answers: [{ answer: 'max_server_memory_usage_to_ram_ratio\t0.8' }, { answer: 'interserver_http_port\t0' }],
    });
    expect(startWith('<clickhouse/>').answers[1]).toEqual({ answer: 'interserver_http_port\t9009' });
  });

  test('would be refused where it is no XML', () => {
    expect(startWith(text.replace('</logger>', ''))).toEqual({ status: 1, answers: [] });
  });
});
