import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { auditCommand } from '../../../services/commands/audit/command.ts';
import { rebuildCommand } from '../../../services/commands/rebuild/command.ts';
import { rebuildDatabase } from '../../../services/commands/rebuild/kept.ts';
import { outputKinds } from '../../../services/core/records/codec.ts';
import { createClickHouseWarehouse } from '../../../services/ports/warehouse/clickhouse.ts';
import { tableOf } from '../../../services/ports/warehouse/tables.ts';
import { type SqlWarehouse, WarehouseError } from '../../../services/ports/warehouse/warehouse.ts';
import { insertValues } from '../../ports/warehouse/contract.ts';
import { type EngineProcess, passwords, startEngineProcess } from '../../ports/warehouse/engine-process.ts';
import { fixture } from '../../ports/warehouse/records.ts';
import { flow, type Installation, install, livesOf, takeoverBy } from '../replay/installation.ts';

/** The lanes' time stands still in January 2026: their rows must not be too old, whenever this runs. */
const ttlDays = { deliveries: 10_000, facts: 10_000 };
const tenants = ['acme', 'bolt'];

let engine: EngineProcess;
let warehouse: SqlWarehouse;
let rebuilt: SqlWarehouse;

beforeAll(async () => {
  engine = await startEngineProcess();
  const access = { url: engine.url, username: 'hookwatch', password: passwords.hookwatch, ttlDays };
  warehouse = createClickHouseWarehouse(access);
  rebuilt = createClickHouseWarehouse({ ...access, database: rebuildDatabase });
});
afterAll(async () => {
  await Promise.all([warehouse.close(), rebuilt.close()]);
  await engine.dispose();
});
beforeEach(async () => {
  await lose();
  await warehouse.migrate();
});

/** The engine makes its database when it starts, and nothing in it. */
async function lose(): Promise<void> {
  const headers = { 'x-clickhouse-user': 'hookwatch', 'x-clickhouse-key': passwords.hookwatch };
  const drop = [rebuildDatabase, 'hookwatch'].map((database) => `DROP DATABASE IF EXISTS ${database} SYNC`);
  for (const body of [...drop, 'CREATE DATABASE hookwatch']) {
    const answer = await fetch(`${engine.url}/?database=default`, { method: 'POST', headers, body });
    expect(await answer.text()).toBe('');
  }
}

/** Two lanes, worked on to a position and saved, then to their end and saved. */
async function worked(savedAt = 150): Promise<Installation & { saved: number }> {
  const installation = install(warehouse, tenants);
  await installation.records.append(livesOf(tenants));
  await installation.work(savedAt);
  const saved = await installation.save();
  await installation.work();
  await installation.save();
  return { ...installation, saved };
}

interface Outcome {
  code: number;
  text: string;
}

async function run(
  command: (context: object) => Promise<number>,
  installation: Installation,
  more: { warehouse?: SqlWarehouse },
): Promise<Outcome> {
  let text = '';
  const out = { write: (part: string) => (text += part) };
  const { records, checkpoints } = installation;
  const lanes = { tenants, records: () => records, checkpoints: () => checkpoints };
  const code = await command({ ...lanes, warehouse, rebuilt, flow, ttlDays, out, error: out, ...more });
  return { code, text };
}

const rebuild = (installation: Installation, args: string[] = [], more: { warehouse?: SqlWarehouse } = {}) =>
  run((context) => rebuildCommand(args, context as Parameters<typeof rebuildCommand>[1]), installation, more);

async function expectEqual(installation: Installation): Promise<void> {
  const outcome = await run(
    (context) => auditCommand(['--values'], context as Parameters<typeof auditCommand>[1]),
    installation,
    {},
  );
  expect(outcome).toMatchObject({ code: 0, text: expect.stringContaining('bolt: equal in every value') });
}

/** Count and checksum of what people see, per table; ClickHouse's own sum, not the project's. */
async function checksums(where = '1') {
  const sums = outputKinds.map(async (kind) => {
    const sql = `SELECT count() AS rows, toString(groupBitXor(cityHash64(*))) AS sum FROM ${tableOf(kind)} FINAL WHERE ${where}`;
    return [kind, (await warehouse.query(sql))[0]] as const;
  });
  return Object.fromEntries(await Promise.all(sums));
}

/** A warehouse that does something before, or in place of, some of its statements. */
function meddling(meddle: (sql: string) => Promise<void>): SqlWarehouse {
  return {
    ...warehouse,
    async run(sql, params) {
      await meddle(sql);
      await warehouse.run(sql, params);
    },
  };
}

const empty = async () => {
  for (const kind of outputKinds) await warehouse.run(`TRUNCATE TABLE ${tableOf(kind)}`);
};
const damage = async () => {
  await warehouse.run(`DELETE FROM hookwatch.events_rows WHERE position % 3 = 0`);
  await warehouse.run(`INSERT INTO hookwatch.panes_rows SELECT * REPLACE (value + 7 AS value, version + 9 AS version)
    FROM (SELECT * FROM hookwatch.panes_rows FINAL LIMIT 3)`);
  await insertValues(warehouse, 'event', [fixture('event', { tenant: 'acme', id: 'stranger', position: 200 })]);
};

