import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CheckpointDamagedError } from '../../../services/ports/checkpoints/checkpoints.ts';
import { createFileCheckpoints } from '../../../services/ports/checkpoints/files.ts';
import { createMemoryCheckpoints } from '../../../services/ports/checkpoints/memory.ts';
import { checkpointsContract, chunksOf, headOf, textOf } from './contract.ts';

checkpointsContract('memory', async () => ({ checkpoints: createMemoryCheckpoints(), close: async () => {} }));

async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'hookwatch-checkpoints-'));
}

checkpointsContract('files', async () => {
  const folder = await temporaryFolder();
  return {
    checkpoints: createFileCheckpoints(folder),
    close: () => rm(folder, { recursive: true }),
  };
});

const flip = (at: number) => (bytes: Buffer) => Buffer.from(bytes.map((byte, n) => (n === at ? byte ^ 1 : byte)));

test.each([
  ['torn', (bytes: Buffer) => bytes.subarray(0, bytes.length - 10)],
  ['empty', () => Buffer.alloc(0)],
  ['headless', (bytes: Buffer) => bytes.subarray(5)],
  ['flipped in its head', flip(40)],
  ['flipped in a length', (bytes: Buffer) => flip(bytes.indexOf('\n') + 1)(bytes)],
  ['flipped in its state', (bytes: Buffer) => flip(bytes.length - 50)(bytes)],
  ['flipped in its digest', (bytes: Buffer) => flip(bytes.length - 1)(bytes)],
])('a file that is %s is passed over to the one before it', async (_name, damage) => {
  const folder = await temporaryFolder();
  onTestFinished(() => rm(folder, { recursive: true }));
  const checkpoints = createFileCheckpoints(folder);
  const state = 'a state long enough to be damaged somewhere in its middle';
  await checkpoints.save('acme', headOf(1), chunksOf(state));
  await checkpoints.save('acme', headOf(2), chunksOf(state));
  const newest = join(folder, 'acme', (await readdir(join(folder, 'acme'))).sort().at(-1) ?? '');
  await writeFile(newest, damage(await readFile(newest)));
  const found = await checkpoints.newest('acme');
  if (found?.position === 2) await expect(textOf(found)).rejects.toThrow(CheckpointDamagedError);
  expect(await textOf(await checkpoints.newest('acme'))).toBe(state);
  expect((await checkpoints.newest('acme'))?.position).toBe(1);
});

test('a file from before flows were told apart counts as any flow', async () => {
  const folder = await temporaryFolder();
  onTestFinished(() => rm(folder, { recursive: true }));
  const checkpoints = createFileCheckpoints(folder);
  const old = { position: 3, recordId: 'r3' };
  await checkpoints.save('acme', old as never, chunksOf('state'));
  expect(await checkpoints.newest('acme')).toMatchObject({ ...old, flow: '', final: false, producers: [] });
});
