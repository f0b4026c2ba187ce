import { expect, test } from 'vitest';
import type { LaneSource } from '../../../services/commands/replay/lane-source.ts';
import { createTableSource } from '../../../services/commands/replay/table-source.ts';
import type { LaneRecord } from '../../../services/core/flow/flow.ts';
import type { Control, Delivery } from '../../../services/core/records/generated.ts';
import { createMemoryWarehouse } from '../../../services/ports/warehouse/memory.ts';
import { type RowFilter, WarehouseError } from '../../../services/ports/warehouse/warehouse.ts';
import { insertValues } from '../../ports/warehouse/contract.ts';
import { fixture } from '../../ports/warehouse/records.ts';
import { install, livesOf, readLane } from './installation.ts';

async function readAll(source: LaneSource): Promise<LaneRecord[]> {
  const records: LaneRecord[] = [];
  for (let after = -1; ; ) {
    const page = await source.read(after);
    if (page.upTo === after) return records;
    records.push(...page.records);
    after = page.upTo;
  }
}

/** Its bounds, which the warehouse in memory cannot be asked for. */
const bounds = (first: number, last: number) => ({ query: async <Row>() => [{ first, last }] as Row[] });

test('it gives the lane back as its edge wrote it', async () => {
  const warehouse = createMemoryWarehouse();
  await warehouse.migrate();
  const installation = install(warehouse, ['acme', 'bolt']);
  await installation.records.append(livesOf(['acme', 'bolt']));
  await installation.work();
  const lane = await readLane(installation.records, 'bolt');
  const source = createTableSource({ ...warehouse, ...bounds(1, lane.at(-1)!.position) }, 'bolt');
  expect(await readAll(source)).toEqual(lane);
});

test('it asks for less at once where bodies are large, and for more where they are small', async () => {
  const warehouse = createMemoryWarehouse();
  await warehouse.migrate();
  const count = 3_000;
  // One body stands for all of its size.
  const [small, large] = [Buffer.alloc(10), Buffer.alloc(250_000)];
  const values = Array.from({ length: count }, (_, position): Delivery => {
    const id = String(position).padStart(6, '0');
    return fixture('delivery', { tenant: 'acme', id, position, body: small });
  });
  await insertValues(warehouse, 'delivery', values);
  const spans: number[] = [];
  const limited = {
    ...bounds(0, count - 1),
    async rows(kind: 'delivery' | 'control', filter: RowFilter): Promise<(Delivery | Control)[]> {
      const rows = await warehouse.rows(kind, filter);
      if (kind === 'control') return rows;
      spans.push(filter.positions!.upTo - filter.positions!.after);
      const enlarged = (rows as Delivery[]).map((row) => (row.position < 2_000 ? row : { ...row, body: large }));
      const bytes = enlarged.reduce((sum, { body }) => sum + body.length, 0);
      if (bytes > 100 * 1024 * 1024) throw new WarehouseError('WAREHOUSE_DATA', 'Limit for result exceeded');
      return enlarged;
    },
  } as Parameters<typeof createTableSource>[0];
  const records = await readAll(createTableSource(limited, 'acme'));
  expect(records.map(({ position }) => position)).toEqual(values.map(({ position }) => position));
  expect(Math.max(...spans)).toBeGreaterThan(1_000);
  expect(spans.at(-2)).toBeLessThan(50);
});

test('what goes wrong with a single position is no matter of size', async () => {
  const failing = {
    ...bounds(0, 10),
    rows: () => Promise.reject(new WarehouseError('WAREHOUSE_DATA', 'the row itself')),
  };
  await expect(createTableSource(failing, 'acme').read(-1)).rejects.toThrow('the row itself');
});
