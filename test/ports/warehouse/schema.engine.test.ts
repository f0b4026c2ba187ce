/** schemas/clickhouse on the embedded engine: what people see, and what a change of files or settings does. */

import avro from 'avsc';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { hexTime } from '../../../services/core/flow/ids.ts';
import { type ControlKind, schemas } from '../../../services/core/records/generated.ts';
import { type ClickHouseOptions, createClickHouseWarehouse } from '../../../services/ports/warehouse/clickhouse.ts';
import { containerParts } from '../../../services/ports/warehouse/container.ts';
import { readMigrations } from '../../../services/ports/warehouse/migrations.ts';
import { type TableKind, tableOf, viewOf } from '../../../services/ports/warehouse/tables.ts';
import type { SqlWarehouse } from '../../../services/ports/warehouse/warehouse.ts';
import { createRandom } from '../../../services/simulator/random.ts';
import { insertValues } from './contract.ts';
import { type EngineProcess, passwords, startEngineProcess } from './engine-process.ts';
import { fixture } from './records.ts';

let engine: EngineProcess;
let warehouse: SqlWarehouse;
const open = (options: Partial<ClickHouseOptions> = {}) =>
  createClickHouseWarehouse({ url: engine.url, username: 'hookwatch', password: passwords.hookwatch, ...options });

beforeAll(async () => {
  engine = await startEngineProcess();
  warehouse = open();
  await warehouse.migrate();
});
afterAll(async () => {
  await warehouse.close();
  await engine.dispose();
});

const kinds = Object.keys(viewOf) as TableKind[];
const unqualified = (table: string) => table.replace('hookwatch.', '');
const columnsOf = async (table: string) =>
  (
    await warehouse.query<{ name: string }>(
      "SELECT name FROM system.columns WHERE database = 'hookwatch' AND table = {table:String} ORDER BY position",
      { table: unqualified(table) },
    )
  ).map(({ name }) => name);

describe('the schema', () => {
  test('explains every table and column', async () => {
    const tables = await warehouse.query("SELECT name, comment FROM system.tables WHERE database = 'hookwatch'");
    expect(tables.filter(({ comment }) => comment === '')).toEqual([]);
    expect(tables.map(({ name }) => name)).toEqual(
      expect.arrayContaining(kinds.flatMap((kind) => [unqualified(tableOf(kind)), unqualified(viewOf[kind])])),
    );
    const columns = await warehouse.query(
      "SELECT table, name, comment FROM system.columns WHERE database = 'hookwatch' AND comment = ''",
    );
    expect(columns).toEqual([]);
  });

  test.each(kinds)('has a column for every field of a %s', async (kind) => {
    const { schema } = schemas.findLast((version) => version.kind === kind)!;
    const fields = (schema as { fields: { name: string }[] }).fields.map(({ name }) => name);
    expect((await columnsOf(tableOf(kind))).toSorted()).toEqual(fields.toSorted());
    const technical = ['version', 'withdrawn', 'replaced_by'];
    expect((await columnsOf(viewOf[kind])).toSorted()).toEqual(
      fields.filter((name) => !technical.includes(name)).toSorted(),
    );
  });

  test.each(kinds)('sorts and partitions a %s only by what its id fixes', async (kind) => {
    const [table] = await warehouse.query<Record<string, string>>(
      "SELECT sorting_key, partition_key, engine FROM system.tables WHERE database = 'hookwatch' AND name = {name:String}",
      { name: unqualified(tableOf(kind)) },
    );
    // A refusal's time is the sink's clock, which is another one when the same row is refused again.
    if (kind === 'refusal') return expect(table).toMatchObject({ sorting_key: 'tenant, id', partition_key: '' });
    const time = kind === 'delivery' || kind === 'control' ? 'received_at' : 'first_received_at';
    expect(table).toMatchObject({ engine: 'ReplacingMergeTree', sorting_key: `tenant, ${time}, id` });
    expect(table!.partition_key).toMatch(new RegExp(`^to(?:Monday|YYYYMM)\\(${time}\\)$`));
  });

  test('shows people the newest version of what holds, and an analyst too', async () => {
    const tenant = 'views';
    const say = (id: string, version: number, subject: string, withdrawn = false) =>
      fixture('event', { tenant, id, version, subject, withdrawn });
    await insertValues(warehouse, 'event', [say('a', 1, 'old'), say('b', 1, 'stays'), say('c', 1, 'goes')]);
    await insertValues(warehouse, 'event', [say('a', 2, 'new'), say('c', 2, 'goes', true)]);
    const analyst = open({ username: 'analyst', password: passwords.analyst });
    for (const who of [warehouse, analyst]) {
      const rows = await who.query(
        'SELECT id, subject FROM hookwatch.events WHERE tenant = {tenant:String} ORDER BY id',
        { tenant },
      );
      expect(rows).toEqual([
        { id: 'a', subject: 'new' },
        { id: 'b', subject: 'stays' },
      ]);
    }
    await analyst.close();
  });

  test('shows people every control but ticks', async () => {
    const say = (id: string, kind: ControlKind) => fixture('control', { tenant: 'ticking', id, kind });
    await insertValues(warehouse, 'control', [say('a', 'boot'), say('b', 'tick'), say('c', 'gap')]);
    expect(
      await warehouse.query("SELECT id, kind FROM hookwatch.control WHERE tenant = 'ticking' ORDER BY id"),
    ).toEqual([
      { id: 'a', kind: 'boot' },
      { id: 'c', kind: 'gap' },
    ]);
    expect(await warehouse.rows('control', { tenant: 'ticking' })).toHaveLength(3);
  });

  test('a filter on what an older version said does not bring it back', async () => {
    const event = fixture('event', { tenant: 'filter', subject: 'old', account: 'p:A' });
    await insertValues(warehouse, 'event', [event]);
    await insertValues(warehouse, 'event', [{ ...event, version: 2, subject: 'new', account: 'p:B' }]);
    const find = (condition: string) =>
      warehouse.query(`SELECT subject FROM hookwatch.events WHERE tenant = 'filter' AND ${condition}`);
    expect(await find("subject = 'old'")).toEqual([]);
    expect(await find("account = 'p:A'")).toEqual([]);
    expect(await find("account = 'p:B'")).toEqual([{ subject: 'new' }]);
  });
});

