/** An installation of one machine that has taken deliveries in, worked on them and stored their rows. */
import { fileURLToPath } from 'node:url';
import { type Config, loadConfig } from '../services/config.ts';
import { step } from '../services/core/flow/flow.ts';
import { createState, type FlowState } from '../services/core/flow/state.ts';
import { decode, encode } from '../services/core/records/codec.ts';
import { checkpointsFolder, openWarehouse, recordsFolder } from '../services/parts.ts';
import { createFileCheckpoints } from '../services/ports/checkpoints/files.ts';
import type { NewRecord } from '../services/ports/log/log.ts';
import { createSqliteLog } from '../services/ports/log/sqlite.ts';
import type { TableKind } from '../services/ports/warehouse/tables.ts';
import type { Warehouse } from '../services/ports/warehouse/warehouse.ts';
import { type Child, hookwatch, startChild } from './child.ts';
import { generateLane } from './lane.ts';
import { batchesOf } from './lanes.ts';
import { splitByKind } from './outputs.ts';

/** Stands for the hash of a flow: states bear it, and whoever restores them. */
export const flow = 'bench';

export interface Source {
  /** Works on so many deliveries more, or some more than that, and saves the state. */
  fill(deliveries: number): Promise<void>;
  close(): Promise<void>;
}

const tenant = 'northwind';
const startMs = Date.UTC(2026, 0, 5, 9);
const rate = 500;
/** Of one insert, about as many as a sink that has a backlog. */
const rowsPerInsert = 20_000;

export function environmentOf(folder: string, clickhousePort = '0'): Record<string, string> {
  return {
    HOOKWATCH_DATA: folder,
    HOOKWATCH_CONFIG: fileURLToPath(new URL('../hookwatch.yaml', import.meta.url)),
    HOOKWATCH_CLICKHOUSE_PORT: clickhousePort,
    HOOKWATCH_LOG_LEVEL: 'error',
    // The lane's time is not now.
    HOOKWATCH_DELIVERIES_TTL_DAYS: '10000',
    HOOKWATCH_FACTS_TTL_DAYS: '10000',
  };
}

export function configOf(folder: string, clickhousePort?: string): Config {
  return loadConfig(environmentOf(folder, clickhousePort));
}

/** The ClickHouse of an installation, on a port of its own. */
export function startClickHouse(folder: string): Child {
  return startChild([hookwatch, 'clickhouse'], { env: { ...environmentOf(folder), UV_THREADPOOL_SIZE: '16' } });
}

export function portOf(clickhouse: Child): Promise<string> {
  return clickhouse.printed(/http:\/\/\S+:(\d+)/);
}

/** Opens an empty installation for at most so many deliveries; its ClickHouse is running. */
export async function openSource(config: Config, deliveriesMax: number): Promise<Source> {
  const { segmentBytesMax } = config.journal;
  const log = createSqliteLog({ folder: recordsFolder(config), segmentBytesMax });
  const checkpoints = createFileCheckpoints(checkpointsFolder(config));
  const warehouse = openWarehouse(config);
  await warehouse.migrate();
  const lane = generateLane({ tenant, seed: 1, startMs, rate, seconds: Math.ceil(deliveriesMax / rate) });
  const batches = batchesOf(tenant, lane);
  let state = createState();
  let position = 0;

  /** Resolves to the frames of the outputs. */
  async function workOn(batch: readonly NewRecord[]): Promise<{ deliveries: number; outputs: Buffer[] }> {
    await log.append(batch);
    const records = batch.map(({ frame }) => ({ position: position++, record: decode(frame) }));
    const { state: next, outputs } = step(state, records);
    state = next;
    return {
      deliveries: records.filter(({ record }) => record.kind === 'delivery').length,
      outputs: outputs.map(({ kind, value }) => encode(kind, value as never)),
    };
  }

  return {
    async fill(deliveries) {
      let rows: Buffer[] = [];
      for (let left = deliveries; left > 0; ) {
        const { value: batch } = batches.next();
        if (!batch) break;
        const { deliveries: taken, outputs } = await workOn(batch);
        left -= taken;
        rows = [...rows, ...outputs];
        if (rows.length >= rowsPerInsert) await insert(warehouse, rows.splice(0));
      }
      await insert(warehouse, rows);
      const head = { position: position - 1, recordId: 'last', flow, final: false, producers: [] };
      await checkpoints.save(tenant, head, chunksOf(state));
    },
    async close() {
      await Promise.all([log.close(), warehouse.close()]);
    },
  };
}

async function insert(warehouse: Warehouse, frames: readonly Buffer[]): Promise<void> {
  for (const { kind, schemaId, bodies } of splitByKind(frames.map((frame) => ({ frame })))) {
    await warehouse.insert(kind as TableKind, schemaId, bodies);
  }
}

async function* chunksOf({ tables }: FlowState): AsyncGenerator<Uint8Array> {
  yield* tables.snapshot();
}
