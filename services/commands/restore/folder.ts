/** The folder of a backup, to be read. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createZstdDecompress } from 'node:zlib';
import {
  BackupError,
  edgeStateName,
  type Manifest,
  manifestName,
  parseManifest,
  sumsName,
} from '../backup/manifest.ts';

export interface BackupReader {
  readonly manifest: Manifest;
  /** What was written into a file, bit by bit. */
  stream(file: string): AsyncIterable<Buffer>;
  /** All of it. */
  read(file: string): Promise<Buffer>;
}

/**
 * Opens a backup, once every file in it has turned out to be what was written.
 *
 * @throws BackupError BACKUP_INCOMPLETE, BACKUP_DAMAGED, BACKUP_OTHER
 */
export async function openBackup(
  path: string,
  onProgress: (checked: number, of: number) => void,
): Promise<BackupReader> {
  const folder = resolve(path);
  const sums = parseSums(await readOrRefuse(folder, sumsName));
  let checked = 0;
  for (const [file, sum] of sums) {
    if ((await sumOf(join(folder, file))) !== sum) throw damaged(folder, file, 'it is not what was written');
    onProgress(++checked, sums.size);
  }
  if (!sums.has(manifestName)) throw damaged(folder, sumsName, `it does not name ${manifestName}`);
  const manifest = parseManifest(await readOrRefuse(folder, manifestName));
  for (const file of filesOf(manifest))
    if (!sums.has(file)) throw damaged(folder, sumsName, `it does not name ${file}`);
  const stream = (file: string): AsyncIterable<Buffer> => {
    const input = createReadStream(join(folder, file));
    const output = createZstdDecompress();
    input.on('error', (error) => output.destroy(error));
    return input.pipe(output);
  };
  return { manifest, stream, read: (file) => buffer(stream(file)) };
}

function filesOf({ logs, lanes, tables, edgeState }: Manifest): string[] {
  return [
    ...logs.flatMap(({ files }) => files.map(({ file }) => file)),
    ...lanes.flatMap(({ checkpoints }) => checkpoints.map(({ file }) => file)),
    ...tables.flatMap(({ files }) => files),
    ...(edgeState ? [edgeStateName] : []),
  ];
}

async function readOrRefuse(folder: string, file: string): Promise<string> {
  try {
    return await readFile(join(folder, file), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTDIR') {
      const message = `Cannot restore ${folder}: it is a file. Give the folder of a backup, in which ${sumsName} lies`;
      throw new BackupError('BACKUP_INCOMPLETE', message, { cause: error });
    }
    if (code !== 'ENOENT') throw error;
    throw new BackupError(
      'BACKUP_INCOMPLETE',
      `Cannot restore ${folder}: there is no ${file} in it, so it is no backup, or one that was interrupted`,
      { cause: error },
    );
  }
}

function parseSums(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^([0-9a-f]{64}) {2}(.+)$/gm)].map(([, sum = '', file = '']) => [file, sum]));
}

async function sumOf(path: string): Promise<string> {
  const digest = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) digest.update(chunk);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'missing';
    throw error;
  }
  return digest.digest('hex');
}

function damaged(folder: string, file: string, why: string): BackupError {
  return new BackupError('BACKUP_DAMAGED', `Cannot restore ${folder}: ${file} is damaged: ${why}`);
}
