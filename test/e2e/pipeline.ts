/**
 * The whole way of a delivery in one process, over memory logs unless told otherwise: edge, worker, sink. Time stands still unless it is
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
import type { Checkpoints } from '../../services/ports/checkpoints/checkpoints.ts';
import { createMemoryCheckpoints } from '../../services/ports/checkpoints/memory.ts';
import type { Log } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import type { Progress } from '../../services/ports/progress/progress.ts';
import type { Warehouse } from '../../services/ports/warehouse/warehouse.ts';
import { createSink } from '../../services/sink/sink.ts';
import type { SinkSource } from '../../services/sink/source.ts';
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

/** What lies between the journal and the warehouse. */
export interface Way {
  records: Log;
  outputs: Pick<Log, 'append'>;
  checkpoints: Checkpoints;
  progress?: Progress;
  /** The outputs, to be read. */
  sources: SinkSource[];
  close(): Promise<void>;
}

/** The journal is the log, as it is on one machine. */
async function wayInMemory(journal: Log): Promise<Way> {
  const outputs = createMemoryLog();
  const sources = [{ name: 'outputs', log: outputs }];
  return { records: journal, outputs, checkpoints: createMemoryCheckpoints(), sources, close: async () => {} };
}

export async function startPipeline(
  warehouse: Warehouse,
  onClose: (close: () => Promise<void>) => void,
  openWay: (journal: Log) => Promise<Way> = wayInMemory,
): Promise<Pipeline> {
  const time = createTestTime(Date.UTC(2026, 0, 5, 9));
  // A sink would do it. On a busy machine a database of its own takes longer for its tables than rows may take to be stored.
  await warehouse.migrate();
  const edge = await startTestEdge({
    time,
    tenants: [tenant({ name: tenantName, endpoints, roots: ['centurylink:DEMO', 'centurylink:ALTD'] })],
    randomId: () => '00000000b0070001',
  });
  const registry = createRegistry('test');
  const metrics = { worker: workerMetrics(registry), sink: sinkMetrics(registry) };
  const { sources, close, ...way } = await openWay(edge.log);
  const worker = createWorker({ tenants: [tenantName], ...way, metrics: metrics.worker, logger });
  const sink = createSink({ sources, warehouse, metrics: metrics.sink, logger, batchAgeMsMax: 1 });
  const running = Promise.all([worker.run(), sink.run()]);
  onClose(async () => {
    await worker.stop();
    await sink.stop();
    await running;
    await close();
  });
  const workedOn = async () => (await metrics.worker.position.get()).values[0]?.value;
  const stored = async () =>
    Object.fromEntries((await metrics.sink.position.get()).values.map(({ labels, value }) => [labels.source, value]));
  const written = async () => {
    const ends = sources.map(async ({ name, log }) => [name, (await log.bounds()).next - 1] as const);
    return Object.fromEntries((await Promise.all(ends)).filter(([, position]) => position >= 0));
  };

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
      await expect.poll(workedOn, { timeout: 10_000 }).toBe(last);
      const ends = await written();
      await expect.poll(stored, { timeout: 10_000 }).toEqual(ends);
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
