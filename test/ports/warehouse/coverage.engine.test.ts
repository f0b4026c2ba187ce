/** Coverage of accounts with what concerns all of them, on the embedded engine: against the same thing said in TypeScript. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Coverage } from '../../../services/core/records/generated.ts';
import { createClickHouseWarehouse } from '../../../services/ports/warehouse/clickhouse.ts';
import type { SqlWarehouse } from '../../../services/ports/warehouse/warehouse.ts';
import { insertValues } from './contract.ts';
import { type EngineProcess, passwords, startEngineProcess } from './engine-process.ts';
import { fixture } from './records.ts';

let engine: EngineProcess;
let warehouse: SqlWarehouse;
beforeAll(async () => {
  engine = await startEngineProcess();
  warehouse = createClickHouseWarehouse({ url: engine.url, username: 'hookwatch', password: passwords.hookwatch });
  await warehouse.migrate();
});
afterAll(async () => {
  await warehouse.close();
  await engine.dispose();
});

const startMs = Date.UTC(2026, 0, 5, 9);
const account = 'centurylink:DEMO';
const levels = ['good', 'unknown', 'degraded', 'blind'] as const;

/** Rows that meet: each lasts so many minutes, the last one until now. */
type Ledger = { state: Coverage['state']; minutes: number }[];

function rowsOf(tenant: string, name: string, ledger: Ledger, from = 0): Coverage[] {
  let at = from;
  return ledger.map(({ state, minutes }, n) => {
    const started_at = startMs + at * 60_000;
    at += minutes;
    return fixture('coverage', {
      tenant,
      id: `${name}-${n}`,
      account: name,
      provider: name === '' ? '' : 'centurylink',
      state,
      reasons:
        state === 'good' ? [] : state === 'unknown' ? ['not_measured'] : [`${state}_${name === '' ? 'all' : 'own'}`],
      started_at,
      first_received_at: started_at,
      ended_at: n === ledger.length - 1 ? null : startMs + at * 60_000,
    });
  });
}

/** State and reasons of a minute. */
function sayAt(rows: readonly Coverage[], ms: number): string {
  const row = rows.findLast(({ started_at }) => started_at <= ms) ?? rows[0]!;
  return `${row.state} ${row.reasons.join()}`;
}

async function read(tenant: string): Promise<Coverage[]> {
  const rows = await warehouse.query(
    `SELECT state, reasons, toUnixTimestamp64Milli(started_at) AS started_at, toUnixTimestamp64Milli(ended_at) AS ended_at
     FROM hookwatch.coverage_accounts WHERE tenant = {tenant:String} AND account = {account:String} ORDER BY started_at`,
    { tenant, account },
  );
  return rows.map((row) => ({
    ...row,
    started_at: Number(row.started_at),
    ended_at: row.ended_at === null ? null : Number(row.ended_at),
  })) as Coverage[];
}

const ledger = fc.array(fc.record({ state: fc.constantFrom(...levels), minutes: fc.integer({ min: 1, max: 9 }) }), {
  minLength: 1,
  maxLength: 6,
});

test('intervals meet, begin with the account, go on to now, and have the worse state of both with all reasons', async () => {
  let tenants = 0;
  await fc.assert(
    fc.asyncProperty(ledger, ledger, fc.integer({ min: -5, max: 20 }), async (all, own, from) => {
      tenants += 1;
      const tenant = `t${tenants}`;
      const [lane, accounts] = [rowsOf(tenant, '', all), rowsOf(tenant, account, own, from)];
      await insertValues(warehouse, 'coverage', [...lane, ...accounts]);
      const rows = await read(tenant);
      expect(rows[0]!.started_at).toBe(startMs + from * 60_000);
      rows.forEach(({ ended_at }, n) => {
        expect(ended_at).toBe(rows[n + 1]?.started_at ?? null);
      });
      for (let minute = from; minute < 70; minute++) {
        const at = startMs + minute * 60_000;
        const [one, two] = [sayAt(lane, at), sayAt(accounts, at)].map((said) => said.split(' ') as [string, string]);
        const worst = [one![0], two![0]].sort((a, b) => levels.indexOf(b as never) - levels.indexOf(a as never))[0]!;
        const reasons = [one![1], two![1]].filter((reason) => reason !== '' && reason !== 'not_measured').sort();
        const told = worst === 'unknown' ? (two![0] === 'unknown' ? ['not_measured'] : []) : reasons;
        expect([minute, sayAt(rows, at)]).toEqual([minute, `${worst} ${told.join()}`]);
      }
    }),
    { numRuns: 40 },
  );
});
