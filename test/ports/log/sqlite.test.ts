import fs from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, rmdir } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { segmentPath } from '../../../services/ports/log/segments.ts';
import { createSqliteLog } from '../../../services/ports/log/sqlite.ts';
import { createThreadedSqliteLog } from '../../../services/ports/log/threaded.ts';
import { logContract } from './contract.ts';

const { renameSync: renameFile } = fs;
const backends = { sqlite: createSqliteLog, 'sqlite on a thread': createThreadedSqliteLog };

for (const [name, create] of Object.entries(backends)) {
  logContract(name, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hookwatch-log-'));
    const options = { folder, segmentBytesMax: 16 * 1024 };
    let log = create(options);
    return {
      log,
      async reopen() {
        await log.close();
        log = create(options);
        return log;
      },
      async close() {
        await log.close();
        await rm(folder, { recursive: true });
      },
    };
  });
}

describe('segments', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hookwatch-log-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const frames = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ key: 'acme', frame: Buffer.alloc(1000, n) }));
  const options = () => ({ folder, segmentBytesMax: 16 * 1024 });

  test('a log begins where it is told to, and only while it is empty', async () => {
    const log = createSqliteLog({ ...options(), beginAt: 4_200 });
    await log.trim(4_200);
    expect(await log.bounds()).toEqual({ first: 4_200, next: 4_200 });
    expect(await log.append(frames(2))).toBe(4_200);
    await log.close();
    const again = createSqliteLog({ ...options(), beginAt: 0 });
    expect(await again.append(frames(1))).toBe(4_202);
    expect(await again.bounds()).toEqual({ first: 4_200, next: 4_203 });
    await expect(again.read(4_199, { records: 1, bytes: 1 })).rejects.toThrow('starts at 4200');
    await again.close();
  });

  test('a reader that was there before follows the writer over segments, and sees every record once', async () => {
    const reader = createSqliteLog(options());
    const writer = createThreadedSqliteLog(options());
    const seen: number[] = [];
    let from = 0;
    for (let round = 0; round < 40; round++) {
      await writer.append(frames(1 + (round % 7)));
      for (const { position } of await reader.read(from, { records: 1000, bytes: 1e9 })) {
        seen.push(position);
        from = position + 1;
      }
    }
    for (;;) {
      const rest = await reader.read(from, { records: 1000, bytes: 1e9 });
      if (rest.length === 0) break;
      seen.push(...rest.map(({ position }) => position));
      from = rest.at(-1)!.position + 1;
    }
    const { next } = await reader.bounds();
    expect(seen).toEqual(Array.from({ length: next }, (_, position) => position));
    expect((await readdir(folder)).filter((file) => file.endsWith('.db')).length).toBeGreaterThan(3);
    await writer.close();
    await reader.close();
  });

  test('trimming unlinks whole segments and keeps the record that was named', async () => {
    const log = createSqliteLog(options());
    for (let round = 0; round < 40; round++) await log.append(frames(5));
    await log.trim(120);
    const { first, next } = await log.bounds();
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThanOrEqual(120);
    expect(next).toBe(200);
    expect((await log.read(120, { records: 1, bytes: 1 }))[0]?.position).toBe(120);
    await log.close();
  });

  test('a second writer is refused, and told what to do', async () => {
    const first = createSqliteLog(options());
    await first.append(frames(1));
    const second = createSqliteLog(options());
    await expect(second.append(frames(1))).rejects.toThrow(/another process does; stop it, or set HOOKWATCH_DATA/);
    await second.close();
    await first.close();
    const third = createSqliteLog(options());
    expect(await third.append(frames(1))).toBe(1);
    await third.close();
  });

  test('a batch that fails leaves nothing of itself, and its position to the next one', async () => {
    const log = createSqliteLog(options());
    await log.append(frames(2));
    const broken = [...frames(1), { key: 'acme', frame: null as unknown as Uint8Array }];
    await expect(log.append(broken)).rejects.toThrow();
    expect(await log.append(frames(1))).toBe(2);
    expect(await log.read(1, { records: 1, bytes: 1e9 })).toHaveLength(1);
    expect((await log.read(2, { records: 10, bytes: 1e9 })).map(({ position }) => position)).toEqual([2]);
    await log.close();
  });

  test('a thread whose writer is refused rejects every call, with the reason behind it', async () => {
    const first = createSqliteLog(options());
    await first.append(frames(1));
    const refused = createThreadedSqliteLog(options());
    const reason = { cause: { message: expect.stringContaining('another process does') } };
    await expect(refused.append(frames(1))).rejects.toMatchObject(reason);
    await expect(refused.append(frames(1))).rejects.toMatchObject(reason);
    await expect(refused.failed).rejects.toMatchObject(reason);
    await refused.close();
    await first.close();
  });

  test('a thread that ends by itself is told of; one that is closed is not', async () => {
    const post = vi.spyOn(Worker.prototype, 'postMessage');
    const log = createThreadedSqliteLog(options());
    await log.append(frames(1));
    await (post.mock.contexts[0] as Worker).terminate();
    post.mockRestore();
    await expect(log.failed).rejects.toThrow('its thread has ended');
    await expect(log.append(frames(1))).rejects.toThrow('its thread has ended');
    await log.close();

    const closed = createThreadedSqliteLog(options());
    await closed.append(frames(1));
    await closed.close();
    await expect(closed.append(frames(1))).rejects.toThrow('it is closed');
    expect(await Promise.race([closed.failed, Promise.resolve('quiet')])).toBe('quiet');
  });

  test('a segment has its name only once it is whole, so that no reader is in the way of its making', async () => {
    const named: string[] = [];
    const rename = vi.spyOn(fs, 'renameSync').mockImplementation((from, to) => {
      const draft = new DatabaseSync(from, { readOnly: true });
      named.push(
        ...draft
          .prepare('SELECT name FROM sqlite_master')
          .all()
          .map(({ name }) => `${name} ${to}`),
      );
      draft.close();
      renameFile(from, to);
    });
    onTestFinished(() => {
      rename.mockRestore();
      syncBuiltinESMExports();
    });
    syncBuiltinESMExports();
    const log = createSqliteLog(options());
    await log.append(frames(20));
    await log.append(frames(1));
    expect(named).toEqual([0, 20].map((first) => `batches ${segmentPath(folder, first)}`));
    await log.close();
  });

  test.each(Object.entries(backends))('%s: a segment that cannot be begun is tried again', async (_name, create) => {
    const log = create(options());
    await log.append(frames(20));
    const obstacle = segmentPath(folder, 20);
    await mkdir(obstacle);
    await expect(log.append(frames(1))).rejects.toThrow('unable to open database file');
    await expect(log.append(frames(1))).rejects.toThrow('unable to open database file');
    await rmdir(obstacle);
    expect(await log.append(frames(1))).toBe(20);
    expect((await log.read(19, { records: 1, bytes: 1e9 })).map(({ position }) => position)).toEqual([19]);
    expect((await log.read(20, { records: 9, bytes: 1e9 })).map(({ position }) => position)).toEqual([20]);
    await log.close();
  });
});