describe('a rebuild leads to the same rows', () => {
  const nothing = async () => {};
  test.each([
    ['nothing was wrong', 'snapshot', nothing],
    ['nothing was wrong', 'tables', nothing],
    ['rows were damaged', 'snapshot', damage],
    ['rows were damaged', 'tables', damage],
    ['the tables are empty', 'snapshot', empty],
    ['the database is lost', 'snapshot', lose],
  ])('when %s, from %s', async (_, from, spoil) => {
    const installation = await worked();
    const before = await checksums();
    await spoil();
    const { code, text } = await rebuild(installation, ['--from', from]);
    expect(text).toMatch(
      /acme: \d+ records from its first record led to \d+ rows\.\n(.*\n)*The tables are changed over/,
    );
    expect(code).toBe(0);
    expect(await checksums()).toEqual(before);
    await expectEqual(installation);
    const databases = await warehouse.query(`SELECT name FROM system.databases WHERE name = '${rebuildDatabase}'`);
    expect(databases).toEqual([]);
  });

  test('from a checkpoint, with the rows that precede it', async () => {
    const installation = await worked();
    const before = await checksums();
    await installation.records.trim(installation.saved + 1);
    await warehouse.run(`DELETE FROM hookwatch.events_rows WHERE position > ${installation.saved}`);
    const { code, text } = await rebuild(installation);
    expect(text).toContain(`acme: `);
    expect(text).toContain(`behind its checkpoint at ${installation.saved}`);
    expect(code).toBe(0);
    expect(await checksums()).toEqual(before);
    await expectEqual(installation);
  });

  test('of one tenant, and leaves all others as they are', async () => {
    const installation = await worked();
    await insertValues(warehouse, 'event', [
      fixture('event', { tenant: 'left' }),
      fixture('event', { tenant: 'bolt' }),
    ]);
    const before = await checksums();
    await warehouse.run(`DELETE FROM hookwatch.events_rows WHERE tenant = 'acme'`);
    const { code, text } = await rebuild(installation, ['--tenant', 'acme']);
    expect(text).not.toContain('bolt');
    expect(code).toBe(0);
    expect(await checksums()).toEqual(before);
  });
});

describe('what is written meanwhile is not lost', () => {
  test.each(['snapshot', 'tables'])('from %s', async (from) => {
    const installation = await worked();
    const calm = install(warehouse, tenants);
    await calm.records.append(livesOf(tenants));
    const more = livesOf(tenants, { seconds: 80 }).slice((await installation.records.bounds()).next);
    let grown = 0;
    /** The lanes grow, are worked on and stored, just before some of the tables are changed. */
    const grow = async (sql: string) => {
      if (!/^EXCHANGE TABLES hookwatch\.(deliveries|events|panes)_rows/.test(sql)) return;
      await installation.records.append(more.slice(grown * 60, (grown + 1) * 60));
      grown++;
      await installation.work();
    };
    const { code, text } = await rebuild(installation, ['--from', from], { warehouse: meddling(grow) });
    expect(grown).toBe(3);
    expect(text).toContain('worked on once more: 180 records');
    expect(code).toBe(0);
    await installation.save();
    await expectEqual(installation);
  });

  test("other tenants' rows that still went into an old table", async () => {
    const installation = await worked();
    const late = fixture('event', { tenant: 'bolt', id: 'late' });
    let written = false;
    const write = async (sql: string) => {
      if (written || !sql.startsWith('EXCHANGE TABLES hookwatch.events_rows')) return;
      written = true;
      await insertValues(warehouse, 'event', [late]);
    };
    expect((await rebuild(installation, ['--tenant', 'acme'], { warehouse: meddling(write) })).code).toBe(0);
    expect(await warehouse.rows('event', { ids: ['late'] })).toEqual([late]);
  });
});

