/** The folder of a backup while it is made: under another name, so that an interrupted one is never taken for whole. */
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { syncFolder } from '../../ports/log/segments.ts';
import { BackupError, type Manifest, manifestName, sumsName } from './manifest.ts';

export interface BackupFolder {
  /** Bytes on disk so far. */
  readonly bytes: number;
  /** Writes a file, compressed; resolves once it is on disk. Rejects with BACKUP_UNWRITABLE where the disk is full. */
  write(file: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  /** Takes a file back that could not be brought to its end. */
  remove(file: string): Promise<void>;
  /** Removes it: it will not be whole. */
  discard(): Promise<void>;
  /** Writes what is in it, and gives the folder its name. */
  finish(manifest: Manifest): Promise<void>;
}

const compression = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

/** @throws BackupError BACKUP_IN_THE_WAY where the folder, or an interrupted one, is there */
export async function createBackupFolder(path: string): Promise<BackupFolder> {
  const target = resolve(path);
  const draft = `${target}.partial`;
  for (const there of [target, draft]) {
    if (!existsSync(there)) continue;
    const what = there === draft ? 'it was left by a backup that is under way, or was interrupted: remove it then' : '';
    throw new BackupError('BACKUP_IN_THE_WAY', `Cannot write to ${there}: it is there${what && ` (${what})`}`);
  }
  await mkdir(dirname(target), { recursive: true });
  await mkdir(draft, { mode: 0o700 });
  const sums = new Map<string, string>();
  const folders = new Set([draft]);
  let bytes = 0;

  async function place(file: string): Promise<string> {
    const at = join(draft, file);
    await mkdir(dirname(at), { recursive: true, mode: 0o700 });
    for (let folder = dirname(at); folder !== draft; folder = dirname(folder)) folders.add(folder);
    return at;
  }

  async function writeText(file: string, text: string): Promise<void> {
    sums.set(file, createHash('sha256').update(text).digest('hex'));
    await using handle = await open(join(draft, file), 'wx', 0o600);
    await handle.writeFile(text);
    await handle.sync();
  }

  return {
    get bytes() {
      return bytes;
    },
    async write(file, chunks) {
      const at = await place(file);
      const digest = createHash('sha256');
      const count = new Transform({
        transform(chunk, _, done) {
          digest.update(chunk);
          bytes += chunk.length;
          done(null, chunk);
        },
      });
      const out = createWriteStream(at, { flags: 'wx', mode: 0o600, flush: true });
      await pipeline(Readable.from(chunks, { objectMode: false }), createZstdCompress(compression), count, out).catch(
        (error) => {
          throw explainWrite(error, at);
        },
      );
      sums.set(file, digest.digest('hex'));
    },
    async remove(file) {
      await rm(join(draft, file), { force: true });
      sums.delete(file);
    },
    discard: () => rm(draft, { recursive: true, force: true }),
    async finish(manifest) {
      await writeText(manifestName, `${JSON.stringify(manifest, null, 1)}\n`);
      await writeText(sumsName, [...sums].map(([file, sum]) => `${sum}  ${file}\n`).join(''));
      // The deepest first: a name counts once the folder that holds it is on disk.
      for (const folder of [...folders].sort((a, b) => b.length - a.length)) syncFolder(folder);
      await rename(draft, target);
      syncFolder(dirname(target));
    },
  };
}

/** What the system says of a write names no file. What the chunks' source says is passed on. */
function explainWrite(error: NodeJS.ErrnoException, file: string): Error {
  if (error.syscall === undefined) return error;
  return new BackupError('BACKUP_UNWRITABLE', `Cannot write ${file}: ${error.message}`, { cause: error });
}
