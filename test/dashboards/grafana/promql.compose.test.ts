/** Every expression of the dashboards parses, and what they say is true, by Prometheus's own promtool. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
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

/** Series by their values, which hold for the whole time; `+2` rises by two every second. */
type Series = Record<string, string | number>;

const stepSeconds = 1;
const evaluatedAtSeconds = 60;
const steps = evaluatedAtSeconds + 5;

/** What promtool says of a panel's first query over series: nothing where the result is as expected. */
function evaluate(panel: string, series: Series, expected: Record<string, number>): string {
  const expression = queries.find(({ name }) => name === `panel ${panel}/A`)?.expression;
  if (expression === undefined) throw new Error(`No panel is called ${panel}`);
  const test = {
    interval: `${stepSeconds}s`,
    input_series: Object.entries(series).map(([name, value]) => ({
      series: name,
      values: String(value).startsWith('+') ? `0${value}x${steps}` : `${value}+0x${steps}`,
    })),
    promql_expr_test: [
      {
        expr: interpolate(expression),
        eval_time: `${evaluatedAtSeconds}s`,
        exp_samples: Object.entries(expected).map(([labels, value]) => ({ labels, value })),
      },
    ],
  };
  const file = join(folder, 'series.yml');
  writeFileSync(file, JSON.stringify({ evaluation_interval: `${stepSeconds}s`, tests: [test] }));
  const { status, stdout, stderr } = spawnSync(toolPath('promtool'), ['test', 'rules', file], { encoding: 'utf8' });
  return status === 0 ? '' : stdout + stderr;
}

const edge = (name: string, labels = '') => `hookwatch_edge_${name}{instance="e1"${labels && `,${labels}`}}`;
const balanced: Series = {
  [edge('requests_total')]: 10,
  [edge('journaled_total', 'verdict="verified"')]: 6,
  [edge('journaled_total', 'verdict="rejected"')]: 2,
  [edge('refused_total', 'reason="not_post"')]: 1,
  [edge('requests_in_flight')]: 1,
};
const lane = (name: string, labels: string) => `hookwatch_${name}{${labels},tenant="acme"}`;

describe.each<[panel: string, what: string, series: Series, expected: Record<string, number>]>([
  [
    'Parts that answer',
    'three of four',
    { 'up{job="a"}': 1, 'up{job="b"}': 0, 'up{job="c"}': 1, 'up{job="d"}': 1 },
    { '{}': 0.75 },
  ],
  [
    'Requests',
    'all edges together',
    { [edge('requests_total')]: '+2', 'hookwatch_edge_requests_total{instance="e2"}': '+3' },
    { '{}': 5 },
  ],
  ['Ledger of the edges', 'everything has an outcome', balanced, { '{instance="e1"}': 0 }],
  [
    'Ledger of the edges',
    'one request has none',
    { ...balanced, [edge('requests_total')]: 11 },
    { '{instance="e1"}': 1 },
  ],
  [
    'Ledger of the edges',
    'an edge that has counted nothing yet, beside one that has',
    {
      ...balanced,
      'hookwatch_edge_requests_total{instance="e2"}': 0,
      'hookwatch_edge_requests_in_flight{instance="e2"}': 0,
    },
    { '{instance="e1"}': 0, '{instance="e2"}': 0 },
  ],
  [
    'Lanes that stand still',
    'another worker has the lane',
    { [lane('lane_working', 'instance="w1"')]: 0, [lane('lane_working', 'instance="w2"')]: 1 },
    { '{}': 0 },
  ],
  ['Lanes that stand still', 'nobody works on it', { [lane('lane_working', 'instance="w1"')]: 0 }, { '{}': 1 }],
  [
    'Lanes that stand still',
    'a tenant that was not chosen',
    { 'hookwatch_lane_working{tenant="other"}': 0 },
    { '{}': 0 },
  ],
  [
    'Unaccounted for',
    'one lane has too few, another too many',
    { [lane('ledger_imbalance', 'instance="w1"')]: 3, 'hookwatch_ledger_imbalance{tenant="globex"}': -2 },
    { '{}': 5 },
  ],
  [
    'Open detections',
    'two workers tell of the same lane while it moves',
    {
      [lane('open_detections', 'instance="w1",rule="r",severity="high"')]: 2,
      [lane('open_detections', 'instance="w2",rule="r",severity="high"')]: 2,
      [lane('open_detections', 'instance="w2",rule="s",severity="low"')]: 1,
    },
    { '{}': 3 },
  ],
  ['Open detections', 'none', {}, { '{}': 0 }],
  [
    'Ledger of the lanes',
    'two workers tell of the same lane while it moves',
    {
      [lane('ledger_deliveries', 'instance="w1",outcome="events"')]: 7,
      [lane('ledger_deliveries', 'instance="w2",outcome="events"')]: 8,
      'hookwatch_ledger_deliveries{tenant="globex",outcome="events"}': 1,
    },
    { '{outcome="events"}': 9 },
  ],
  [
    'Records since the checkpoint',
    'of the worker that has come furthest',
    { [lane('lane_position', 'instance="w1"')]: 30, [lane('lane_checkpoint_position', 'instance="w1"')]: 20 },
    { '{tenant="acme"}': 10 },
  ],
  [
    'Time to answer',
    'half of the requests of all edges within 0.1 s',
    {
      [edge('request_seconds_bucket', 'le="0.1"')]: '+1',
      [edge('request_seconds_bucket', 'le="+Inf"')]: '+1',
      'hookwatch_edge_request_seconds_bucket{instance="e2",le="0.1"}': 0,
      'hookwatch_edge_request_seconds_bucket{instance="e2",le="+Inf"}': '+1',
    },
    { '{}': 0.1 },
  ],
])('%s', (panel, what, series, expected) => {
  test(what, () => {
    expect(evaluate(panel, series, expected)).toBe('');
  });
});

test('a wrong expectation is found', () => {
  expect(evaluate('Ledger of the edges', balanced, { '{instance="e1"}': 1 })).toContain('FAILED');
});
