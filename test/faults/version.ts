import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The same code, but for one thing that everybody sees: who verified a delivery. Resolves to its hookwatch.ts. */
export function makeVersion(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-version-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const part of ['services', 'schemas', 'package.json'])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const file = join(folder, 'services', 'core', 'flow', 'deliveries.ts');
  const text = readFileSync(file, 'utf8');
  const edited = text.replace("context.emit('delivery', {\n    ...delivery,", "$&\n    key_id: 'changed',");
  expect(edited).not.toBe(text);
  writeFileSync(file, edited);
  return join(folder, 'services', 'hookwatch.ts');
}
