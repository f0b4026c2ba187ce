/**
 * Checkpoints as files: `<folder>/<lane>/<position>.checkpoint`, written under another name, synced and renamed.
 *
 * A file is a head (one line of JSON), the chunks (each behind its length as uint32), a zero length and the SHA-256 of
 * all that precedes it.
 */
import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Checkpoint,
  CheckpointDamagedError,
  type CheckpointHead,
  type Checkpoints,
  keptPositions,
} from './checkpoints.ts';

const digestBytes = 32;
const headBytesMax = 1024 * 1024;
const newline = 0x0a;

export function createFileCheckpoints(folder: string): Checkpoints {
  /** Files whose bytes were found to be others than those that were saved. */
  const damaged = new Set<string>();
  const laneFolder = (lane: string) => join(folder, encodeURIComponent(lane));
  const fileOf = (lane: string, position: number) =>
    join(laneFolder(lane), `${String(position).padStart(16, '0')}.checkpoint`);

  async function list(lane: string): Promise<number[]> {
    const files = await readdir(laneFolder(lane)).catch(emptyWhereAbsent);
    return files
      .filter((file) => /^\d{16}\.checkpoint$/.test(file))
      .map((file) => Number(file.slice(0, 16)))
      .sort((a, b) => a - b);
  }

  /** Undefined for a file that is known to be damaged, or whose head is. */
  async function openFile(path: string, position: number): Promise<Checkpoint | undefined> {
    if (damaged.has(path)) return undefined;
    const head = await readHead(path).catch(() => undefined);
    if (head?.position !== position) return undefined;
    return { ...head, chunks: { [Symbol.asyncIterator]: () => readOrNote(path) } };
  }

  async function* readOrNote(path: string): AsyncGenerator<Uint8Array> {
    try {
      yield* readChunks(path);
    } catch (error) {
      damaged.add(path);
      throw new CheckpointDamagedError(`Cannot read checkpoint ${path}`, { cause: error });
    }
  }

  return {
    async save(lane, head, chunks) {
      await mkdir(laneFolder(lane), { recursive: true });
      const draft = join(laneFolder(lane), `${randomUUID()}.draft`);
      try {
        await writeFile(draft, head, chunks);
        await rename(draft, fileOf(lane, head.position));
      } finally {
        await rm(draft, { force: true });
      }
      damaged.delete(fileOf(lane, head.position));
      await syncFolder(laneFolder(lane));
    },
    async newest(lane, upTo = Infinity) {
      for (const position of (await list(lane)).reverse()) {
        const checkpoint = position <= upTo ? await openFile(fileOf(lane, position), position) : undefined;
        if (checkpoint) return checkpoint;
      }
      return undefined;
    },
    async lanes() {
      const names = (await readdir(folder).catch(emptyWhereAbsent)).map(decodeURIComponent).sort();
      const counts = await Promise.all(names.map(async (lane) => (await list(lane)).length));
      return names.filter((_, index) => counts[index] !== 0);
    },
    list,
    async prune(lane, position) {
      const positions = await list(lane);
      const kept = keptPositions(positions, position);
      for (const candidate of positions) if (!kept.has(candidate)) await rm(fileOf(lane, candidate), { force: true });
    },
  };
}

function emptyWhereAbsent(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}

async function writeFile(path: string, head: CheckpointHead, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const digest = createHash('sha256');
  const file = await open(path, 'wx', 0o600);
  const write = async (bytes: Uint8Array) => {
    digest.update(bytes);
    await file.write(bytes);
  };
  try {
    await write(Buffer.from(`${JSON.stringify(head)}\n`));
    for await (const chunk of chunks) {
      if (chunk.length === 0) continue;
      await write(uint32(chunk.length));
      await write(chunk);
    }
    await write(uint32(0));
    await file.write(digest.digest());
    await file.sync();
  } finally {
    await file.close();
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What stands in the head of files that were written before there was more to say. */
const beforeFlows = { flow: '', final: false, producers: [] };

async function readHead(path: string): Promise<CheckpointHead> {
  await using file = await open(path, 'r');
  return { ...beforeFlows, ...JSON.parse((await readHeadLine(file)).toString()) };
}

async function readHeadLine(file: FileHandle): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytesMax), 0, headBytesMax, 0);
  return buffer.subarray(0, buffer.subarray(0, bytesRead).indexOf(newline) + 1);
}

/** Rejects where the file ends early, or with another digest. */
async function* readChunks(path: string): AsyncGenerator<Uint8Array> {
  await using file = await open(path, 'r');
  const digest = createHash('sha256');
  const headLine = await readHeadLine(file);
  digest.update(headLine);
  const { size } = await file.stat();
  let offset = headLine.length;
  const read = async (length: number) => {
    // A damaged length must not ask for more memory than the file is long.
    if (offset + length > size) throw new Error(`${path} ends at ${size}, before ${offset + length}`);
    const { buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, offset);
    offset += length;
    return buffer;
  };
  for (;;) {
    const prefix = await read(4);
    digest.update(prefix);
    if (prefix.readUInt32BE() === 0) break;
    const chunk = await read(prefix.readUInt32BE());
    digest.update(chunk);
    yield chunk;
  }
  if (!digest.digest().equals(await read(digestBytes))) throw new Error(`${path} has another digest`);
}
