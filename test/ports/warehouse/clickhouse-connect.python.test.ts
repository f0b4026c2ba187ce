/** Python's clickhouse-connect, unmodified, against the front. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { passwords } from './engine-process.ts';
import { buildFortress, command, type Fortress } from './fortress.ts';

let fortress: Fortress;
beforeAll(async () => {
  fortress = await buildFortress();
});
afterAll(() => fortress.dispose());

const script = fileURLToPath(new URL('clickhouse_connect_client.py', import.meta.url));

/** Runs a function of the script with its arguments as JSON; resolves with what it returned. */
async function python<T>(name: string, argument: object): Promise<T> {
  const { port } = new URL(fortress.engine.url);
  const child = spawn(process.env.HOOKWATCH_PYTHON || 'python3', [script, name], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify({ port: Number(port), ...argument }));
  return JSON.parse(await text(child.stdout)) as T;
}

const users = [
  { username: 'analyst', password: passwords.analyst },
  { username: 'default', password: '' },
];

describe.each(users)('$username', (user) => {
  test('cannot break out', async () => {
    const outcomes = await python<({ answer: string } | { error: string })[]>('attack', {
      ...user,
      statements: fortress.statements,
    });
    await fortress.assertHeld(outcomes);
  });

  test('queries with parameters', async () => {
    expect(await python('query', user)).toEqual({
      rows: [[6, "it's\n\ttab \\ ü", '2024-01-01T00:00:00', ['a', "b'c"]]],
      rowsOfMany: 100_000,
      longParameter: 100_000,
    });
  });
});

test.each([true, false, 'gzip', 'zstd', 'lz4'])('the writer inserts, with compression %s', async (compress) => {
  await command(
    fortress.engine,
    'CREATE OR REPLACE TABLE system_test (n UInt64, s String, t DateTime) ENGINE = Memory',
  );
  const written = await python('insert', {
    username: 'hookwatch',
    password: passwords.hookwatch,
    table: 'system_test',
    rows: 5_000,
    compress,
  });
  await command(fortress.engine, 'DROP TABLE system_test');
  expect(written).toEqual({ written: 5_000, stored: 5_000, same: true });
});
