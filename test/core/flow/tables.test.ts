import { expect, test } from 'vitest';
import { createTables } from '../../../services/core/flow/tables.ts';

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
