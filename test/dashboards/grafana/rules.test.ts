import { describe, expect, test } from 'vitest';
import { columnsOf } from './columns.ts';
import { clickhouseQueries, type DashboardModel, dashboards, readDashboard } from './dashboards.ts';
import { rules } from './rules.ts';

const all = [...dashboards.values()];
const fraud = dashboards.get('provisioning-and-fraud')!;

describe.each([...dashboards])('%s', (_, dashboard) => {
  test.each(Object.entries(rules))('%s', (_name, rule) => {
    expect(rule(dashboard, all)).toEqual([]);
  });
});

test('the dashboards are there, in files by their titles', () => {
  expect([...dashboards].map(([file, { title }]) => [file, title])).toEqual([
    ['pipeline', 'Pipeline'],
    ['provisioning-and-fraud', 'Provisioning and fraud'],
  ]);
});

test('what is expected of queries is expected of queries that are there', () => {
  const names = all.flatMap(clickhouseQueries).map(({ name }) => name);
  expect(Object.keys(columnsOf).sort()).toEqual(names.sort());
});

test('no dashboard names a host or holds a secret', () => {
  for (const name of dashboards.keys()) {
    expect(readDashboard(`${name}.json`)).not.toMatch(/https?:|localhost|\d+\.\d+\.\d+\.\d+|password|token/i);
  }
});

/** What each rule finds. */
const faults: [rule: keyof typeof rules, fault: string, mutate: (dashboard: DashboardModel) => void][] = [
  ['it is found by a fixed uid, and by its tag', 'id is 7', (copy) => Object.assign(copy, { id: 7 })],
  ['it is found by a fixed uid, and by its tag', 'uid is x', (copy) => Object.assign(copy, { uid: 'x' })],
  ['it is found by a fixed uid, and by its tag', 'no tag', (copy) => copy.tags.pop()],
  ['the crosshair is shared', 'graphTooltip is 0', (copy) => Object.assign(copy, { graphTooltip: 0 })],
  [
    'links lead to each other dashboard and keep time and variables',
    'no link leads to Pipeline',
    (copy) => copy.links.pop(),
  ],
  [
    'links lead to each other dashboard and keep time and variables',
    'forgets time',
    (copy) => Object.assign(copy.links[0]!, { keepTime: false }),
  ],
  ['panels have ids and titles of their own', '2 is there twice', (copy) => Object.assign(copy.panels[0]!, { id: 2 })],
  [
    'panels have ids and titles of their own',
    'Detections is there twice',
    (copy) => Object.assign(copy.panels[0]!, { title: 'Detections' }),
  ],
  ['panels say what they show and in which unit', 'no description', (copy) => delete copy.panels[0]!.description],
  [
    'panels say what they show and in which unit',
    'unit seconds',
    (copy) => Object.assign(copy.panels[0]!.fieldConfig!.defaults, { unit: 'seconds' }),
  ],
  [
    'panels do not overlap, nor leave the grid',
    'lies over',
    (copy) => Object.assign(copy.panels[0]!.gridPos, { w: 7 }),
  ],
  [
    'panels do not overlap, nor leave the grid',
    'leaves the grid',
    (copy) => Object.assign(copy.panels[0]!.gridPos, { x: 20 }),
  ],
  ['queries of a panel have ids of their own', 'no query', (copy) => Object.assign(copy.panels[0]!, { targets: [] })],
  [
    'queries of a panel have ids of their own',
    'Servers created/A is there twice',
    (copy) => copy.panels[0]!.targets!.push(copy.panels[1]!.targets![0]!),
  ],
  [
    'data sources are chosen by a variable',
    'Servers created: data source',
    (copy) => Object.assign(copy.panels[0]!.datasource!, { uid: 'hookwatch-clickhouse' }),
  ],
  [
    'data sources are chosen by a variable',
    'Servers created/A: data source undefined',
    (copy) => delete copy.panels[0]!.targets![0]!.datasource,
  ],
  [
    'data sources are chosen by a variable',
    'annotation Detections: data source',
    (copy) => Object.assign(copy.annotations.list[0]!.datasource!, { type: 'prometheus' }),
  ],
  [
    'queries keep to the chosen tenants and accounts',
    'panel Servers created/A: no $account',
    (copy) => Object.assign(copy.panels[0]!.targets![0]!, { rawSql: 'SELECT $__conditionalAll(1, $tenant)' }),
  ],
  [
    'settings of columns are of columns that are there',
    'no column colour',
    (copy) => {
      const table = copy.panels.find(({ title }) => title === 'What rules found')!;
      table.fieldConfig!.overrides!.push({ matcher: { id: 'byName', options: 'colour' }, properties: [] });
    },
  ],
  [
    'links within tables name columns, variables and dashboards that are there',
    'no variable metric',
    (copy) => {
      copy.templating.list = copy.templating.list.filter(({ name }) => name !== 'metric');
    },
  ],
  [
    'links within tables name columns, variables and dashboards that are there',
    'region is lost',
    (copy) => {
      copy.templating.list.push({ ...copy.templating.list[1]!, name: 'region' });
    },
  ],
];

test.each(faults)('%s: finds "%s"', (rule, fault, mutate) => {
  const copy = structuredClone(fraud);
  mutate(copy);
  const found = rules[rule]!(copy, [...all.filter(({ uid }) => uid !== fraud.uid), copy]);
  expect(found.join('\n')).toContain(fault);
});

test('each rule has found something', () => {
  expect(new Set(faults.map(([rule]) => rule))).toEqual(new Set(Object.keys(rules)));
});
