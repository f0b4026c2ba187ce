import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { changeEndpoints, secretFileOf } from '../../../services/commands/endpoints/file.ts';
import { type EndpointsContent, readEndpointsFile } from '../../../services/endpoints-file.ts';
import { lockFolder } from '../../../services/ports/log/folder-lock.ts';

const madeAt = '2026-01-01T00:00:00.000Z';
const writer = join(import.meta.dirname, 'writer.ts');

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-endpoints-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, 'data', 'endpoints.json');
}

/** Ends with the exit code, or the signal, and what was printed. */
async function write(file: string, name: string, { changes = 1, killAt }: { changes?: number; killAt?: number } = {}) {
  const env = { PATH: process.env.PATH, ...(killAt !== undefined && { KILL_AT: String(killAt) }) };
  const child = spawn(process.execPath, [writer, file, name, String(changes)], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [[code, signal], printed] = await Promise.all([once(child, 'exit'), text(child.stdout)]);
  return { end: signal ?? code, printed };
}

const namesIn = (file: string) => readEndpointsFile(file).content.endpoints.map(({ name }) => name);
const raise = (content: EndpointsContent) => ({ content: { ...content, revision: content.revision + 1 } });

test('several writers at once lose nothing of each other', async () => {
  const file = newFile();
  const writers = ['a', 'b', 'c', 'd'];
  const ends = await Promise.all(writers.map((name) => write(file, name, { changes: 10 })));
  expect(ends.map(({ end }) => end)).toEqual([0, 0, 0, 0]);
  const wanted = writers.flatMap((name) => Array.from({ length: 10 }, (_, count) => `${name}-${count}`));
  expect(namesIn(file).sort()).toEqual(wanted.sort());
  expect(readEndpointsFile(file).content.revision).toBe(40);
}, 60_000);

test('killed before whichever step, and in the middle of a write, it leaves the file before or the file after', async () => {
  const begin = async () => {
    const file = newFile();
    const first = { tenant: 'northwind', name: 'first-0', tokens: [] };
    await changeEndpoints(file, (content) => ({ content: { ...content, endpoints: [first] } }));
    return file;
  };
  const counting = await begin();
  const { printed } = await write(counting, 'second');
  // The secret's folder, the secret, the file that names it: each synced before it has its place, and its place synced.
  const replaced = 'rm open writeFile fsync close rename open fsync close';
  expect(printed).toBe(`mkdir ${replaced} ${replaced}\n`);
  const steps = printed.split(' ').length;
  const outcomes = new Set<string>();
  for (let killAt = 1; killAt <= steps; killAt++) {
    const file = await begin();
    expect(await write(file, 'second', { killAt })).toMatchObject({ end: 'SIGKILL' });
    const left = namesIn(file);
    outcomes.add(left.join());
    expect([['first-0'], ['first-0', 'second-0']]).toContainEqual(left);
    // Who comes next is not held up, and finds no trace of it.
    await changeEndpoints(file, raise);
    expect(namesIn(file)).toEqual(left);
    expect(readdirSync(join(file, '..')).filter((name) => name.endsWith('.new'))).toEqual([]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  }
  expect([...outcomes].sort()).toEqual(['first-0', 'first-0,second-0']);
}, 180_000);

test('who finds somebody at work waits, and gives up when that lasts', async () => {
  const file = newFile();
  await changeEndpoints(file, raise);
  const lock = lockFolder(`${file}.lock`);
  await expect(changeEndpoints(file, raise, 100)).rejects.toMatchObject({ code: 'ENDPOINTS_LOCKED' });
  const waiting = changeEndpoints(file, raise);
  lock.close();
  expect((await waiting).revision).toBe(2);
});

test('what root writes belongs to whom the folder belongs to', async () => {
  const file = newFile();
  const folder = join(file, '..');
  mkdirSync(folder);
  // Not being root, nobody can give anything away, and nothing has to be.
  if (process.getuid!() === 0) chownSync(folder, 1234, 1235);
  const secret = { file: secretFileOf('northwind', 'a', 'one'), text: 'text' };
  const endpoints = [
    { tenant: 'northwind', name: 'a', tokens: [], secrets: [{ id: 'one', file: secret.file, madeAt }] },
  ];
  await changeEndpoints(file, (content) => ({ content: { ...content, endpoints }, secret }));
  const { uid, gid } = statSync(folder);
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    expect([name, statSync(join(folder, name)).uid, statSync(join(folder, name)).gid]).toEqual([name, uid, gid]);
  }
});

test('a damaged file is changed by nobody, and a change that no edge could read is not made', async () => {
  const file = newFile();
  const wrong = { tenant: 'northwind', name: 'NOT A NAME', tokens: [] };
  await expect(changeEndpoints(file, ({ ...rest }) => ({ content: { ...rest, endpoints: [wrong] } }))).rejects.toThrow(
    /Cannot use .*endpoints.json: .*must be 1 to 63 of a-z/,
  );
  expect(existsSync(file)).toBe(false);
  writeFileSync(file, '{"format":1');
  await expect(changeEndpoints(file, raise)).rejects.toThrow(/it is no JSON. Only `hookwatch endpoints` writes it/);
});

test('secrets are for their owner alone, and gone once neither the file nor the one before names them', async () => {
  const file = newFile();
  const folder = join(file, '..', 'endpoint-secrets');
  const give = (id: string) =>
    changeEndpoints(file, (content) => {
      const secret = { file: secretFileOf('northwind', 'a', id), text: `text of ${id}` };
      const secrets = [{ id, file: secret.file, madeAt }];
      const endpoints = [{ tenant: 'northwind', name: 'a', tokens: [], secrets }];
      return { content: { ...content, revision: content.revision + 1, endpoints }, secret };
    });
  await give('one');
  await give('two');
  expect(readdirSync(folder).sort()).toEqual(['northwind.a.one', 'northwind.a.two']);
  await give('three');
  expect(readdirSync(folder).sort()).toEqual(['northwind.a.three', 'northwind.a.two']);
  expect(readEndpointsFile(file).secretTexts.get('endpoint-secrets/northwind.a.three')).toBe('text of three');
  for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
});
