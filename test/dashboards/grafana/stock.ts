/** Real ClickHouses with what has been simulated in them, and how an analyst asks. */
import { createClickHouseWarehouse } from '../../../services/ports/warehouse/clickhouse.ts';
import { type EngineProcess, passwords, startEngineProcess } from '../../ports/warehouse/engine-process.ts';
import { type Life, startMs, store } from './simulated.ts';

/** Time stands still in January 2026: its rows must not be too old, whenever this runs. */
const ttlDays = { deliveries: 10_000, facts: 10_000 };

/** Three hours, on a screen on which a point is a minute. */
export const panel = { from: startMs - 10_500_123, to: startMs + 300_456, intervalMs: 60_000 };
export const everything = { tenant: 'all', account: 'all', metric: 'all' } as const;

export type Row = Record<string, unknown>;
export interface Result {
  columns: [name: string, type: string][];
  rows: Row[];
}

export async function startStockedEngine(lives: readonly Life[]): Promise<EngineProcess> {
  const engine = await startEngineProcess();
  const access = { username: 'hookwatch', password: passwords.hookwatch };
  const warehouse = createClickHouseWarehouse({ url: engine.url, ...access, ttlDays });
  await warehouse.migrate();
  for (const life of lives) await store(warehouse, life);
  await warehouse.close();
  return engine;
}

/** With the setting that the plug-in's client sends: the limit of a query, and five seconds more. */
export async function ask(engine: EngineProcess, sql: string): Promise<Result> {
  const response = await fetch(`${engine.url}/?database=hookwatch&default_format=JSON&max_execution_time=65`, {
    method: 'POST',
    headers: { 'x-clickhouse-user': 'analyst', 'x-clickhouse-key': passwords.analyst },
    body: sql,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${text}\nin\n${sql}`);
  const { meta, data } = JSON.parse(text) as { meta: { name: string; type: string }[]; data: Row[] };
  return { columns: meta.map(({ name, type }) => [name, type]), rows: data };
}