describe('an interrupted rebuild can be run again', () => {
  test.each([
    [/^INSERT INTO hookwatch_rebuild.episodes_rows/, 1],
    [/^CREATE TABLE hookwatch_rebuild.changeover/, 1],
    [/^INSERT INTO hookwatch_rebuild.changeover/, 1],
    [/^EXCHANGE/, 1],
    [/^EXCHANGE/, 4],
    [/^DROP TABLE IF EXISTS hookwatch_rebuild.changeover/, 2],
    [/^DROP DATABASE/, 2],
  ])('at %s, time %i', async (statement, time) => {
    const installation = await worked();
    await installation.records.trim(installation.saved + 1);
    const before = await checksums();
    let met = 0;
    const die = async (sql: string) => {
      if (statement.test(sql) && ++met === time) throw new WarehouseError('WAREHOUSE_UNAVAILABLE', 'killed');
    };
    const first = await rebuild(installation, [], { warehouse: meddling(die) });
    expect(first).toMatchObject({ code: 1, text: expect.stringContaining('killed') });
    // What a sink stores between both must survive them.
    const late = fixture('event', { tenant: 'left', id: 'late' });
    await insertValues(warehouse, 'event', [late]);
    const { code, text } = await rebuild(installation);
    expect(text.includes('An earlier rebuild was interrupted')).toBe(/EXCHANGE|EXISTS/.test(statement.source));
    expect(code).toBe(0);
    expect(await checksums("tenant != 'left'")).toEqual(before);
    expect(await warehouse.rows('event', { tenant: 'left' })).toEqual([late]);
    await expectEqual(installation);
  });

  test.each([0, 2])('where tables cannot be exchanged: renamed instead, killed at rename %i', async (time) => {
    const installation = await worked();
    const before = await checksums();
    let renames = 0;
    const refuse = async (sql: string) => {
      if (sql.startsWith('EXCHANGE')) throw new WarehouseError('WAREHOUSE_OTHER', 'no (NOT_IMPLEMENTED)');
      if (sql.startsWith('RENAME') && ++renames === time) throw new WarehouseError('WAREHOUSE_UNAVAILABLE', 'killed');
    };
    const first = await rebuild(installation, [], { warehouse: meddling(refuse) });
    expect(first.code).toBe(time === 0 ? 0 : 1);
    expect((await rebuild(installation, [], { warehouse: meddling(refuse) })).code).toBe(0);
    expect(await checksums()).toEqual(before);
  });
});

describe('after an upgrade', () => {
  /** A flow that can decode nothing works on a lane, until this one takes over in the midst of it. */
  async function upgraded(): Promise<Installation & { joined: number }> {
    const installation = install(warehouse, tenants);
    const life = livesOf(tenants);
    const { records } = installation;
    await records.append(life.slice(0, 300));
    await installation.work(Infinity, new Map());
    await installation.save({ flow: 'another', final: true });
    await records.append(tenants.map((tenant) => takeoverBy(tenant, flow, { epoch: 2, previous: '' })));
    await installation.work();
    await records.append(life.slice(300, 400));
    await installation.work();
    const joined = await installation.save();
    await records.append(life.slice(400));
    await installation.work();
    await installation.save();
    return { ...installation, joined };
  }

  test.each(['snapshot', 'tables'])(
    'history is reworked, and the worker goes on with what it knows: from %s',
    async (from) => {
      const installation = await upgraded();
      const events = () => warehouse.query('SELECT count() AS count FROM hookwatch.events WHERE position < 300');
      expect(await events()).toEqual([{ count: 0 }]);
      const { code } = await rebuild(installation, ['--from', from]);
      expect(code).toBe(0);
      const [reworked] = await events();
      expect(reworked!.count).toBeGreaterThan(200);
      // Whatever its worker knows wins over what was reworked.
      const epochs = await warehouse.query(
        `SELECT DISTINCT position > ${installation.joined} AS worker, intDiv(version, 4294967296) AS epoch
          FROM hookwatch.events_rows WHERE tenant = 'acme' ORDER BY worker`,
      );
      expect(epochs).toEqual([
        { worker: 0, epoch: 1 },
        { worker: 1, epoch: 2 },
      ]);
      await expectEqual(installation);
      const more = livesOf(tenants, { seconds: 80 }).slice(livesOf(tenants).length);
      await installation.records.append(more);
      await installation.work();
      await installation.save();
      await expectEqual(installation);
    },
  );
});

describe('what cannot be rebuilt is said, and nothing has changed', () => {
  const refusals: [string, string[], (installation: Installation) => Promise<unknown>, string][] = [
    [
      'expired deliveries',
      ['--from', 'tables'],
      () => warehouse.run('DELETE FROM hookwatch.deliveries_rows WHERE position < 40'),
      'some of its deliveries or controls are missing',
    ],
    [
      'expired settings',
      ['--from', 'tables'],
      () => warehouse.run("DELETE FROM hookwatch.control_rows WHERE kind = 'settings'"),
      'no longer hold its first settings',
    ],
    [
      'a log that is another one',
      [],
      async () => {
        const records = install(warehouse, tenants).records;
        await records.append(livesOf(tenants).slice(0, 50));
        return { records };
      },
      'but its log ends at 49',
    ],
    [
      'another flow',
      [],
      async (installation) => {
        await installation.save({ flow: 'another' });
      },
      'flow another works on it',
    ],
  ];

  test.each(refusals)('%s', async (_, args, spoil, says) => {
    const installation = await worked();
    const spoilt = { ...installation, ...((await spoil(installation)) as object | undefined) };
    const before = await checksums();
    const { code, text } = await rebuild(spoilt, args);
    expect(text).toContain(says);
    expect(code).toBe(1);
    expect(await checksums()).toEqual(before);
  });
});
