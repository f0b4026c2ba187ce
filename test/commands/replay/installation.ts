/** Lanes, their checkpoints and what became of them, as an installation has them; worked on step by step, as told. */
import { encodeScenario } from '../../../bench/lane.ts';
import type { Decoders } from '../../../services/core/flow/context.ts';
import { type LaneRecord, step } from '../../../services/core/flow/flow.ts';
import { producersOf } from '../../../services/core/flow/producers.ts';
import { createState, type FlowState, metaOf } from '../../../services/core/flow/state.ts';
import { decode, encode } from '../../../services/core/records/codec.ts';
import type { Checkpoints } from '../../../services/ports/checkpoints/checkpoints.ts';
import { createMemoryCheckpoints } from '../../../services/ports/checkpoints/memory.ts';
import type { Log } from '../../../services/ports/log/log.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { storeRows } from '../../../services/ports/warehouse/refusals.ts';
import type { Warehouse } from '../../../services/ports/warehouse/warehouse.ts';
import { controlOf } from '../../core/flow/lane.ts';

export const flow = 'f10f10f10f10f10f';
export const startMs = Date.UTC(2026, 0, 5, 9);

/** One log with the lanes of several tenants, and what workers and a sink have made of them. */
export interface Installation {
  tenants: readonly string[];
  records: Log;
  checkpoints: Checkpoints;
  warehouse: Warehouse;
  /** Works on every lane up to a position, or to its end, and stores what follows; with other decoders: another flow. */
  work(upTo?: number, decoders?: Decoders): Promise<void>;
  /** Saves a checkpoint of every lane as it is; resolves with the position of the first tenant's. */
  save(head?: { flow?: string; final?: boolean }): Promise<number>;
  stateOf(tenant: string): FlowState;
}

/** A takeover of a lane by the flow. */
export function takeoverBy(tenant: string, to: string, document: { epoch: number; previous: string }) {
  const boot = `taken-${tenant}-${document.epoch}`;
  const value = controlOf({
    tenant,
    boot,
    id: `${boot}-0`,
    received_at: startMs,
    kind: 'takeover',
    document: JSON.stringify({ ...document, flow: to }),
  });
  return { key: tenant, frame: encode('control', value) };
}

/** Life of a small reseller per tenant: some hundred records, with outputs of every kind but rejects. */
export function livesOf(tenants: readonly string[], options: { seconds?: number; rate?: number; seed?: number } = {}) {
  const { seconds = 40, rate = 6, seed = 7 } = options;
  const lives = tenants.map((tenant, index) =>
    encodeScenario({ startMs, rate, seconds, seed: seed + index, tenant }).map((frame) => ({ key: tenant, frame })),
  );
  const length = Math.max(...lives.map((life) => life.length));
  return Array.from({ length }, (_, index) => lives.flatMap((life) => life[index] ?? [])).flat();
}

export function install(warehouse: Warehouse, tenants: readonly string[]): Installation {
  const records = createMemoryLog();
  const checkpoints = createMemoryCheckpoints();
  const states = new Map(tenants.map((tenant) => [tenant, createState()]));
  return {
    tenants,
    records,
    checkpoints,
    warehouse,
    stateOf: (tenant) => states.get(tenant)!,
    async work(upTo = Infinity, decoders?: Decoders) {
      for (const tenant of tenants) {
        const state = states.get(tenant)!;
        const lane = (await readLane(records, tenant)).filter(
          ({ position }) => position > metaOf(state).position && position <= upTo,
        );
        const result = step(state, lane, decoders);
        states.set(tenant, result.state);
        const rows = result.outputs.map(({ kind, value }) => ({ key: tenant, frame: encode(kind, value as never) }));
        await storeRows(warehouse, rows, () => startMs);
      }
    },
    async save({ flow: by = flow, final = false } = {}) {
      for (const tenant of tenants) {
        const state = states.get(tenant)!;
        const { position, recordId } = metaOf(state);
        const head = { position, recordId, flow: by, final, producers: producersOf(state) };
        await checkpoints.save(tenant, head, inTurn(state.tables.snapshot()));
      }
      return metaOf(states.get(tenants[0]!)!).position;
    },
  };
}

export async function readLane(records: Log, tenant: string): Promise<LaneRecord[]> {
  const { first } = await records.bounds();
  const all = await records.read(first, { records: 1e6, bytes: 1e9 });
  return all.filter(({ key }) => key === tenant).map(({ position, frame }) => ({ position, record: decode(frame) }));
}

async function* inTurn(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
