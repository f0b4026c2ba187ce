import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createFileCheckpoints } from '../../../services/ports/checkpoints/files.ts';
import { createMemoryCheckpoints } from '../../../services/ports/checkpoints/memory.ts';
import { checkpointsContract } from './contract.ts';

checkpointsContract('memory', async () => ({ checkpoints: createMemoryCheckpoints(), close: async () => {} }));

checkpointsContract('files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hookwatch-checkpoints-'));
  return {
    checkpoints: createFileCheckpoints(folder),
    close: () => rm(folder, { recursive: true }),
  };
});

test.each([
  ['torn', (bytes: Buffer) => bytes.subarray(0, bytes.length - 10)],
  ['empty', () => Buffer.alloc(0)],
  ['flipped', (bytes: Buffer) => Buffer.from(bytes.map((byte, index) => (index === 40 ? byte ^ 1 : byte)))],
])('a %s file is passed over to the one before it', async (_name, damage) => {
  const folder = await mkdtemp(join(tmpdir(), 'hookwatch-checkpoints-'));
  const checkpoints = createFileCheckpoints(folder);
  async function* chunks() {
    yield Buffer.from('a state long enough to be damaged somewhere in its middle');
  }
  await checkpoints.save('acme', { position: 1, recordId: 'r1' }, chunks());
  await checkpoints.save('acme', { position: 2, recordId: 'r2' }, chunks());
  const newest = join(folder, 'acme', (await readdir(join(folder, 'acme'))).sort().at(-1) ?? '');
  await writeFile(newest, damage(await readFile(newest)));
  expect((await checkpoints.newest('acme'))?.position).toBe(1);
  await rm(folder, { recursive: true });
});
