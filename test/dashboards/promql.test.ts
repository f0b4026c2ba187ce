import { expect, test } from 'vitest';
import { readsOf } from './promql.ts';

test.each([
  ['up', [{ metric: 'up', labels: [] }], [], []],
  [
    'sum(up) / count(up)',
    [
      { metric: 'up', labels: [] },
      { metric: 'up', labels: [] },
    ],
    [],
    [],
  ],
  [
    'sum by (le, service) (rate(a_bucket{tenant=~"x|y",code!="0"}[$__rate_interval]))',
    [{ metric: 'a_bucket', labels: ['tenant', 'code'] }],
    ['le', 'service'],
    ['a_bucket'],
  ],
  [
    'histogram_quantile(0.99, sum(rate(a_bucket[5m])) without (job))',
    [{ metric: 'a_bucket', labels: [] }],
    ['job'],
    ['a_bucket'],
  ],
  [
    'a{x="by (z)"} - on (instance) group_left (y) b or 0 * c offset 5m',
    [
      { metric: 'a', labels: ['x'] },
      { metric: 'b', labels: [] },
      { metric: 'c', labels: [] },
    ],
    ['instance', 'y'],
    [],
  ],
  ['count(a == 0) or vector(0)', [{ metric: 'a', labels: [] }], [], []],
])('%s', (expression, selectors, grouping, rated) => {
  expect(readsOf(expression)).toEqual({ selectors, grouping, rated });
});
