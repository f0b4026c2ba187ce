/** What the lanes of an installation over Kafka lead to, held against what its workers have put out and ClickHouse has. */
import { expect, vi } from 'vitest';
import { decode, type OutputKind, outputKinds } from '../../services/core/records/codec.ts';
import type { KafkaLanes } from '../../services/kafka-lanes.ts';
import type { Log, LogRecord } from '../../services/ports/log/log.ts';
import type { SqlWarehouse } from '../../services/ports/warehouse/warehouse.ts';
import { recompute, textOf, textOfOutput } from './recomputation.ts';
import { untold } from './traffic.ts';

export interface LaneTruth {
  /** Everything that must ever have been put out, and nothing else. */
  emitted: Set<string>;
  /** Per kind and id the row that must be seen. */
  rows: Map<OutputKind, Map<string, string>>;
  deliveries: number;
}

/** Works on each lane of the recorded topic by itself, undisturbed and in one go. */
export async function workOut(lanes: KafkaLanes, tenants: readonly string[]): Promise<LaneTruth> {
  const truth: LaneTruth = {
    emitted: new Set(),
    rows: new Map(outputKinds.map((kind) => [kind, new Map()])),
    deliveries: 0,
  };
  for (const tenant of tenants) {
    const { emitted, rows, deliveries } = await recompute(lanes.records(lanes.partitionOf(tenant)), tenant);
    for (const text of emitted) truth.emitted.add(text);
    for (const [kind, table] of rows) for (const [id, row] of table) truth.rows.get(kind)!.set(id, row);
    truth.deliveries += deliveries;
  }
  return truth;
}

/** Everything in the topics of outputs: kind, id, version and content. */
export async function putOut(lanes: KafkaLanes): Promise<Set<string>> {
  const found = new Set<string>();
  for (let partition = 0; partition < lanes.partitions; partition++) {
    for (const { log } of lanes.outputLogs(partition)) {
      for await (const { frame } of allOf(log)) found.add(textOfOutput(decode(frame)));
    }
  }
  return found;
}

/** Position of a tenant's last record. */
export async function lastPositions(lanes: KafkaLanes, tenants: readonly string[]): Promise<Record<string, number>> {
  const last: Record<string, number> = {};
  for (const partition of new Set(tenants.map(lanes.partitionOf))) {
    for await (const { key, position } of allOf(lanes.records(partition))) last[key] = position;
  }
  return last;
}

/**
 * Waits until sinks have everything in ClickHouse that is in the topics of outputs. Their lag would not tell: it is as old
 * as the last time it was measured, and workers may have put out a lot since.
 */
export async function untilInClickHouse(lanes: KafkaLanes, sinkUrls: readonly string[]): Promise<void> {
  for (let partition = 0; partition < lanes.partitions; partition++) {
    for (const { topic, log } of lanes.outputLogs(partition)) {
      const { first, next } = await log.bounds();
      if (first === next) continue;
      const source = `${topic.split('.').at(-1)}/${partition}`;
      const stored = async () => {
        const positions = (await Promise.all(sinkUrls.map((url) => positionOf(url, source)))).flat();
        expect({ source, stored: positions.some((position) => position >= next - 1) }).toEqual({
          source,
          stored: true,
        });
      };
      await vi.waitFor(stored, { timeout: 60_000, interval: 50 });
    }
  }
}

/** Up to where a sink has brought a source into ClickHouse; empty where it says nothing of it. */
async function positionOf(sinkUrl: string, source: string): Promise<number[]> {
  const text = await (await fetch(`${sinkUrl}/metrics`)).text();
  const found = /^hookwatch_sink_position\{.*\bsource="([^"]*)".*\} (\d+)$/gm;
  return [...text.matchAll(found)].filter((match) => match[1] === source).map((match) => Number(match[2]));
}

export async function* allOf(log: Log): AsyncGenerator<LogRecord> {
  let { first: position } = await log.bounds();
  for (;;) {
    const batch = await log.read(position, { records: 5_000, bytes: 16 * 1024 * 1024 });
    if (batch.length === 0) return;
    yield* batch;
    position = batch.at(-1)!.position + 1;
  }
}

export function expectSameSet(found: ReadonlySet<string>, wanted: ReadonlySet<string>): void {
  const surplus = [...found].filter((text) => !wanted.has(text));
  const missing = [...wanted].filter((text) => !found.has(text));
  const counts = { surplus: surplus.length, missing: missing.length };
  expect({ ...counts, some: [...surplus.slice(0, 2), ...missing.slice(0, 2)] }).toEqual({
    surplus: 0,
    missing: 0,
    some: [],
  });
}

export async function expectRows(warehouse: SqlWarehouse, wanted: LaneTruth['rows']): Promise<void> {
  for (const kind of outputKinds) {
    const rows = new Set((await warehouse.rows(kind, { limit: 1_000_000 })).map(textOf));
    expectSameSet(rows, new Set(wanted.get(kind)!.values()));
    // A run without any would prove nothing. Whether a rule fires is the seed's doing.
    if (kind !== 'detection') expect({ kind, some: rows.size > 0 }).toEqual({ kind, some: !untold.has(kind) });
  }
}
