/** Whatever a provider sends, ClickHouse takes what is made of it. MUTATION_SEED=… runs the same again. */
import { randomInt } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import type { Output } from '../../services/core/flow/context.ts';
import { step } from '../../services/core/flow/flow.ts';
import { createState } from '../../services/core/flow/state.ts';
import { encode } from '../../services/core/records/codec.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { createClickHouseWarehouse } from '../../services/ports/warehouse/clickhouse.ts';
import { caseOf, laneOfSamples } from '../core/providers/mutations/cases.ts';
import { readSamples } from '../core/providers/mutations/samples.ts';
import { textOf } from '../faults/recomputation.ts';
import { passwords, startEngineProcess } from '../ports/warehouse/engine-process.ts';
import { kinds, startSink } from './sink.ts';

const mutations = 400;
const seed = Number(process.env.MUTATION_SEED ?? randomInt(2 ** 31));
/** The lane's time stands still in January 2026: its rows must not be too old, whenever this runs. */
const ttlDays = { deliveries: 10_000, persons: 10_000, facts: 10_000 };

test('no row of what was mutated is refused, each is there, and every view can be read', async () => {
  console.log(`MUTATION_SEED=${seed}`);
  const lane = laneOfSamples();
  for (const { provider, event, account, body } of readSamples()) lane.post(event, body, 0, { provider, account });
  for (let number = 0; number < mutations; number++) {
    const { event, parts } = caseOf(seed, number);
    lane.post(event, '', 100 * number, parts);
  }
  lane.tick(100 * mutations + 60_000);
  const { outputs } = step(createState(), lane.records);
  const log = createMemoryLog();
  await log.append(outputs.map(({ kind, value }) => ({ key: value.tenant, frame: encode(kind, value as never) })));

  const engine = await startEngineProcess();
  const connection = { url: engine.url, username: 'hookwatch', password: passwords.hookwatch };
  const warehouse = createClickHouseWarehouse({ ...connection, ttlDays });
  onTestFinished(async () => {
    await warehouse.close();
    await engine.dispose();
  });
  await warehouse.migrate();
  const { untilWritten } = startSink(log, warehouse);
  await untilWritten();
  expect(await warehouse.query('SELECT * FROM hookwatch.sink_refused')).toEqual([]);
  for (const kind of kinds) {
    const rows = await warehouse.rows(kind, { limit: 1_000_000 });
    const made = currentOf(outputs.filter((output) => output.kind === kind).map(({ value }) => value));
    expect(rows.map(textOf), kind).toEqual(made.map(textOf));
  }
  for (const view of ['servers_latest', 'accounts_latest', 'users_latest']) {
    const rows = await warehouse.query(`SELECT * FROM hookwatch.${view}`);
    expect(rows.length, view).toBeGreaterThan(0);
  }
});

/** What people see of outputs: of each id the newest, where that was not withdrawn, by id. */
function currentOf(outputs: readonly Output['value'][]): Output['value'][] {
  const newest = new Map(outputs.map((value) => [value.id, value]));
  return [...newest.values()].filter(({ withdrawn }) => !withdrawn).sort((a, b) => (a.id < b.id ? -1 : 1));
}
