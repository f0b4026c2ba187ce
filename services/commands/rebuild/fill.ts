/** Rows of a replay on their way into tables. */
import { setTimeout as wait } from 'node:timers/promises';
import { encode } from '../../core/records/codec.ts';
import { type Row, storeRows } from '../../ports/warehouse/refusals.ts';
import { type Warehouse, WarehouseError } from '../../ports/warehouse/warehouse.ts';
import type { LaneSource } from '../replay/lane-source.ts';
import { type Replay, ReplayError, type ReplayedBatch } from '../replay/replay.ts';

export interface FillOptions {
  tenant: string;
  replay: Replay;
  source: LaneSource;
  /** The source are the tables of deliveries and controls: these rows are there already. */
  fromTables: boolean;
  until: number;
  store: (rows: readonly Row[]) => Promise<void>;
  onProgress?: (upTo: number) => void;
}

/** As the sink has it. */
const batch = { rows: 20_000, bytes: 8 * 1024 * 1024 };
const retryMsMax = 60_000;

/** Works a lane up to a position, or to the end of its source, and stores what follows. */
export async function fill(options: FillOptions): Promise<{ records: number; rows: number }> {
  const { tenant, replay, source, fromTables, until, store, onProgress } = options;
  const filled = { records: 0, rows: 0 };
  let rows: Row[] = [];
  let bytes = 0;
  async function flush(): Promise<void> {
    if (rows.length > 0) await store(rows);
    filled.rows += rows.length;
    rows = [];
    bytes = 0;
  }
  for await (const replayed of replay.run(source, until)) {
    if (fromTables) expectComplete(tenant, replayed);
    filled.records += replayed.records;
    for (const { kind, value } of replayed.outputs) {
      if (fromTables && (kind === 'delivery' || kind === 'control')) continue;
      const frame = encode(kind, value as never);
      rows.push({ key: tenant, frame });
      bytes += frame.length;
    }
    if (rows.length >= batch.rows || bytes >= batch.bytes) await flush();
    onProgress?.(replayed.upTo);
  }
  await flush();
  return filled;
}

/** The flow admitted every record that has a row. It does so again unless one before is missing. */
function expectComplete(tenant: string, { outputs, records, upTo }: ReplayedBatch): void {
  const admitted = outputs.filter(({ kind }) => kind === 'delivery' || kind === 'control').length;
  if (admitted === records) return;
  throw new ReplayError(
    'RECORDS_MISSING',
    `Cannot rebuild lane ${tenant} from its tables: before position ${upTo} some of its deliveries or controls are missing; they have expired or were never stored`,
  );
}

/** Stores rows in the tables to fill; what is refused is listed where people look for it. */
export function createStore(
  into: Pick<Warehouse, 'insert'>,
  refusals: Pick<Warehouse, 'insert'>,
): FillOptions['store'] {
  const insert: Warehouse['insert'] = (kind, schemaId, bodies) =>
    persist(() => (kind === 'refusal' ? refusals : into).insert(kind, schemaId, bodies));
  return async (rows) => void (await storeRows({ insert }, rows, Date.now));
}

async function persist(call: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  for (let delayMs = 100; ; delayMs = Math.min(5_000, delayMs * 2)) {
    try {
      return await call();
    } catch (error) {
      const helps = error instanceof WarehouseError && error.retryable;
      if (!helps || performance.now() - startedAt > retryMsMax) throw error;
      await wait(delayMs);
    }
  }
}
