import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { flowHash } from '../services/flow-hash.ts';

const project = join(import.meta.dirname, '..');

/** The hash of a copy of the code. */
function hashOf(change: (services: string) => void = () => {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-flow-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const services = join(folder, 'services');
  for (const path of ['core', 'flow-hash.ts'])
    cpSync(join(project, 'services', path), join(services, path), { recursive: true });
  cpSync(join(project, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'));
  change(services);
  const script = `import { flowHash } from ${JSON.stringify(pathToFileURL(join(services, 'flow-hash.ts')).href)}; console.log(flowHash())`;
  return execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' }).trim();
}

test('equal code has one hash, wherever it lies', () => {
  expect(hashOf()).toBe(flowHash());
  expect(flowHash()).toMatch(/^[0-9a-f]{16}$/);
});

test.each<[string, (services: string) => void]>([
  ['another line in a file', (services) => writeFileSync(join(services, 'core/flow/ids.ts'), '\n', { flag: 'a' })],
  ['another file', (services) => writeFileSync(join(services, 'core/flow/new.ts'), '')],
  ['another name', (services) => renameSync(join(services, 'core/flow/ids.ts'), join(services, 'core/flow/id.ts'))],
])('%s of the core makes another flow', (_name, change) => {
  expect(hashOf(change)).not.toBe(flowHash());
});

test('what lies outside of the core does not', () => {
  expect(hashOf((services) => writeFileSync(join(services, 'config.ts'), ''))).toBe(flowHash());
});
