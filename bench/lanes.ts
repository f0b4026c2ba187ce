/** Lanes of several tenants in Kafka, as edges bring them there. */
import { headersOfPlace } from '../services/core/records/cloudevents.ts';
import { placeOf } from '../services/core/records/place.ts';
import type { KafkaLanes } from '../services/kafka-lanes.ts';
import type { NewRecord } from '../services/ports/log/log.ts';
import { generateLane } from './lane.ts';

export interface LanesOptions {
  tenants: readonly string[];
  /** Deliveries per second of each tenant, in the time of the lane. */
  rate: number;
  seconds: number;
  /** Sends the last records of each batch twice, as an edge does that has not heard of them. */
  repeats?: boolean;
}

const recordsPerBatch = 500;
const repeatedRecords = 7;
const startMs = Date.UTC(2026, 0, 5, 9);

/** Fills the records topic, the tenants by turns; resolves to the number of records without their repeats. */
export async function fillLanes(lanes: KafkaLanes, options: LanesOptions): Promise<number> {
  const { tenants, rate, seconds, repeats = false } = options;
  let open = tenants.map((tenant, index) => ({
    log: lanes.records(lanes.partitionOf(tenant)),
    batches: batchesOf(tenant, generateLane({ tenant, seed: index + 1, startMs, rate, seconds })),
  }));
  let total = 0;
  while (open.length > 0) {
    const counts = await Promise.all(
      open.map(async ({ log, batches }) => {
        const { value: batch } = batches.next();
        if (!batch) return 0;
        await log.append(batch);
        if (repeats) await log.append(batch.slice(-repeatedRecords));
        return batch.length;
      }),
    );
    open = open.filter((_, index) => counts[index] !== 0);
    total += counts.reduce((sum, count) => sum + count, 0);
  }
  return total;
}

export function namesOfTenants(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `tenant-${index + 1}`);
}

/** Records of a lane, with the headers that edges give them. */
export function* batchesOf(tenant: string, frames: Iterable<Buffer>): Generator<NewRecord[], undefined> {
  let batch: NewRecord[] = [];
  for (const frame of frames) {
    batch.push({ key: tenant, frame, headers: headersOfPlace(placeOf(frame)) });
    if (batch.length < recordsPerBatch) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
