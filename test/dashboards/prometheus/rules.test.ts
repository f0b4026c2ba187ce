/** Rules, the cases of their tests, runbooks and metrics belong together. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../../services/config.ts';
import { type RefusalReason, refusals } from '../../../services/edge/answers.ts';
import { declareAll } from '../declared.ts';
import { readsOf } from '../promql.ts';
import { cases, folder, mutationsOf, type Rule, repository, rules } from './rule-files.ts';

const alerts = rules.filter((rule): rule is Rule & { alert: string } => rule.alert !== undefined);
const records = rules.filter((rule): rule is Rule & { record: string } => rule.record !== undefined);
const checks = cases.flatMap(({ alert_rule_test: tests = [] }) => tests);

/** Labels of every metric, by name: ours from their declarations, and those that others are known to have. */
const labelsOf = new Map<string, Set<string>>([
  ['up', new Set()],
  // Caddy's metrics documentation, "HTTP handler metrics".
  ['caddy_http_request_duration_seconds_count', new Set(['code', 'handler', 'method', 'server'])],
  ['caddy_reverse_proxy_upstreams_healthy', new Set(['upstream'])],
]);
for (const declared of declareAll().getMetricsAsArray() as unknown as {
  name: string;
  type: string;
  labelNames: string[];
}[]) {
  const labels = new Set([...declared.labelNames, 'service']);
  if (declared.type !== 'histogram') labelsOf.set(declared.name, labels);
  else
    for (const part of ['bucket', 'sum', 'count']) labelsOf.set(`${declared.name}_${part}`, new Set([...labels, 'le']));
}
for (const { record, expr } of records) {
  labelsOf.set(
    record,
    new Set(
      /\bby \(([^)]*)\)/
        .exec(expr)![1]!
        .split(', ')
        .filter((label) => label !== 'le'),
    ),
  );
}

/** Given by Prometheus to whatever it scrapes. */
const ofTargets = new Set(['instance', 'job']);

test('there are rules, each once, and of every kind', () => {
  const names = rules.map(({ alert, record }) => alert ?? record);
  expect(new Set(names).size).toBe(names.length);
  expect(alerts.length).toBeGreaterThan(15);
  expect(records.length).toBeGreaterThan(5);
});

describe.each(alerts.map((rule) => ({ name: rule.alert, rule })))('$name', ({ name, rule }) => {
  test('is named, labelled and explained', () => {
    expect(name).toMatch(/^([A-Z][a-z0-9]*)+$/);
    expect(rule.labels).toEqual({
      severity: expect.stringMatching(/^(critical|warning)$/),
      kind: expect.stringMatching(/^(pipeline|finding)$/),
    });
    expect(Object.keys(rule.annotations!).sort()).toEqual(['description', 'runbook_url', 'summary']);
    expect(rule.annotations!.summary!.length).toBeLessThan(80);
  });

  test('has a runbook that names it', () => {
    const { runbook_url: path } = rule.annotations!;
    expect(path).toMatch(/^docs\/runbooks\/[a-z0-9-]+\.md$/);
    expect(readFileSync(join(repository, path!), 'utf8')).toContain(`\`${name}\``);
  });

  test('is seen firing, and not firing', () => {
    const own = checks.filter(({ alertname }) => alertname === name);
    const fires = own.filter(({ exp_alerts: expected = [] }) => expected.length > 0);
    const rests = own.filter(({ exp_alerts: expected = [] }) => expected.length === 0);
    expect(fires).not.toEqual([]);
    expect(rests).not.toEqual([]);
  });
});

describe.each(records.map((rule) => ({ name: rule.record, rule })))('$name', ({ name, rule }) => {
  test('is named level:metric:operation, after the labels that are left', () => {
    const [level, metric, operation, ...more] = name.split(':');
    expect(more).toEqual([]);
    expect(operation).toMatch(/^\w+$/);
    expect(
      readsOf(rule.expr)
        .grouping.filter((label) => label !== 'le')
        .every((label) => label === level),
    ).toBe(true);
    // Of several metrics, or of some series of one, it has a name of its own.
    if (!/ledger|unavailable/.test(metric!)) expect(rule.expr).toContain(metric);
  });

  test('is computed in a test', () => {
    const expressions = cases.flatMap(({ promql_expr_test: tests = [] }) => tests.map(({ expr }) => expr));
    expect(expressions.join('\n')).toContain(name);
  });
});

