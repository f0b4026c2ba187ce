/** What an insert's reply means when the engine is killed at any moment after it. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createClickHouseWarehouse } from '../../../services/ports/warehouse/clickhouse.ts';
import { WarehouseError } from '../../../services/ports/warehouse/warehouse.ts';
import { insertValues } from './contract.ts';
import { type EngineProcess, passwords, startEngineProcess } from './engine-process.ts';
import { fixture } from './records.ts';

let engine: EngineProcess;
beforeAll(async () => {
  engine = await startEngineProcess();
});
afterAll(() => engine.dispose());

const rounds = 5;
const rowsPerInsert = 50;

test('after SIGKILL and a restart every answered row is there, and none that was not sent', async () => {
  const sent: string[] = [];
  const answered: string[] = [];
  const kinds = ['event', 'delivery'] as const;
  for (let round = 0; round < rounds; round++) {
    const warehouse = createClickHouseWarehouse({
      url: engine.url,
      username: 'hookwatch',
      password: passwords.hookwatch,
    });
    await warehouse.migrate();
    let stopped = false;
    const insertOn = async (writer: number) => {
      for (let batch = 0; !stopped; batch++) {
        const kind = kinds[batch % 2]!;
        const ids = Array.from({ length: rowsPerInsert }, (_, row) => `${kind}-${round}-${writer}-${batch}-${row}`);
        sent.push(...ids);
        const values = ids.map((id) => fixture(kind, { tenant: 'crash', id }));
        const failure = await insertValues(warehouse, kind, values).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (!failure) answered.push(...ids);
        else expect(failure).toMatchObject({ code: 'WAREHOUSE_UNAVAILABLE', retryable: true });
        stopped ||= failure instanceof WarehouseError;
      }
    };
    const writers = [insertOn(0), insertOn(1), insertOn(2)];
    const goal = answered.length + (2 + round * 3) * rowsPerInsert;
    await vi.waitFor(() => expect(answered.length).toBeGreaterThanOrEqual(goal), { timeout: 30_000, interval: 1 });
    await engine.kill();
    await Promise.all(writers);
    await warehouse.close();
    await engine.restart();
    const reopened = createClickHouseWarehouse({
      url: engine.url,
      username: 'hookwatch',
      password: passwords.hookwatch,
    });
    const rows = (
      await Promise.all(kinds.map((kind) => reopened.rows(kind, { tenant: 'crash', limit: 1_000_000 })))
    ).flat();
    await reopened.close();
    const stored = new Set(rows.map(({ id }) => id));
    expect(answered.filter((id) => !stored.has(id))).toEqual([]);
    const known = new Set(sent);
    expect([...stored].filter((id) => !known.has(id))).toEqual([]);
  }
});
