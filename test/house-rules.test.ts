import { describe, expect, test } from 'vitest';
import { findFaults, rules } from './house-rules/rules.ts';
import { parseSource, readTree } from './house-rules/source.ts';

const tree = readTree();

describe('the project keeps the house rules', () => {
  test('the tree that is checked is the whole project', () => {
    const paths = tree.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining(['package.json', 'services/core/records/codec.ts', 'scripts/test.mjs']),
    );
    expect(paths.filter((path) => path.includes('node_modules'))).toEqual([]);
  });

  test.each(rules)('$name', (rule) => {
    expect(findFaults(rule, tree)).toEqual([]);
  });
});

const lines = (count: number) => 'x();\n'.repeat(count);
const rule = (start: string) => rules.find(({ name }) => name.startsWith(start))!;

/** For each rule: files that break it, and files that do not although they look like it. */
const cases: { start: string; path: string; bad: string[]; good: string[] }[] = [
  {
    start: 'core imports only core',
    path: 'services/core/flow/step.ts',
    bad: [
      `import { createHash } from 'node:fs';`,
      `import type { Log } from '../../ports/log/log.ts';`,
      `import { parse } from '../../config.ts';`,
      `import { Session } from 'chdb';`,
      `import pino from 'pino';`,
      `import { randomUUID } from 'node:crypto';`,
      `import * as crypto from 'node:crypto';`,
      `import crypto from 'node:crypto';`,
      `import 'node:crypto';`,
      `export { readFileSync } from 'node:fs';`,
      `export * from 'node:os';`,
      `const fs = await import('node:fs');`,
      `const fs = require('node:fs');`,
      `let log: import('../../ports/log/log.ts').Log;`,
    ],
    good: [
      `import { createHash } from 'node:crypto';`,
      `import avro from 'avsc';`,
      `import { a } from '../panes/a.ts';`,
    ],
  },
  {
    start: 'core has no clock',
    path: 'services/core/flow/step.ts',
    bad: [
      'const now = Date.now();',
      `const now = Date['now']();`,
      'const { now } = { now: new Date() };',
      'const now = new Date;',
      'const text = Date();',
      'const f = Math.random;',
      'export const seed = process.hrtime();',
      'const start = performance.now();',
      'setTimeout(() => {}, 1);',
      'const id = crypto.randomUUID();',
      'const all = { process };',
      `const home = globalThis['process'];`,
      'names.sort((a, b) => a.localeCompare(b));',
      'const f = (at: number) => (process as any).env;',
    ],
    good: [
      'const date = new Date(receivedAt).toISOString();',
      'const at = Date.UTC(2024, 1, 1) + Date.parse(text);',
      'const state = { process: 1, performance: 2 }; state.process += 1;',
      'interface Row { process: string; crypto: number }',
      'const max = Math.max(1, 2);',
    ],
  },
  {
    start: 'processes never import each other',
    path: 'services/edge/edge.ts',
    bad: [
      `import { a } from '../worker/worker.ts';`,
      `import type { A } from '../console/a.ts';`,
      `import('../sink/s.ts');`,
    ],
    good: [
      `import { a } from './a.ts';`,
      `import { a } from '../core/a.ts';`,
      `import { a } from '../ports/log/log.ts';`,
    ],
  },
  {
    start: 'processes never import each other',
    path: 'services/ports/log/log.ts',
    bad: [`import { a } from '../../edge/a.ts';`],
    good: [`import { a } from '../../core/a.ts';`],
  },
  {
    start: "a provider's folder is known",
    path: 'services/edge/edge.ts',
    bad: [
      `import { a } from '../core/providers/centurylink/verify.ts';`,
      `import type { A } from '../core/providers/citrix/decode.ts';`,
      `const { a } = await import('../core/providers/backup/provider.ts');`,
    ],
    good: [
      `import { providers } from '../core/providers/providers.ts';`,
      `import type { Provider } from '../core/providers/provider.ts';`,
    ],
  },
  {
    start: "a provider's folder is known",
    path: 'services/core/providers/citrix/decode.ts',
    bad: [`import { a } from '../centurylink/decode.ts';`],
    good: [`import { a } from './verify.ts';`, `import { a } from '../json.ts';`],
  },
  {
    start: "a provider's folder is known",
    path: 'services/reconcile/centurylink-walk.ts',
    bad: [`import { a } from '../core/providers/citrix/decode.ts';`],
    good: [`import { a } from '../core/providers/centurylink/told.ts';`],
  },
  {
    start: 'client libraries stay',
    path: 'services/sink/sink.ts',
    bad: [
      `import { createClient } from '@clickhouse/client';`,
      `import { Session } from 'chdb';`,
      `import { Connection } from 'chdb/connection';`,
      `import { DatabaseSync } from 'node:sqlite';`,
      `import { Kafka } from 'kafkajs';`,
      `import { retry } from 'cockatiel';`,
    ],
    good: [
      `import { readFile } from 'node:fs/promises';`,
      `import { createWarehouse } from '../ports/warehouse/warehouse.ts';`,
    ],
  },
  {
    start: 'metrics are declared',
    path: 'services/edge/metrics.ts',
    bad: [`import { Counter } from 'prom-client';`, `import type { Registry } from 'prom-client';`],
    good: [`import { telemetry } from '../telemetry.ts';`],
  },
  {
    start: 'the environment is read',
    path: 'services/edge/edge.ts',
    bad: [
      'const port = process.env.PORT;',
      `const port = process['env'].PORT;`,
      'const { env } = process;',
      `import { env } from 'node:process';`,
      'const port = globalThis.process.env.PORT;',
    ],
    good: ['const pid = process.pid;', 'const port = settings.env;'],
  },
  {
    start: 'a relative import names',
    path: 'services/edge/edge.ts',
    bad: [
      `import { a } from './edge';`,
      `import { a } from './edge.js';`,
      `import { a } from '.';`,
      `export * from '../gone.ts';`,
    ],
    good: [`import { a } from './edge.ts';`, `import { a } from 'hono';`],
  },
  {
    start: 'a port has two to five',
    path: 'services/ports/log/log.ts',
    bad: [
      'export interface Log { a(): void }',
      'export interface Log { a(): void; b(): void; c(): void; d(): void; e(): void; f(): void }',
      'export interface Other { a(): void; b(): void }',
    ],
    good: ['export interface Log { a(): void; b(): void }'],
  },
  {
    start: 'files have at most',
    path: 'services/edge/edge.ts',
    bad: [lines(401)],
    good: [lines(400)],
  },
  {
    start: 'functions have at most',
    path: 'test/edge/edge.test.ts',
    bad: [
      `function f() {\n${lines(69)}}`,
      `const f = () => {\n${lines(69)}};`,
      `const o = { f() {\n${lines(69)}} };`,
      `class C { f() {\n${lines(69)}} }`,
      `test('a', async () => {\n${lines(69)}});`,
    ],
    good: [
      `function f() {\n${lines(68)}}`,
      `describe('a', () => {\n${lines(300)}});`,
      `function create() {\n  function a() {\n${lines(60)}}\n  return { a, b: () => {\n${lines(60)}} };\n}`,
      `describe.each([1])('a', () => {\n${lines(99)}});`,
    ],
  },
  {
    start: 'no test is skipped',
    path: 'test/edge/edge.test.ts',
    bad: [
      `test.skip('a', () => {});`,
      `it.only('a', () => {});`,
      `describe.todo('a');`,
      `test.skipIf(true)('a', () => {});`,
      `test.concurrent.only('a', () => {});`,
      `test('a', (context) => context.skip());`,
      `xit('a', () => {});`,
    ],
    good: [`test('a', () => {});`, `test.each([1])('skip', () => {});`, `rows.skip(1);`],
  },
  {
    start: 'no path of somebody',
    path: 'README.md',
    bad: [`cd /${'home'}/me`, `see /${'work'}/main`, `'/${'Users'}/me'`, `npm from registry.${'npmjs'}.org`],
    good: ['/usr/bin/env', 'docs/work/here', 'https://example.org/home/page', '$' + '{data}/root/x'],
  },
  {
    start: 'what is left to do',
    path: 'services/edge/edge.ts',
    bad: [`// ${'TO'}DO: later`, `// ${'FIX'}ME`],
    good: [`// ${'TO'}DO(#12): later`, 'const todo = 1;'],
  },
];

