/** An installation of an earlier Hookwatch: its tables, its rows, and its frames that are still on their way. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCodec } from '../../../services/core/records/codec.ts';
import { type RecordTypes, schemas } from '../../../services/core/records/generated.ts';
import { createClickHouseWarehouse } from '../../../services/ports/warehouse/clickhouse.ts';
import { readMigrations } from '../../../services/ports/warehouse/migrations.ts';
import { type Row, storeRows } from '../../../services/ports/warehouse/refusals.ts';
import { tableOf } from '../../../services/ports/warehouse/tables.ts';
import type { SqlWarehouse } from '../../../services/ports/warehouse/warehouse.ts';
import { type EngineProcess, passwords, startEngineProcess } from './engine-process.ts';
import { fixture } from './records.ts';

let engine: EngineProcess;
const opened: SqlWarehouse[] = [];
const open = (upTo: number) => {
  const migrations = readMigrations().filter(({ name }) => Number(name.slice(0, 3)) <= upTo);
  const access = { url: engine.url, username: 'hookwatch', password: passwords.hookwatch };
  opened.push(createClickHouseWarehouse({ ...access, migrations }));
  return opened.at(-1)!;
};
beforeAll(async () => {
  engine = await startEngineProcess();
});
afterAll(async () => {
  await Promise.all(opened.map((warehouse) => warehouse.close()));
  await engine.dispose();
});

/** What an earlier Hookwatch would have written: the first version of each schema. */
const earlier = createCodec(schemas.filter(({ version }) => version === 1));
const grown = ['event', 'control'] as const;
type Grown = (typeof grown)[number];

/** A record without what the first version of its schema lacks, and the same with what stands for it since. */
function recordOf<K extends Grown>(kind: K, id: string) {
  const fieldsOf = (version: number) => {
    const { schema } = schemas.find((row) => row.kind === kind && row.version === version)!;
    return (schema as { fields: { name: string; default?: unknown }[] }).fields;
  };
  const known = new Set(fieldsOf(1).map(({ name }) => name));
  const changes = kind === 'control' ? { kind: 'settings' as const } : {};
  const full = fixture(kind, { tenant: 'earlier', id, ...changes } as Partial<RecordTypes[K]>);
  const before = Object.fromEntries(Object.entries(full).filter(([name]) => known.has(name)));
  const added = fieldsOf(2).filter(({ name }) => !known.has(name));
  return {
    before,
    row: { key: 'earlier', frame: earlier.encode(kind, before) } satisfies Row,
    since: { ...before, ...Object.fromEntries(added.map((field) => [field.name, field.default])) },
  };
}

test('tables of the first twelve files take the rest, and no row is lost or without its defaults', async () => {
  const before = open(12);
  await before.migrate();
  const stored = grown.map((kind) => recordOf(kind, 'stored'));
  const first = await storeRows(
    before,
    stored.map(({ row }) => row),
    Date.now,
  );
  expect(first.refusals).toEqual([]);
  const now = open(999);
  await now.migrate();
  for (const [index, kind] of grown.entries()) {
    expect(await now.rows(kind, { tenant: 'earlier', ids: ['stored'] })).toEqual([stored[index]!.since]);
  }
  expect(await now.query("SELECT id, origin, attributes FROM hookwatch.events WHERE tenant = 'earlier'")).toEqual([
    { id: 'stored', origin: 'webhook', attributes: {} },
  ]);
  // Old parts are rewritten with the new columns: nothing changes by it.
  await now.run(`OPTIMIZE TABLE ${tableOf('event')} FINAL`);
  expect(await now.rows('event', { tenant: 'earlier' })).toEqual([stored[0]!.since]);
});

test('frames of an earlier version that were on their way are stored beside newer ones; a damaged one alone is refused', async () => {
  const now = open(999);
  await now.migrate();
  const late = grown.map((kind) => recordOf(kind, 'late'));
  const torn = recordOf('event', 'torn').row;
  const { refusals } = await storeRows(
    now,
    [...late.map(({ row }) => row), { ...torn, frame: torn.frame.subarray(0, -3) }],
    Date.now,
  );
  expect(refusals.map(({ row, table }) => [row, table])).toEqual([['torn', 'events']]);
  for (const [index, kind] of grown.entries()) {
    expect(await now.rows(kind, { tenant: 'earlier', ids: ['late'] })).toEqual([late[index]!.since]);
  }
});

test('an earlier Hookwatch that is still at work stores its rows in newer tables', async () => {
  await open(999).migrate();
  const before = open(12);
  await before.migrate();
  const { row, since } = recordOf('event', 'still at work');
  await storeRows(before, [row], Date.now);
  expect(await before.rows('event', { tenant: 'earlier', ids: ['still at work'] })).toEqual([since]);
});
