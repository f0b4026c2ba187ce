/** Configuration, rules and their cases as Prometheus's own tool judges them; the newest one and the oldest that we name. */
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { createRegistry } from '../../../services/telemetry.ts';
import { programPath, toolPath } from '../../compose/tools.ts';
import { metricGroups } from '../declared.ts';
import { caseFiles, folder, type Mutation, mutationsOf, type RuleFile, ruleFiles, rules } from './rule-files.ts';

const newest = toolPath('promtool');
/** Debian's lies beside its Prometheus. */
const oldest = join(dirname(programPath('prometheus')), 'promtool');
const both = [
  { version: 'of the image', promtool: newest },
  { version: 'of Debian', promtool: oldest },
];
const testFiles = [...caseFiles.keys()].map((name) => `tests/${name}`);

function run(promtool: string, args: readonly string[], { cwd = folder, input = '' } = {}) {
  const { status, stdout, stderr, error } = spawnSync(promtool, args, {
    cwd,
    input,
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (error) throw error;
  return { status, says: stdout + stderr };
}

describe.each(both)('promtool $version', ({ promtool }) => {
  test.each(['prometheus.yml', 'prometheus.host.yml'])('takes %s and its rules', (file) => {
    const { status, says } = run(promtool, ['check', 'config', '--lint=all', '--lint-fatal', file]);
    expect(says).not.toMatch(/warning|FAILED/i);
    expect({ status, says }).toMatchObject({
      status: 0,
      says: expect.stringContaining(`SUCCESS: ${ruleFiles.size} rule files found`),
    });
  });

  test('sees each alert fire, and not fire', () => {
    const { status, says } = run(promtool, ['test', 'rules', ...testFiles]);
    expect(says).not.toContain('FAILED');
    expect(status).toBe(0);
  });
});

describe('promtool complains of a mistake in', () => {
  test('the configuration', () => {
    const copy = copyOf({});
    writeFileSync(join(copy, 'prometheus.yml'), 'scrape_configs: [{ job: edge }]\n');
    expect(run(newest, ['check', 'config', 'prometheus.yml'], { cwd: copy }).status).not.toBe(0);
  });
  test('an exposition', () => {
    const { status, says } = run(newest, ['check', 'metrics'], { input: 'requests_count 1\n' });
    expect(status).not.toBe(0);
    expect(says).toContain('requests_count');
  });
});

const mutations = rules.flatMap(mutationsOf);

test('there are changes of every rule', () => {
  expect(new Set(mutations.map(({ rule }) => rule))).toEqual(
    new Set(rules.map(({ alert, record }) => alert ?? record)),
  );
});

// A few at a time: there are many.
test.concurrent.each(mutations.map((mutation) => ({ ...mutation, mutation })))(
  'a case notices: $rule, $what',
  async ({ mutation }) => {
    const args = ['test', 'rules', ...casesOf(mutation.rule)];
    const { code, says } = await promisify(execFile)(newest, args, { cwd: copyOf({ mutation }) }).then(
      ({ stdout, stderr }) => ({ code: 0, says: stdout + stderr }),
      ({ code, stdout, stderr }) => ({ code, says: stdout + stderr }),
    );
    // It is a rule all the same, and says something else.
    expect({ code, says }).toEqual({ code: 1, says: expect.stringMatching(/exp:|got:/) });
    expect(says).not.toMatch(/parse error|could not parse/);
  },
);

/** The files with cases of a rule, or of an alert that is made of it. */
function casesOf(name: string): string[] {
  const names = [name, ...rules.filter(({ expr }) => expr.includes(name)).map(({ alert }) => alert!)];
  return testFiles.filter((file) =>
    names.some((known) => JSON.stringify(caseFiles.get(basename(file))).includes(known)),
  );
}

const copies: string[] = [];
afterAll(() => {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
});

/** A copy of the folder, with a rule changed. */
function copyOf({ mutation }: { mutation?: Mutation }): string {
  const copy = mkdtempSync(join(tmpdir(), 'hookwatch-rules-'));
  copies.push(copy);
  cpSync(folder, copy, { recursive: true });
  if (!mutation) return copy;
  for (const [name, file] of ruleFiles) {
    const changed = structuredClone(file) as RuleFile;
    const found = changed.groups
      .flatMap((group) => group.rules)
      .find((rule) => (rule.alert ?? rule.record) === mutation.rule);
    if (!found) continue;
    mutation.change(found);
    writeFileSync(join(copy, 'rules', name), stringify(changed));
  }
  return copy;
}

/** Names that Node's and Prometheus's conventions do not agree on: prom-client's own metrics of the process. */
const ofTheProcess = /^(nodejs_|process_)/;

test.each(metricGroups)('promtool has nothing to say of the metrics of %s', async (_name, declare) => {
  const registry = createRegistry('test');
  declare(registry);
  const { says } = run(newest, ['check', 'metrics'], { input: await registry.metrics() });
  const ours = says.split('\n').filter((line) => line !== '' && !ofTheProcess.test(line));
  expect(ours).toEqual([]);
});
