/** docs/providers.md, followed step by step in a copy of the project from which its example was taken away. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { startInstallation } from '../supervisor/installation.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(join(root, 'docs', 'providers.md'), 'utf8');
const registry = 'services/core/providers/providers.ts';
const folder = 'services/core/providers/standard-webhooks';
const run = promisify(execFile);

/** The page's blocks of one language. */
const blocksOf = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, text]) => text!);
const blockOf = (language: string): string => {
  const [block, ...more] = blocksOf(language);
  if (block === undefined || more.length > 0) throw new Error(`the page has not just one block of ${language}`);
  return block;
};
/** The page's files, by path: a block behind a line that names it. */
const files = [...page.matchAll(/^`(services\/[^`]+)`:\n\n```ts\n(.*?)^```$/gms)].map(([, path, text]) => ({
  path: path!,
  text: text!,
}));
const diff = blockOf('diff').trimEnd().split('\n');
const removed = diff.filter((line) => line.startsWith('-')).map((line) => line.slice(1));
const added = diff.filter((line) => line.startsWith('+')).map((line) => line.slice(1));

test('the page has the whole of the folder, as it is', () => {
  expect(files.map(({ path }) => path).sort()).toEqual(
    readdirSync(join(root, folder)).map((name) => `${folder}/${name}`),
  );
  for (const { path, text } of files) expect(text).toBe(readFileSync(join(root, path), 'utf8'));
});

/** The project without its example, in a folder of its own. */
function copyWithoutExample(): string {
  const copy = mkdtempSync(join(tmpdir(), 'hookwatch-provider-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  for (const name of ['services', 'schemas', 'package.json'])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  rmSync(join(copy, folder), { recursive: true });
  const options = readFileSync(join(root, 'tsconfig.json'), 'utf8');
  writeFileSync(join(copy, 'tsconfig.json'), JSON.stringify({ ...JSON.parse(options), include: ['services/**/*.ts'] }));
  edit(join(copy, registry), added, removed);
  return copy;
}

/** Lines that are there once give way to others: one for one from the last on, the rest in front of the first. */
function edit(file: string, away: readonly string[], instead: readonly string[]): void {
  const lines = readFileSync(file, 'utf8').split('\n');
  const places = away.map((line) => lines.indexOf(line));
  expect(places).not.toContain(-1);
  const last = places.at(-1)!;
  const [replacement, ...before] = [...instead].reverse();
  const kept = lines.flatMap((line, index) => (index === last ? [replacement!] : places.includes(index) ? [] : [line]));
  writeFileSync(file, [...before.reverse(), ...kept].join('\n'));
}

/** Whatever their order, which is a matter of format. */
function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').sort();
}

function contentsOf(path: string): string {
  const entries = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')).join('\n');
}

test('nothing else knows of the folder', async () => {
  const copy = copyWithoutExample();
  expect(contentsOf(join(copy, 'services'))).not.toMatch(/standard-?webhooks/);
  await run(join(root, 'node_modules', '.bin', 'tsc'), ['-p', copy]);
});

test('who follows it has a provider that is verified, understood and found', async () => {
  const copy = copyWithoutExample();
  const inCopy = (path: string) => join(copy, path);

  // 1 to 4
  mkdirSync(inCopy(folder));
  for (const { path, text } of files) writeFileSync(inCopy(path), text);
  edit(inCopy(registry), removed, added);
  expect(linesOf(inCopy(registry))).toEqual(linesOf(join(root, registry)));

  // 5
  await run('sh', ['-ec', blockOf('sh')], { cwd: copy });
  writeFileSync(inCopy('hookwatch.yaml'), blockOf('yaml'));
  const installation = await startInstallation({
    program: inCopy('services/hookwatch.ts'),
    env: { HOOKWATCH_CONFIG: inCopy('hookwatch.yaml') },
  });
  onTestFinished(installation.dispose);
  writeFileSync(inCopy('send.mjs'), blockOf('js').replace('http://localhost:8080', installation.urls.edge));
  const { stdout } = await run(process.execPath, ['send.mjs'], { cwd: copy });
  expect(stdout).toBe('202\n');
  const query = `${blockOf('sql')} FORMAT JSONEachRow`;
  const ask = async () => (await fetch(`${installation.urls.clickhouse}/?query=${encodeURIComponent(query)}`)).text();
  await expect.poll(ask, { timeout: 20_000 }).not.toBe('');
  expect(JSON.parse(await ask())).toEqual({
    type: 'standard-webhooks.order.placed',
    account: 'standard-webhooks:shop',
    subject: 'o-17',
    correlation: 'msg_1',
  });
});
