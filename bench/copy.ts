/** Files copied as they are: the least that a backup of their bytes could do. */
import { constants, createReadStream, createWriteStream, type Dirent } from 'node:fs';
import { copyFile, mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';

/** Copies all files beneath a folder into a new one; resolves once all of them are on disk. */
export async function copyFolder(from: string, to: string): Promise<void> {
  for (const source of await filesIn(from)) {
    const target = await placeOf(source, from, to);
    await copyFile(source, target, constants.COPYFILE_EXCL);
    await using handle = await open(target, 'r');
    await handle.sync();
  }
}

/** The same, of what compressed files (.zst) hold, and without the others. */
export async function unpackFolder(from: string, to: string): Promise<void> {
  for (const source of (await filesIn(from)).filter((file) => file.endsWith('.zst'))) {
    const target = await placeOf(source.slice(0, -'.zst'.length), from, to);
    await pipeline(createReadStream(source), createZstdDecompress(), createWriteStream(target, { flush: true }));
  }
}

/** Bytes of all files beneath a folder. */
export async function bytesIn(folder: string): Promise<number> {
  const sizes = await Promise.all((await filesIn(folder)).map(async (file) => (await stat(file)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function filesIn(folder: string): Promise<string[]> {
  const entries: Dirent[] = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}

async function placeOf(file: string, from: string, to: string): Promise<string> {
  const target = join(to, relative(from, file));
  await mkdir(dirname(target), { recursive: true });
  return target;
}
