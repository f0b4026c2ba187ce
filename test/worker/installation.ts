/** Workers over logs in memory, and what readers of their outputs end up with. */
import pino from 'pino';
import { expect, onTestFinished } from 'vitest';
import type { Output } from '../../services/core/flow/context.ts';
import { type DecodedRecord, decode, encode } from '../../services/core/records/codec.ts';
import type { Checkpoints } from '../../services/ports/checkpoints/checkpoints.ts';
import { createMemoryCheckpoints } from '../../services/ports/checkpoints/memory.ts';
import type { Log } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { createRegistry, workerMetrics } from '../../services/telemetry.ts';
import { createWorker, type Worker, type WorkerOptions } from '../../services/worker/worker.ts';
import { accountBody, laneOf, serverBody } from '../core/flow/lane.ts';

export const logger = pino({ level: 'silent' });

export interface Installation {
  records: Log;
  outputs: Log;
  checkpoints: Checkpoints;
}

export const install = (): Installation => ({
  records: createMemoryLog(),
  outputs: createMemoryLog(),
  checkpoints: createMemoryCheckpoints(),
});

/** A lane's records as an edge would have framed them, for a tenant. */
export function storyOf(tenant: string, servers: number): { key: string; frame: Buffer }[] {
  const lane = laneOf();
  lane.post('Account.Created', accountBody('NEW'), 0);
  for (let n = 1; n <= servers; n++) {
    lane.post('Server.Created', serverBody('NEW', `S${n}`, n * 1000), n * 1000);
    lane.tick(n * 1000 + 500);
  }
  return lane.records.map(({ record }) => {
    const value = { ...record.value, tenant };
    return { key: tenant, frame: encode(record.kind, value as never) };
  });
}

/** Two tenants' lanes in one log, a record of each in turn. */
export function mixed(servers: number) {
  const [a, b] = [storyOf('acme', servers), storyOf('bolt', servers)];
  return a.flatMap((record, index) => [record, b[index]!]);
}

/** A machine that does much else besides may take its time. */
export const patience = { timeout: 10_000 };

export function start(installation: Installation, more: Partial<WorkerOptions> = {}) {
  const metrics = workerMetrics(createRegistry('test'));
  const worker = createWorker({
    tenants: ['acme', 'bolt'],
    ...installation,
    metrics,
    logger,
    pollIntervalMs: 1,
    ...more,
  });
  const failed = worker.run().then(
    () => undefined,
    (error: Error) => error,
  );
  onTestFinished(() => worker.stop());
  return { worker, failed, metrics };
}

export async function allOf(log: Log): Promise<DecodedRecord[]> {
  const { first } = await log.bounds();
  return (await log.read(first, { records: 1e6, bytes: 1e9 })).map(({ frame }) => decode(frame));
}

/** What readers of the outputs end up with: an id's highest version. */
export async function rowsOf(log: Log): Promise<Map<string, Output>> {
  const rows = new Map<string, Output>();
  for (const record of (await allOf(log)) as Output[]) {
    const key = `${record.kind} ${record.value.tenant} ${record.value.id}`;
    const known = rows.get(key);
    if (!known || known.value.version <= record.value.version) rows.set(key, record);
  }
  return rows;
}

/** A worker that has reached the end of the log. */
export async function drained(installation: Installation, more: Partial<WorkerOptions> = {}): Promise<Worker> {
  const { worker, metrics } = start(installation, more);
  const { next } = await installation.records.bounds();
  await expect
    .poll(async () => Math.max(...(await metrics.position.get()).values.map(({ value }) => value)), patience)
    .toBe(next - 1);
  return worker;
}
