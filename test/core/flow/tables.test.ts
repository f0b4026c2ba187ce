import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { createTables } from '../../../services/core/flow/tables.ts';
import { createRandom } from '../../../services/simulator/random.ts';

function filled() {
  const tables = createTables();
  const names = tables.table<{ name: string }>('names');
  for (const name of ['Zürich', '東京', '🜁', 'a\nb', '']) names.set('towns', name, { name });
  return Buffer.concat([...tables.snapshot()]);
}

function cut(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size));
}

test.each([1, 2, 3, 7, 50, 1_000])('a snapshot is restored from pieces of %d bytes', (size) => {
  const bytes = filled();
  const tables = createTables();
  tables.table('names');
  tables.restore(cut(bytes, size));
  expect(Buffer.concat([...tables.snapshot()]).equals(bytes)).toBe(true);
});

test('a snapshot that ends within an entry is refused', () => {
  const tables = createTables();
  tables.table('names');
  expect(() => tables.restore([filled().subarray(0, -1)])).toThrow('ends within an entry');
});

test('tables that this version does not know are left out', () => {
  const tables = createTables();
  tables.table('towns');
  tables.restore([filled(), Buffer.from('["towns","","Bern",1]\n')]);
  expect(Buffer.concat([...tables.snapshot()]).toString()).toBe('["towns","","Bern",1]\n');
});

test('after a snapshot that was left unread there can be another', () => {
  const tables = createTables();
  const counts = tables.table<number>('counts');
  counts.set('', 'a', 1);
  tables.snapshot().return();
  counts.set('', 'a', 2);
  expect(Buffer.concat([...tables.snapshot()]).toString()).toBe('["counts","","a",2]\n');
});

test('a snapshot of large groups is of the moment at which it began, whatever is set and deleted meanwhile', () => {
  const seed = Number(process.env.TABLES_SEED ?? randomInt(2 ** 31));
  console.log(`TABLES_SEED=${seed}`);
  const random = createRandom(seed);
  const tables = createTables();
  const all = ['servers', 'users'].map((name) => tables.table<number>(name));
  const change = () => {
    tables.begin();
    const table = all[random.between(0, 1)]!;
    const group = `group ${random.between(0, 2)}`;
    const key = `key ${random.between(0, 1_500)}`;
    if (random.fraction() < 0.5) table.delete(group, key);
    else table.set(group, key, random.between(0, 9));
  };
  const linesOf = (chunks: Iterable<Uint8Array>) =>
    [...chunks].flatMap((chunk) => Buffer.from(chunk).toString().split('\n')).sort();
  for (let n = 0; n < 20_000; n++) change();
  for (let round = 0; round < 5; round++) {
    const before = linesOf(tables.snapshot());
    const chunks: Uint8Array[] = [];
    for (const chunk of tables.snapshot()) {
      chunks.push(chunk);
      for (let n = random.between(0, 1_000); n > 0; n--) change();
      // A group may empty altogether and come again.
      for (const key of random.fraction() < 0.3 ? all[0]!.group('group 1').keys() : []) all[0]!.delete('group 1', key);
    }
    expect(linesOf(chunks)).toEqual(before);
  }
});
