/** Every metric and label that a dashboard or its Prometheus variables name is one that services/telemetry.ts declares. */
import type { Metric } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { declareAll } from '../declared.ts';
import { readsOf } from '../promql.ts';
import { dashboards, prometheusQueries } from './dashboards.ts';

const registry = declareAll();

interface Declared {
  type: string;
  labels: string[];
}

/** Given to everything by Prometheus, and by createRegistry. */
const targetLabels = ['job', 'instance'];
const ownLabels = [...targetLabels, 'service'];
const ofPrometheus: Record<string, Declared> = {
  up: { type: 'gauge', labels: targetLabels },
  ALERTS: { type: 'gauge', labels: [...targetLabels, 'alertname', 'alertstate', 'severity', 'tenant'] },
};

/** A metric by the name of one of its series: a histogram has three. */
function declarationOf(name: string): Declared | undefined {
  if (ofPrometheus[name]) return ofPrometheus[name];
  const [, base = name, part] = /^(.*)_(bucket|sum|count)$/.exec(name) ?? [];
  const histogram = part && registry.getSingleMetric(base);
  const metric = (histogram || registry.getSingleMetric(name)) as
    | (Metric & { labelNames: string[]; type: string })
    | undefined;
  if (!metric || (metric.type === 'histogram') !== Boolean(histogram)) return undefined;
  const labels = [...ownLabels, ...metric.labelNames, ...(part === 'bucket' ? ['le'] : [])];
  return { type: histogram ? 'counter' : metric.type, labels };
}

const queries = [...dashboards].flatMap(([dashboard, model]) =>
  prometheusQueries(model).map((query) => ({ ...query, name: `${dashboard}: ${query.name}` })),
);

test('declarations are found by the names of their series', () => {
  expect(declarationOf('hookwatch_edge_requests_total')?.type).toBe('counter');
  expect(declarationOf('hookwatch_edge_request_seconds_bucket')?.labels).toContain('le');
  expect(declarationOf('hookwatch_edge_request_seconds')).toBe(undefined);
  expect(declarationOf('hookwatch_edge_ready_bucket')).toBe(undefined);
  expect(declarationOf('hookwatch_edge_request_total')).toBe(undefined);
});

describe.each(queries)('$name', ({ expression, legend }) => {
  const { selectors, grouping, rated } = readsOf(expression);

  test('names metrics and labels that are there', () => {
    expect(selectors.length).toBeGreaterThan(0);
    for (const { metric, labels } of selectors) {
      const declared = declarationOf(metric);
      expect(declared, metric).toBeDefined();
      for (const label of [...labels, ...grouping]) expect(declared?.labels, metric).toContain(label);
    }
  });

  test('takes rates of counters', () => {
    for (const metric of rated) expect(declarationOf(metric)?.type, metric).toBe('counter');
    const counters = selectors.filter(({ metric }) => declarationOf(metric)?.type === 'counter');
    // The ledger is a difference of counters at one time.
    if (!expression.includes(' - ')) expect(counters.map(({ metric }) => metric)).toEqual(rated);
  });

  test('its legend shows labels that the result has', () => {
    const shown = [...(legend ?? '').matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
    for (const label of shown) expect(grouping).toContain(label);
  });
});

test('the ledger of the edges comes out even', () => {
  const { expression } = queries.find(({ name }) => name === 'pipeline: panel Ledger of the edges/A')!;
  const metrics = readsOf(expression).selectors.map(({ metric }) => metric);
  expect(new Set(metrics)).toEqual(
    new Set(
      ['requests_total', 'journaled_total', 'refused_total', 'requests_in_flight'].map(
        (name) => `hookwatch_edge_${name}`,
      ),
    ),
  );
});
