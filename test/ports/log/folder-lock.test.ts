import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lockFolder } from '../../../services/ports/log/folder-lock.ts';

test('a folder is held by one at a time, and made where it is absent', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'hookwatch-lock-'));
  onTestFinished(() => rm(parent, { recursive: true }));
  const folder = join(parent, 'made', 'here');
  const first = lockFolder(folder);
  expect(() => lockFolder(folder)).toThrow(expect.objectContaining({ code: 'FOLDER_LOCKED' }));
  first.close();
  lockFolder(folder).close();
});
