/** The dashboards against Grafana's own types: what Grafana does not know is not in them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DashboardModel, dashboards, type PanelModel } from './dashboards.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const types = fileURLToPath(new URL('types.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'hookwatch-dashboards-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Loose = Record<string, unknown>;
const firstOf = (model: DashboardModel, type: string) =>
  model.panels.find((panel) => panel.type === type) as PanelModel & { options: Loose };
const loose = (value: unknown) => value as Loose;

/** What must not pass, and what the compiler then names. */
const mutations: [name: string, mutate: (model: DashboardModel) => void, named: RegExp][] = [
  ['an unknown property', (model) => Object.assign(model, { refreshRate: '5s' }), /refreshRate/],
  ['no version of the schema', (model) => delete (model as Partial<DashboardModel>).schemaVersion, /schemaVersion/],
  ['a shared crosshair that is none', (model) => Object.assign(model, { graphTooltip: 3 }), /'3'/],
  ['an unknown kind of panel', (model) => Object.assign(firstOf(model, 'stat'), { type: 'graph' }), /"graph"/],
  ['an unknown property of a panel', (model) => Object.assign(firstOf(model, 'stat'), { span: 4 }), /span/],
  [
    'an option of another kind',
    (model) => Object.assign(firstOf(model, 'stat').options, { cellHeight: 'sm' }),
    /cellHeight/,
  ],
  ['an option that misses', (model) => delete firstOf(model, 'timeseries').options.legend, /legend/],
  [
    'a unit in the wrong place',
    (model) => Object.assign(loose(firstOf(model, 'timeseries').fieldConfig), { unit: 's' }),
    /unit/,
  ],
  [
    'an unknown style of drawing',
    (model) =>
      Object.assign(loose(loose(firstOf(model, 'timeseries').fieldConfig?.defaults).custom), { drawStyle: 'area' }),
    /"area"/,
  ],
  [
    'an unknown property of a query',
    (model) => Object.assign(firstOf(model, 'timeseries').targets![0]!, { rawQuery: true }),
    /rawQuery/,
  ],
  [
    'a query without text',
    (model) => {
      const target = firstOf(model, 'timeseries').targets![0]!;
      delete target.rawSql;
      delete target.expr;
    },
    /rawSql|expr/,
  ],
  ['an unknown property of a variable', (model) => Object.assign(model.templating.list[0]!, { values: [] }), /values/],
  ['an unknown property of a link', (model) => Object.assign(model.links[0]!, { newTab: true }), /newTab/],
];

/** The compiler's complaints by file. */
const complaints = new Map<string, string[]>();

function writeModel(name: string, model: DashboardModel): void {
  const source = `import type { DashboardJson } from ${JSON.stringify(types)};
export const dashboard: DashboardJson = ${JSON.stringify(model, null, 1)};
`;
  writeFileSync(join(folder, `${name}.ts`), source);
}

beforeAll(() => {
  for (const [name, model] of dashboards) {
    writeModel(name, model);
    mutations.forEach(([, mutate], index) => {
      const copy = structuredClone(model);
      mutate(copy);
      writeModel(`${name}-${index}`, copy);
    });
  }
  const config = { extends: join(root, 'tsconfig.json'), compilerOptions: { types: [] }, include: ['*.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const args = [compiler, '--project', folder, '--pretty', 'false'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  expect(stderr).toBe('');
  // A complaint begins with its place; lines that explain it are indented.
  let lines: string[] = [];
  for (const line of stdout.trimEnd().split('\n')) {
    const file = /^(\S+)\.ts\(\d+,\d+\): error /.exec(line)?.[1];
    if (file) {
      lines = complaints.get(file) ?? [];
      complaints.set(file, lines);
    }
    lines.push(line);
  }
});

describe.each([...dashboards.keys()])('%s', (name) => {
  test('is what Grafana knows', () => {
    expect(complaints.get(name) ?? []).toEqual([]);
  });

  test.each(mutations.map(([what, , named], index) => [what, index, named] as const))(
    '%s is found',
    (_, index, named) => {
      expect((complaints.get(`${name}-${index}`) ?? []).join('\n')).toMatch(named);
    },
  );
});