describe('migrations', () => {
  const applied = () => warehouse.query('SELECT name, sha256 FROM hookwatch.migrations ORDER BY name, sha256');

  test('are applied once', async () => {
    const before = await applied();
    expect(before.map(({ name }) => name)).toEqual(readMigrations().map(({ name }) => name));
    await warehouse.migrate();
    expect(await applied()).toEqual(before);
  });

  test('an applied file that was changed stops everything', async () => {
    const [first, ...others] = readMigrations();
    const changed = open({ migrations: [{ ...first!, sha256: 'f'.repeat(64) }, ...others] });
    await expect(changed.migrate()).rejects.toMatchObject({
      code: 'WAREHOUSE_MIGRATION',
      retryable: false,
      message: expect.stringContaining('001_deliveries.sql has SHA-256 ffff'),
    });
    await changed.close();
  });

  test('a new file is applied, also when a first try broke off', async () => {
    const statements = [
      "CREATE TABLE IF NOT EXISTS hookwatch.later (x Int8 COMMENT 'x') ENGINE = MergeTree ORDER BY x COMMENT 'x'",
      'ALTER TABLE hookwatch.later ADD COLUMN IF NOT EXISTS y Int8',
    ];
    const later = (list: string[]) =>
      open({ migrations: [{ name: '900_later', sha256: 'e'.repeat(64), statements: list }] });
    const broken = later([...statements.slice(0, 1), 'ALTER TABLE hookwatch.nope ADD COLUMN y Int8']);
    await expect(broken.migrate()).rejects.toMatchObject({ code: 'WAREHOUSE_SCHEMA' });
    expect(await applied()).not.toContainEqual(expect.objectContaining({ name: '900_later' }));
    const repaired = later(statements);
    await repaired.migrate();
    expect(await columnsOf('hookwatch.later')).toEqual(['x', 'y']);
    expect(await applied()).toContainEqual({ name: '900_later', sha256: 'e'.repeat(64) });
    // The older code, which does not know the file, works on.
    await warehouse.migrate();
    await Promise.all([broken.close(), repaired.close(), warehouse.query('SELECT 1')]);
  });

  test('make the same tables in another database, from the same files', async () => {
    const other = open({ database: 'elsewhere' });
    await other.migrate();
    await other.migrate();
    const tablesOf = (database: string) =>
      warehouse.query<Record<string, string>>(
        `SELECT name, engine_full, comment, replaceAll(as_select, {name:String}, 'here.') AS as_select
          FROM system.tables WHERE database = {database:String} AND name != 'later' ORDER BY name`,
        { database, name: `${database}.` },
      );
    expect(await tablesOf('elsewhere')).toEqual(await tablesOf('hookwatch'));
    await insertValues(other, 'pane', [fixture('pane', { tenant: 'elsewhere' })]);
    expect(await other.rows('pane', { tenant: 'elsewhere' })).toHaveLength(1);
    expect(await warehouse.rows('pane', { tenant: 'elsewhere' })).toEqual([]);
    await warehouse.run('DROP DATABASE elsewhere SYNC');
    await other.close();
  });

  test('a changed TTL is applied, and no checksum minds', async () => {
    const ttls = async () =>
      Object.fromEntries(
        (
          await warehouse.query<{ name: string; days: number[] }>(
            "SELECT name, arrayMap(day -> toUInt32(day), extractAll(engine_full, 'toIntervalDay\\\\((\\\\d+)')) AS days FROM system.tables WHERE database = 'hookwatch' AND engine_full LIKE '%TTL%'",
          )
        ).map(({ name, days }) => [name, days]),
      );
    const before = await ttls();
    expect(before).toMatchObject({ deliveries_rows: [90], control_rows: [400], rejects_rows: [400] });
    expect(before).toMatchObject({ events_rows: [400, 400], changes_rows: [400, 400], sink_refused_rows: [90] });
    const longer = open({ ttlDays: { deliveries: 30, facts: 500 } });
    await longer.migrate();
    expect(await ttls()).toMatchObject({ deliveries_rows: [30], panes_rows: [500], events_rows: [500, 500] });
    const discreet = open({ ttlDays: { deliveries: 30, facts: 500, persons: 20 } });
    await discreet.migrate();
    expect(await ttls()).toMatchObject({ panes_rows: [500], events_rows: [500, 20], changes_rows: [500, 20] });
    expect(await ttls()).toMatchObject({ backups_rows: [500], deliveries_rows: [30], sink_refused_rows: [20] });
    await warehouse.migrate();
    expect(await ttls()).toEqual(before);
    await Promise.all([longer.close(), discreet.close()]);
  });
});

