/**
 * Checkpoints as files: `<folder>/<lane>/<position>.checkpoint`, written under another name, synced and renamed.
 *
 * A file is a head (one line of JSON), the chunks (each behind its length as uint32), a zero length and the SHA-256 of
 * all that precedes it.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkpoint, type Checkpoints, keptPositions } from './checkpoints.ts';

const digestBytes = 32;

export function createFileCheckpoints(folder: string): Checkpoints {
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
      await syncFolder(laneFolder(lane));
    },
    async newest(lane) {
      for (const position of (await list(lane)).reverse()) {
        const checkpoint = parse(await readFile(fileOf(lane, position)));
        if (checkpoint?.position === position) return checkpoint;
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

async function writeFile(
  path: string,
  head: Omit<Checkpoint, 'chunks'>,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const digest = createHash('sha256');
  const file = await open(path, 'wx', 0o600);
  const write = async (bytes: Uint8Array) => {
    digest.update(bytes);
    await file.write(bytes);
  };
  try {
    await write(Buffer.from(`${JSON.stringify({ position: head.position, recordId: head.recordId })}\n`));
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

/** Undefined for a file that is torn or damaged. */
function parse(file: Buffer): Checkpoint | undefined {
  const body = file.subarray(0, Math.max(0, file.length - digestBytes));
  const digest = createHash('sha256').update(body).digest();
  if (!digest.equals(file.subarray(body.length))) return undefined;
  const headEnd = body.indexOf('\n') + 1;
  const head = JSON.parse(body.subarray(0, headEnd).toString()) as Omit<Checkpoint, 'chunks'>;
  const chunks: Uint8Array[] = [];
  for (let offset = headEnd; ; ) {
    const length = body.readUInt32BE(offset);
    offset += 4;
    if (length === 0) return { ...head, chunks };
    chunks.push(body.subarray(offset, offset + length));
    offset += length;
  }
}