describe.each(rules.map((rule) => ({ name: rule.alert ?? rule.record!, rule })))('$name', ({ rule }) => {
  test('reads metrics that are declared, by labels that they have', () => {
    const { selectors, grouping } = readsOf(rule.expr);
    expect(selectors).not.toEqual([]);
    for (const { metric, labels } of selectors) {
      expect(labelsOf.has(metric), metric).toBe(true);
      for (const label of labels) expect([...labelsOf.get(metric)!, ...ofTargets], metric).toContain(label);
    }
    const known = new Set(selectors.flatMap(({ metric }) => [...labelsOf.get(metric)!, ...ofTargets]));
    for (const label of grouping) expect(known).toContain(label);
  });

  test('is told only what its labels say', () => {
    const told = Object.values(rule.annotations ?? {}).join(' ');
    const { selectors, grouping } = readsOf(rule.expr);
    const left = /\bby \(/.test(rule.expr) ? grouping : undefined;
    const made = [...rule.expr.matchAll(/count_values by \([^)]*\) \("(\w+)"/g)].map(([, label]) => label!);
    const given = left
      ? [...left, ...made]
      : selectors.flatMap(({ metric }) => [...labelsOf.get(metric)!, ...ofTargets]);
    for (const [, label] of told.matchAll(/\$labels\.(\w+)/g)) expect(given).toContain(label);
  });

  test('can be changed in ways that a test would notice', () => {
    expect(mutationsOf(rule).length).toBeGreaterThan(rule.alert ? 2 : 0);
  });
});

test('the reasons of a 503 are those that an edge answers it for', () => {
  const { expr } = records.find(({ record }) => record.startsWith('instance:hookwatch_edge_unavailable'))!;
  const listed = /reason=~"([^"]+)"/.exec(expr)![1]!.split('|');
  const answered = (Object.keys(refusals) as (keyof typeof refusals)[]).filter(
    (reason) => refusals[reason].status === 503,
  );
  expect(listed.sort()).toEqual((answered satisfies RefusalReason[]).sort());
});

test('the series of the tests are of metrics and labels that there are', () => {
  for (const { series } of cases.flatMap(({ input_series: input }) => input)) {
    const { metric, labels } = readsOf(series).selectors[0]!;
    expect(labelsOf.has(metric), series).toBe(true);
    for (const label of labels) expect([...labelsOf.get(metric)!, ...ofTargets], series).toContain(label);
  }
});

test('the list of runbooks has every alert with its severity and page, and no other', () => {
  const text = readFileSync(join(repository, 'docs/runbooks/README.md'), 'utf8');
  const listed = [...text.matchAll(/^\| `(\w+)` +\| (\w+) +\| \[.*\]\((.*)\) +\|$/gm)].map(([, ...row]) =>
    row.join(' '),
  );
  const there = alerts.map(({ alert, labels, annotations }) =>
    [alert, labels!.severity, basename(annotations!.runbook_url!)].join(' '),
  );
  expect(listed.sort()).toEqual(there.sort());
});

test.each(globSync('docs/runbooks/*.md', { cwd: repository }))(
  '%s names metrics, alerts and pages that there are',
  (path) => {
    const text = readFileSync(join(repository, path), 'utf8');
    for (const [metric] of text.matchAll(/\b(?:hookwatch|caddy)_[a-z_0-9]+\b/g)) {
      if (!/^hookwatch\./.test(metric))
        expect(
          [...labelsOf.keys()].some((name) => name.startsWith(metric)),
          metric,
        ).toBe(true);
    }
    for (const [, page] of text.matchAll(/\]\(([^)#:]+\.md)\)/g)) {
      expect(existsSync(join(repository, 'docs/runbooks', page!)), page).toBe(true);
    }
  },
);

test('the configuration for one machine names the ports that `npm start` has by default', () => {
  const { scrape_configs: configs } = parse(readFileSync(join(folder, 'prometheus.host.yml'), 'utf8')) as {
    scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
  };
  const targets = configs.map(({ job_name: job, static_configs: [first] }) => [job, ...first!.targets]);
  const {
    edge,
    console: page,
    clickhouse,
  } = loadConfig({ HOOKWATCH_CONFIG: join(repository, 'hookwatch.yaml') }).ports;
  expect(targets).toEqual([
    ['edge', `localhost:${edge}`],
    ['pipeline', `localhost:${page}`],
    ['clickhouse', `localhost:${clickhouse}`],
    ['prometheus', 'localhost:9090'],
  ]);
});

test('both configurations read the same rules, which have jobs for what they ask for', () => {
  for (const file of ['prometheus.yml', 'prometheus.host.yml']) {
    const config = parse(readFileSync(join(folder, file), 'utf8'));
    expect(config.rule_files).toEqual(['rules/*.yml']);
    const jobs = config.scrape_configs.map(({ job_name: name }: { job_name: string }) => name);
    expect(jobs).toContain('edge');
    expect(new Set(jobs).size).toBe(jobs.length);
  }
});