describe('retention', () => {
  const dayMs = 86_400_000;
  const at = (days: number) => Math.floor(Date.now() / 1000) * 1000 - days * dayMs;
  const entities = ['account', 'user', 'administrator', 'server', 'alert'];

  test('what tells of persons leaves from between the rest, old rows and those that come old', async () => {
    const discreet = open({ ttlDays: { deliveries: 90, facts: 400, persons: 60 } });
    const fieldsOf = (tenant: string, days: number) =>
      entities.map((entity) => ({ tenant, id: `${days}-${entity}`, entity, first_received_at: at(days) }));
    const left = async () => {
      const tables = ['events', 'changes'].map((table) =>
        warehouse.query(`SELECT id FROM hookwatch.${table}_rows WHERE tenant LIKE 'aged%' ORDER BY id`),
      );
      return (await Promise.all(tables)).map((ids) => ids.map(({ id }) => id));
    };
    const insert = async (tenant: string) => {
      for (const days of [50, 70]) {
        const rows = fieldsOf(tenant, days);
        await insertValues(
          warehouse,
          'event',
          rows.map((fields) => fixture('event', fields)),
        );
        await insertValues(
          warehouse,
          'change',
          rows.map((fields) => fixture('change', fields)),
        );
      }
    };
    const kept = [...entities.map((entity) => `50-${entity}`), '70-alert', '70-server'].sort();
    await insert('aged-before');
    expect(await left()).toEqual(
      [0, 1].map(() => [50, 70].flatMap((days) => entities.map((e) => `${days}-${e}`)).sort()),
    );
    await discreet.migrate();
    await vi.waitFor(async () => expect(await left()).toEqual([kept, kept]), 20_000);
    // Once a day would be too late for a test.
    for (const table of ['events', 'changes']) {
      await warehouse.run(`ALTER TABLE hookwatch.${table}_rows MODIFY SETTING merge_with_ttl_timeout = 0`);
    }
    await insert('aged-later');
    const twice = kept.flatMap((id) => [id, id]);
    await vi.waitFor(async () => expect(await left()).toEqual([twice, twice]), 30_000);
    for (const table of ['events', 'changes']) {
      await warehouse.run(`ALTER TABLE hookwatch.${table}_rows MODIFY SETTING merge_with_ttl_timeout = 86400`);
    }
    await discreet.close();
  });

  test('a backup leaves by its last report, and what holds since long ago stays', async () => {
    const tenant = 'long-ago';
    const backup = (id: string, version: number, reportedDaysAgo: number) =>
      fixture('backup', { tenant, id, version, first_received_at: at(500), last_report_at: at(reportedDaysAgo) });
    await insertValues(warehouse, 'backup', [backup('silent', 1, 450), backup('reports', 1, 450)]);
    await insertValues(warehouse, 'backup', [backup('reports', 2, 1)]);
    await insertValues(warehouse, 'hierarchy', [fixture('hierarchy', { tenant, id: 'a', first_received_at: at(500) })]);
    await insertValues(warehouse, 'coverage', [fixture('coverage', { tenant, id: 'a', first_received_at: at(500) })]);
    await insertValues(warehouse, 'loss', [fixture('loss', { tenant, id: 'a', first_received_at: at(500) })]);
    for (const kind of ['backup', 'hierarchy', 'coverage', 'loss'] as const) {
      await warehouse.run(`OPTIMIZE TABLE ${tableOf(kind)} FINAL`);
    }
    const found = async (kind: TableKind) => (await warehouse.rows(kind, { tenant })).map(({ id }) => id);
    expect(await found('backup')).toEqual(['reports']);
    expect([await found('hierarchy'), await found('coverage'), await found('loss')]).toEqual([['a'], ['a'], []]);
  });
});

