/**
 * The dashboards' queries by the very client that Grafana's ClickHouse plug-in asks with (clickhouse-go, over HTTP): against
 * the embedded engine, as Grafana beside an `npm start` has it, the client reads what HTTP answers in JSON.
 */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toolPath } from '../../compose/tools.ts';
import { type EngineProcess, passwords } from '../../ports/warehouse/engine-process.ts';
import { clickhouseQueries, dashboards } from './dashboards.ts';
import { expand } from './macros.ts';
import { live } from './simulated.ts';
import { ask, everything, panel, startStockedEngine } from './stock.ts';

interface Answer {
  columns: [name: string, type: string][];
  rows: unknown[][];
  error?: string;
}

let engine: EngineProcess;
beforeAll(async () => {
  engine = await startStockedEngine([live('acme', 3), live('globex', 4)]);
});
afterAll(() => engine?.dispose());

function query(user: string, password: string, queries: string[]): Answer[] {
  const { status, stdout, stderr } = spawnSync(
    toolPath('clickhouse-query'),
    [new URL(engine.url).host, user, 'hookwatch'],
    {
      input: JSON.stringify(queries),
      env: { CLICKHOUSE_PASSWORD: password },
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as Answer[];
}

/** Times as milliseconds: JSON has them as text without a zone, which is UTC, and Go with one. */
function comparable(type: string, value: unknown): unknown {
  if (value === null || !type.includes('DateTime')) return value;
  return Date.parse(String(value).includes('T') ? String(value) : `${String(value).replace(' ', 'T')}Z`);
}

const queries = [...dashboards.values()].flatMap(clickhouseQueries);

describe.each([
  ['analyst', passwords.analyst],
  ['default', ''],
])('%s', (user, password) => {
  let answers: Answer[];
  beforeAll(() => {
    answers = query(
      user,
      password,
      queries.map(({ sql }) => expand(sql, panel, everything)),
    );
  });

  test.each(queries.map(({ name, sql }, index) => ({ name, sql, index })))('$name', async ({ sql, index }) => {
    const { columns, rows, error } = answers[index]!;
    expect(error).toBe(undefined);
    const expected = await ask(engine, expand(sql, panel, everything));
    expect(expected.rows.length).toBeGreaterThan(0);
    expect(columns.map(([name]) => name)).toEqual(expected.columns.map(([name]) => name));
    const read = (values: unknown[]) => values.map((value, column) => comparable(expected.columns[column]![1], value));
    expect(rows.map(read)).toEqual(expected.rows.map((row) => read(Object.values(row))));
  });
});

test('the engine’s own words about what is wrong come through', () => {
  const [wrong, refused, fine] = query('analyst', passwords.analyst, [
    'SELECT nothing',
    'DROP TABLE hookwatch.events_rows',
    'SELECT 1',
  ]);
  expect(wrong?.error).toMatch(/UNKNOWN_IDENTIFIER|Unknown expression identifier/);
  expect(refused?.error).toMatch(/READONLY|ACCESS_DENIED|Not enough privileges|readonly/i);
  expect(fine?.rows).toEqual([[1]]);
});
