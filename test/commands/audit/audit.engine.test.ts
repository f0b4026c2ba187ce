import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditCommand } from '../../../services/commands/audit/command.ts';
import { encode } from '../../../services/core/records/codec.ts';
import { createClickHouseWarehouse } from '../../../services/ports/warehouse/clickhouse.ts';
import type { SqlWarehouse } from '../../../services/ports/warehouse/warehouse.ts';
import { controlOf } from '../../core/flow/lane.ts';
import { insertValues } from '../../ports/warehouse/contract.ts';
import { type EngineProcess, passwords, startEngineProcess } from '../../ports/warehouse/engine-process.ts';
import { fixture } from '../../ports/warehouse/records.ts';
import { flow, type Installation, install, livesOf, startMs } from '../replay/installation.ts';

/** The lanes' time stands still in January 2026: their rows must not be too old, whenever this runs. */
const ttlDays = { deliveries: 10_000, facts: 10_000 };

let engine: EngineProcess;
let warehouse: SqlWarehouse;

beforeAll(async () => {
  engine = await startEngineProcess();
  const access = { username: 'hookwatch', password: passwords.hookwatch };
  warehouse = createClickHouseWarehouse({ url: engine.url, ...access, ttlDays });
  await warehouse.migrate();
});
afterAll(async () => {
  await warehouse.close();
  await engine.dispose();
});

/** An installation whose tenants are nobody else's, worked on to the end and saved. */
async function worked(...tenants: string[]): Promise<Installation> {
  const installation = install(warehouse, tenants);
  await installation.records.append(livesOf(tenants));
  await installation.work();
  await installation.save();
  return installation;
}

/** Runs the command; gives its exit code and what it wrote. */
async function audit(installation: Installation, args: string[] = [], by = flow) {
  let text = '';
  const out = { write: (part: string) => (text += part) };
  const code = await auditCommand(args, {
    tenants: installation.tenants,
    records: () => installation.records,
    checkpoints: () => installation.checkpoints,
    warehouse,
    flow: by,
    ttlDays,
    out,
    error: out,
  });
  return { code, text };
}