test('rows of an older schema take the defaults of what it lacks', async () => {
  const { schema } = schemas.find((version) => version.kind === 'reject')!;
  const full = schema as { fields: { name: string; type: unknown }[] };
  const older = { ...full, fields: full.fields.filter(({ name }) => !['detail', 'account'].includes(name)) };
  const value = fixture('reject', { tenant: 'older' });
  const body = avro.Type.forSchema(older as unknown as avro.Schema).toBuffer(value);
  const response = await fetch(
    `${engine.url}/?input_format_avro_allow_missing_fields=1&query=INSERT+INTO+hookwatch.rejects_rows+FORMAT+Avro`,
    {
      method: 'POST',
      headers: { 'x-clickhouse-user': 'hookwatch', 'x-clickhouse-key': passwords.hookwatch },
      body: new Uint8Array(Buffer.concat(containerParts(older, [body]))),
    },
  );
  expect(await response.text()).toBe('');
  expect(await warehouse.rows('reject', { tenant: 'older' })).toEqual([{ ...value, detail: '', account: '' }]);
});

test("a lane's day of ticks, one a second, takes less than 2 MB", async () => {
  const [boot, ticks, random] = ['3f2a9c0d1e4b5a68', 86_400, createRandom(1)];
  const startedAt = Date.now() - ticks * 1000;
  const tick = (seq: number) => {
    const received_at = startedAt + seq * 1000 + random.between(0, 30);
    const id = `${hexTime(received_at)}-${boot}-${seq}`;
    const given = { id, boot, seq, position: seq * 3, received_at, time: received_at, version: 2 ** 32 + 1 };
    return fixture('control', { tenant: 'a-day', kind: 'tick', ...given });
  };
  const size = async () => {
    const parts = await warehouse.query<{ bytes: number }>(
      "SELECT bytes_on_disk AS bytes FROM system.parts WHERE active AND database = 'hookwatch' AND table = 'control_rows'",
    );
    return parts.reduce((sum, { bytes }) => sum + Number(bytes), 0);
  };
  const before = await size();
  await insertValues(
    warehouse,
    'control',
    Array.from({ length: ticks }, (_, seq) => tick(seq)),
  );
  const bytes = (await size()) - before;
  console.log(`${(bytes / ticks).toFixed(1)} bytes per tick`);
  expect(bytes).toBeLessThan(2_000_000);
});

test('an insert is synced to the disk before it is answered', async () => {
  const syncs = async () => {
    const rows = await warehouse.query<{ event: string; value: number }>(
      "SELECT event, value FROM system.events WHERE event IN ('FileSync', 'DirectorySync')",
    );
    return Object.fromEntries(rows.map(({ event, value }) => [event, value]));
  };
  await insertValues(warehouse, 'pane', [fixture('pane', { tenant: 'synced', id: 'a' })]);
  const before = await syncs();
  await insertValues(warehouse, 'pane', [fixture('pane', { tenant: 'synced', id: 'b' })]);
  const after = await syncs();
  expect(after.FileSync).toBeGreaterThan(before.FileSync!);
  expect(after.DirectorySync).toBeGreaterThan(before.DirectorySync!);
});
