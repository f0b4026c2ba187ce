/** Every expression of the dashboards parses, by Prometheus's own promtool. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { toolPath } from '../../compose/tools.ts';
import { dashboards, prometheusQueries } from './dashboards.ts';

const folder = mkdtempSync(join(tmpdir(), 'hookwatch-promql-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As Grafana sends it. */
const interpolate = (expression: string) =>
  expression.replaceAll('$__rate_interval', '20s').replaceAll('$tenant', 'acme|globex');

/** What promtool says of expressions, each as a rule. */
function check(name: string, expressions: string[]): { status: number | null; output: string } {
  const file = join(folder, `${name}.yml`);
  const rules = expressions.map((expr, index) => ({
    record: `dashboard:expression:${index}`,
    expr: interpolate(expr),
  }));
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboards', rules }] }));
  const { status, stdout, stderr } = spawnSync(toolPath('promtool'), ['check', 'rules', file], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

const queries = [...dashboards.values()].flatMap(prometheusQueries);

test('expressions parse', () => {
  const { status, output } = check(
    'all',
    queries.map(({ expression }) => expression),
  );
  expect(output).toContain(`SUCCESS: ${queries.length} rules found`);
  expect(status).toBe(0);
  for (const { expression } of queries) expect(interpolate(expression)).not.toContain('$');
});

test.each([
  ['a parenthesis that misses', 'sum(rate(up[$__rate_interval])'],
  ['an unknown function', 'rates(up[5m])'],
  ['a variable that Grafana does not know here', 'rate(up[$interval])'],
])('%s does not', (_, expression) => {
  expect(check('broken', [expression])).toMatchObject({
    status: 1,
    output: expect.stringContaining('could not parse'),
  });
});