describe('what is as the lane says', () => {
  test('is equal, in every value too', async () => {
    const installation = await worked('equal-a', 'equal-b');
    for (const args of [[], ['--values']]) {
      const { code, text } = await audit(installation, args);
      expect(text).toMatch(/^equal-a: equal.*from the lane's first record/);
      expect(text).toContain('equal-b: equal');
      expect(code).toBe(0);
    }
  });

  test('is equal while the system works on: rows amended since are no differences', async () => {
    const installation = install(warehouse, ['running']);
    await installation.records.append(livesOf(['running']));
    const { next } = await installation.records.bounds();
    await installation.work(Math.floor(next / 2));
    const until = await installation.save();
    await installation.work();
    const { code, text } = await audit(installation, ['--values']);
    expect(text).toContain(`running: equal in every value: ${until + 1} records, positions 0 to ${until}`);
    expect(code).toBe(0);
  });

  test('is equal behind the oldest checkpoint, where the log no longer holds its beginning', async () => {
    const installation = install(warehouse, ['trimmed-a', 'trimmed-b']);
    await installation.records.append(livesOf(installation.tenants));
    await installation.work(150);
    const saved = await installation.save();
    await installation.work();
    await installation.save();
    await installation.records.trim(saved + 1);
    const { code, text } = await audit(installation, ['--values']);
    expect(text).toContain(`trimmed-a: equal in every value`);
    expect(text).toContain(`behind the checkpoint at ${saved}`);
    expect(code).toBe(0);
  });
});

describe('what is not', () => {
  const idOf = async (table: string, tenant: string, condition = '1') => {
    const sql = `SELECT min(id) AS id FROM hookwatch.${table} WHERE tenant = {tenant:String} AND ${condition}`;
    return (await warehouse.query<{ id: string }>(sql, { tenant }))[0]!.id;
  };
  const copy = (table: string, id: string, changes: string) =>
    warehouse.run(`INSERT INTO hookwatch.${table}_rows SELECT * REPLACE (${changes})
      FROM (SELECT * FROM hookwatch.${table}_rows FINAL WHERE id = '${id}')`);
  const remove = (table: string, id: string) => warehouse.run(`DELETE FROM hookwatch.${table}_rows WHERE id = '${id}'`);

  /** Each damages one row of a tenant, and gives the line that names it. */
  const damages: [name: string, damage: (tenant: string) => Promise<string>][] = [
    [
      'missing',
      async (tenant) => {
        const id = await idOf('deliveries', tenant);
        await remove('deliveries', id);
        return `${id}  missing`;
      },
    ],
    [
      'refused',
      async (tenant) => {
        const row = await idOf('events', tenant);
        await remove('events', row);
        await insertValues(warehouse, 'refusal', [
          fixture('refusal', { tenant, table: 'events', row, reason: 'out of range' }),
        ]);
        return `${row}  refused: out of range`;
      },
    ],
    [
      'unexpected',
      async (tenant) => {
        await copy('panes', await idOf('panes', tenant), `'stranger' AS id, 4294967297 AS version`);
        return 'stranger  unexpected: version 4294967297';
      },
    ],
    [
      'older',
      async (tenant) => {
        const id = await idOf('episodes', tenant, "state = 'closed'");
        await warehouse.run('CREATE TABLE hookwatch.aside AS hookwatch.episodes_rows');
        await warehouse.run(`INSERT INTO hookwatch.aside SELECT * FROM hookwatch.episodes_rows WHERE id = '${id}'`);
        await remove('episodes', id);
        await warehouse.run(`INSERT INTO hookwatch.episodes_rows SELECT * REPLACE (version - 1 AS version)
          FROM hookwatch.aside FINAL`);
        await warehouse.run('DROP TABLE hookwatch.aside SYNC');
        return `${id}  older: version 4294967297; the lane leads to 4294967298`;
      },
    ],
    [
      'newer',
      async (tenant) => {
        const id = await idOf('events', tenant);
        await copy('events', id, 'version + 1 AS version');
        return `${id}  newer: version 4294967298; the lane leads to 4294967297`;
      },
    ],
    [
      'withdrawn',
      async (tenant) => {
        const id = await idOf('detections', tenant);
        await copy('detections', id, 'true AS withdrawn');
        return `${id}  withdrawn: in ClickHouse only`;
      },
    ],
    [
      'value',
      async (tenant) => {
        const id = await idOf('control', tenant);
        await copy('control', id, `'forged' AS document, 7 AS seq`);
        return `${id}  value: seq, document`;
      },
    ],
  ];

  test.each(damages)('is named: %s', async (name, damage) => {
    const tenant = `damage-${name}`;
    const installation = await worked(tenant);
    const line = await damage(tenant);
    const { code, text } = await audit(installation, ['--values']);
    expect(text).toContain(`${tenant}: ClickHouse differs`);
    expect(text.split('\n').filter((part) => part.startsWith('    '))).toEqual([`    ${line}`]);
    expect(code).toBe(1);
    const shallow = await audit(installation);
    expect(shallow.code).toBe(name === 'value' ? 0 : 1);
  });

  test('is counted where there is much of it', async () => {
    const installation = await worked('much');
    await warehouse.run(`DELETE FROM hookwatch.events_rows WHERE tenant = 'much'`);
    const { code, text } = await audit(installation, ['--show', '2']);
    expect(text).toMatch(
      /events +0 rows {2}the lane leads to \d+, \d+ differ\n( {4}\S+ {2}missing\n){2} {4}and \d+ more\n/,
    );
    expect(code).toBe(1);
  });
});

test('a row from behind the end of the log is none of this lane', async () => {
  const installation = await worked('beyond');
  await insertValues(warehouse, 'event', [fixture('event', { tenant: 'beyond', position: 1_000_000 })]);
  const { code, text } = await audit(installation);
  expect(text).toContain('there is one of position 1000000, behind the end of the log');
  expect(code).toBe(1);
});

describe('what cannot be compared', () => {
  test('is said: another flow works on the lane', async () => {
    const { code, text } = await audit(await worked('other'), [], 'another');
    expect(text).toMatch(`other: could not be compared: Cannot replay lane other: flow ${flow} works on it`);
    expect(code).toBe(1);
  });

  test('is said: nothing is left from which a replay could begin', async () => {
    const installation = await worked('beheaded');
    await installation.records.trim(10);
    await installation.checkpoints.prune('beheaded', 0);
    const checkpoints = { ...installation.checkpoints, list: async () => [] };
    const { code, text } = await audit({ ...installation, checkpoints });
    expect(text).toContain('without its first settings and without a checkpoint');
    expect(code).toBe(1);
  });

  test('is left out: what another flow made, before this one took over', async () => {
    const installation = install(warehouse, ['taken']);
    const life = livesOf(['taken']);
    await installation.records.append(life.slice(0, 200));
    await installation.work();
    const place = { tenant: 'taken', boot: 'another', seq: 0, received_at: startMs, id: 'takeover' };
    const document = JSON.stringify({ epoch: 2, flow, previous: '' });
    const frame = encode('control', controlOf({ ...place, kind: 'takeover', document }));
    await installation.records.append([{ key: 'taken', frame }]);
    await installation.work();
    const taken = await installation.save();
    await warehouse.run(`DELETE FROM hookwatch.events_rows WHERE tenant = 'taken'`);
    await installation.records.append(life.slice(200));
    await installation.work();
    await installation.save();
    const { code, text } = await audit(installation, ['--values']);
    expect(text).toContain(`behind the checkpoint at ${taken}`);
    expect(code).toBe(0);
  });
});

test.each([
  [['--help'], 0, 'Usage: npm run hookwatch -- audit'],
  [['--tenant', 'nobody'], 2, 'Cannot audit tenant nobody: hookwatch.yaml has usage'],
  [['--show', 'all'], 2, 'Cannot read --show'],
  [['--wrong'], 2, 'Usage: npm run hookwatch -- audit'],
])('%j', async (args, code, says) => {
  const outcome = await audit(install(warehouse, ['usage']), args);
  expect(outcome).toEqual({ code, text: expect.stringContaining(says) });
});
