/**
 * The whole way of a delivery in one process, over memory logs: edge, worker, sink. Time stands still unless it is
 * moved, and the boot's id is fixed, so every row is the same in every run.
 */
import pino from 'pino';
import { expect } from 'vitest';
import { hashToken } from '../../services/config.ts';
import { step } from '../../services/core/flow/flow.ts';
import { createState, type FlowState } from '../../services/core/flow/state.ts';
import { centurylinkEvents } from '../../services/core/providers/centurylink/event-names.ts';
import type { OutputKind } from '../../services/core/records/codec.ts';
import { decode } from '../../services/core/records/codec.ts';
import type { RecordTypes } from '../../services/core/records/generated.ts';
import { createMemoryCheckpoints } from '../../services/ports/checkpoints/memory.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import type { Warehouse } from '../../services/ports/warehouse/warehouse.ts';
import { createSink } from '../../services/sink/sink.ts';
import { createRegistry, sinkMetrics, workerMetrics } from '../../services/telemetry.ts';
import { createWorker } from '../../services/worker/worker.ts';
import { createTestTime, endpoint, startTestEdge, tenant } from '../edge/fixture.ts';

export const tenantName = 'golden';
const logger = pino({ level: 'silent' });

const tokenOf = (event: string) => `golden-${event.toLowerCase().replace('.', '-')}`;
const endpoints = centurylinkEvents.map((event) =>
  endpoint({
    name: event.toLowerCase().replace('.', '-'),
    event,
    account: 'DEMO',
    tokenSha256: hashToken(tokenOf(event)),
  }),
);

export interface Pipeline {
  /** Posts a body to the endpoint of an event a second later, signed unless headers say otherwise. */
  post(event: string, body: string, headers?: Record<string, string>): Promise<Response>;
  /** The edge, for what `post` cannot send. */
  port: number;
  token(event: string): string;
  /** Lets time pass, writes the ticks that are due, and waits until every row is in the warehouse. */
  settle(): Promise<void>;
  rows<K extends OutputKind>(kind: K): Promise<RecordTypes[K][]>;
  /** The state that the lane leads to, made anew from its first record. */
  state(): Promise<FlowState>;
}

export async function startPipeline(
  warehouse: Warehouse,
  onClose: (close: () => Promise<void>) => void,
): Promise<Pipeline> {
  const time = createTestTime(Date.UTC(2026, 0, 5, 9));
  const outputs = createMemoryLog();
  const edge = await startTestEdge({
    time,
    tenants: [tenant({ name: tenantName, endpoints, roots: ['centurylink:DEMO'] })],
    randomId: () => '00000000b0070001',
  });
  const registry = createRegistry('test');
  const metrics = { worker: workerMetrics(registry), sink: sinkMetrics(registry) };
  const checkpoints = createMemoryCheckpoints();
  const worker = createWorker({
    tenants: [tenantName],
    records: edge.log,
    outputs,
    checkpoints,
    metrics: metrics.worker,
    logger,
  });
  const sources = [{ name: 'outputs', log: outputs }];
  const sink = createSink({ sources, warehouse, metrics: metrics.sink, logger, batchAgeMsMax: 1 });
  const running = Promise.all([worker.run(), sink.run()]);
  onClose(async () => {
    await worker.stop();
    await sink.stop();
    await running;
  });
  const readGauge = async (gauge: { get(): Promise<{ values: { value: number }[] }> }) =>
    (await gauge.get()).values[0]?.value;

  return {
    port: edge.port,
    token: tokenOf,
    post(event, body, headers = {}) {
      time.pass(1000);
      return edge.post({ token: tokenOf(event), body, headers });
    },
    async settle() {
      time.pass(10_000);
      edge.tick();
      const { next } = await edge.log.bounds();
      await expect.poll(async () => (await edge.log.bounds()).next).toBeGreaterThan(next);
      const last = (await edge.log.bounds()).next - 1;
      await expect.poll(() => readGauge(metrics.worker.position), { timeout: 10_000 }).toBe(last);
      const written = (await outputs.bounds()).next - 1;
      await expect.poll(() => readGauge(metrics.sink.position), { timeout: 10_000 }).toBe(written);
    },
    rows: (kind) => warehouse.rows(kind, { tenant: tenantName, limit: 10_000 }),
    async state() {
      const records = await edge.log.read(0, { records: 1e6, bytes: 1e9 });
      return step(
        createState(),
        records.map(({ position, frame }) => ({ position, record: decode(frame) })),
      ).state;
    },
  };
}