/** The first line, and how many there are. */
function titleOf(text: string): string {
  const [first, ...more] = text.trimEnd().split('\n');
  return more.length > 0 ? `${first} (${more.length + 1} lines)` : first!;
}

describe('every rule finds what breaks it', () => {
  const neighbours = ['services/edge/edge.ts'].map((path) => parseSource(path, ''));
  const faultsOf = (start: string, path: string, text: string) =>
    findFaults(rule(start), [...neighbours.filter((other) => other.path !== path), parseSource(path, text)]);

  test('a rule without a case is not known to work', () => {
    const names = rules.map(({ name }) => name).filter((name) => !name.startsWith('files are named'));
    expect([...new Set(cases.map(({ start }) => rule(start).name))]).toEqual(names);
  });

  test.each(cases.flatMap(({ start, path, bad }) => bad.map((text) => ({ start, path, text, title: titleOf(text) }))))(
    '$start: $title',
    ({ start, path, text }) => {
      expect(faultsOf(start, path, text)).toEqual([expect.stringContaining(`${path}:1: `)]);
    },
  );

  test.each(
    cases.flatMap(({ start, path, good }) => good.map((text) => ({ start, path, text, title: titleOf(text) }))),
  )('$start lets pass: $title', ({ start, path, text }) => {
    expect(faultsOf(start, path, text)).toEqual([]);
  });

  test.each([
    'services/edge/utils.ts',
    'services/common/a.ts',
    'test/edge/test-helpers.ts',
    'services/lane_manager.ts',
  ])('files are named after what they hold: not %s', (path) =>
    expect(faultsOf('files are named', path, '')).toHaveLength(1),
  );

  test.each(['services/edge/commons-park.ts', 'services/core/commit.ts', 'services/sink/uncommon.ts'])(
    'files are named after what they hold: %s passes',
    (path) => expect(faultsOf('files are named', path, '')).toEqual([]),
  );

  test('a fault names its file and line', () => {
    const text = `const a = 1;\n\nconst b = Date.now();\n`;
    expect(faultsOf('core has no clock', 'services/core/a.ts', text)).toEqual(['services/core/a.ts:3: uses Date.now']);
  });

  test('the rules look only where they apply', () => {
    const outside = [
      ['core has no clock', 'services/edge/clock.ts', 'Date.now();'],
      ['client libraries stay', 'services/ports/log/sqlite.ts', `import { DatabaseSync } from 'node:sqlite';`],
      ['metrics are declared', 'services/telemetry.ts', `import { Counter } from 'prom-client';`],
      ['the environment is read', 'services/config.ts', 'process.env.PORT;'],
      ['processes never import', 'services/hookwatch.ts', `import { a } from './edge/edge.ts';`],
    ] as const;
    for (const [start, path, text] of outside) expect(faultsOf(start, path, text)).toEqual([]);
  });
});
