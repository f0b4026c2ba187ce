/** A disk that does not give back what was written: nothing is passed over silently, and nothing else is lost. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { createSqliteLog } from '../../../services/ports/log/sqlite.ts';

const pageBytes = 16_384;
const one = { records: 1, bytes: 1 };
const ample = { records: 1_000, bytes: 1e9 };

/** Three segments of some batches each, of one to four records of a kilobyte or, here and there, forty. */
async function writtenLog() {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-damage-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const log = createSqliteLog({ folder, segmentBytesMax: 30 * pageBytes });
  let next = 0;
  let batches = 0;
  while (readdirSync(folder).filter((file) => file.endsWith('.db')).length < 4) {
    const batch = Array.from({ length: 1 + (batches++ % 4) }, () => {
      const position = next++;
      const frame = Buffer.alloc(position % 11 === 0 ? 40_000 : 1_000, position % 251);
      return { key: 'acme', frame };
    });
    await log.append(batch);
  }
  await log.close();
  const segments = readdirSync(folder)
    .filter((file) => file.endsWith('.db'))
    .sort()
    .map((file) => ({ path: join(folder, file), first: Number(file.slice(0, 16)) }));
  return { folder, next, segments };
}

/** Positions that are answered when they are asked for, one by one. */
async function readableOf(folder: string, next: number): Promise<number[]> {
  const log = createSqliteLog({ folder, segmentBytesMax: pageBytes });
  const readable: number[] = [];
  for (let position = 0; position < next; position++) {
    const records = await log.read(position, one).catch(() => undefined);
    if (!records) continue;
    expect(records[0]?.position).toBe(position);
    readable.push(position);
  }
  // Read in turn they are the same, up to where one is not answered.
  for (let position = 0; position < next; ) {
    const records = await log.read(position, ample).catch(() => undefined);
    expect(records === undefined).toBe(!readable.includes(position));
    const found = (records ?? []).map((record) => record.position);
    expect(found).toEqual(found.map((_, index) => position + index));
    position = (found.at(-1) ?? position) + 1;
  }
  await log.close();
  return readable;
}

test('whatever page is damaged: all other segments are whole, and of its own what can be read', async () => {
  const { folder, next, segments } = await writtenLog();
  const { path, first } = segments[1]!;
  const end = segments[2]!.first;
  const whole = readFileSync(path);
  const lost: number[] = [];
  for (let page = 0; page * pageBytes < whole.length; page++) {
    for (const fill of [0xff, 0x5a]) {
      const bytes = Buffer.from(whole).fill(fill, page * pageBytes, (page + 1) * pageBytes);
      writeFileSync(path, bytes);
      const readable = await readableOf(folder, next);
      expect(readable).toEqual(expect.arrayContaining([...Array(first).keys()]));
      expect(readable.filter((position) => position >= end)).toHaveLength(next - end);
      lost.push(next - readable.length);
    }
  }
  // The head of the file takes all of it along; most pages a few records.
  expect(Math.max(...lost)).toBe(end - first);
  expect(lost.filter((count) => count > 0 && count < (end - first) / 2).length).toBeGreaterThan(4);
});

test.each<[name: string, sql: string]>([
  ['is shorter than its records', 'UPDATE batches SET packed = substr(packed, 1, length(packed) - 1) WHERE first = ?'],
  ['has fewer', "UPDATE batches SET packed = x'' WHERE first = ?"],
  ['is noise', 'UPDATE batches SET packed = randomblob(3000) WHERE first = ?'],
])('a batch that %s is told of, and all others are read', async (_name, sql) => {
  const { folder, next, segments } = await writtenLog();
  const database = new DatabaseSync(segments[1]!.path);
  const row = database.prepare('SELECT first, count FROM batches ORDER BY first LIMIT 1 OFFSET 3').get();
  const [first, count] = [row!.first as number, row!.count as number];
  database.prepare(sql).run(first);
  database.close();
  const log = createSqliteLog({ folder, segmentBytesMax: pageBytes });
  const readable = await readableOf(folder, next);
  expect(readable.length).toBeLessThan(next);
  const others = [...Array(next).keys()].filter((position) => position < first || position >= first + count);
  expect(readable).toEqual(expect.arrayContaining(others));
  await expect(log.read(first + count - 1, one)).rejects.toThrow(/damaged|range/);
  await log.close();
});
