import pino from 'pino';
import { expect, onTestFinished } from 'vitest';
import { step } from '../../services/core/flow/flow.ts';
import { createState } from '../../services/core/flow/state.ts';
import { encode, type OutputKind, outputKinds } from '../../services/core/records/codec.ts';
import type { Log } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import type { Warehouse } from '../../services/ports/warehouse/warehouse.ts';
import { createSink, type SinkOptions } from '../../services/sink/sink.ts';
import { createRegistry, sinkMetrics } from '../../services/telemetry.ts';
import { accountBody, alertBody, iso, laneOf, serverBody, startMs } from '../core/flow/lane.ts';
import { fixture } from '../ports/warehouse/records.ts';

export const kinds: readonly OutputKind[] = outputKinds;

/** Outputs of every kind, amendments among them. Of kinds that such a lane leads to none of there is one, of no lane. */
export async function outputsOfALane(servers = 7): Promise<Log> {
  const lane = laneOf();
  lane.post('Account.Created', accountBody('NEW'), 0);
  for (let n = 1; n <= servers; n++) {
    lane.post('Server.Created', serverBody('NEW', `S${n}`, n * 1000), n * 1000);
    lane.tick(n * 1000 + 500);
  }
  lane.post('Alert.Notification', alertBody('NEW', 'S1', { state: 'triggered', stateStartTime: iso(startMs) }), 60_000);
  lane.post(
    'Alert.Notification',
    alertBody('NEW', 'S1', { state: 'notTriggered', stateEndTime: iso(startMs + 90_000) }),
    90_000,
  );
  lane.post('Server.Updated', 'not JSON', 100_000);
  const log = createMemoryLog();
  const { outputs } = step(createState(), lane.records);
  await log.append(outputs.map(({ kind, value }) => ({ key: value.tenant, frame: encode(kind, value as never) })));
  const made = new Set(outputs.map(({ kind }) => kind));
  for (const kind of kinds.filter((other) => !made.has(other))) {
    const value = fixture(kind, { tenant: 'elsewhere' });
    await log.append([{ key: value.tenant, frame: encode(kind, value) }]);
  }
  return log;
}

/** Runs a sink over one log, or over several by their names. */
export function startSink(outputs: Log | Record<string, Log>, warehouse: Warehouse, more: Partial<SinkOptions> = {}) {
  const logs = 'bounds' in outputs ? { outputs: outputs as Log } : outputs;
  const sources = Object.entries(logs).map(([name, log]) => ({ name, log }));
  const metrics = sinkMetrics(createRegistry('test'));
  const logger = pino({ level: 'silent' });
  const sink = createSink({
    sources,
    warehouse,
    metrics,
    logger,
    batchAgeMsMax: 1,
    retryDelayMsMax: 1,
    restartCheckMs: 10,
    ...more,
  });
  const running = sink.run();
  onTestFinished(() => sink.stop(0));
  const gauge = async (name: 'position' | 'lagRecords' | 'blocked', source?: string) =>
    (await metrics[name].get()).values.find(({ labels }) => labels.source === source)?.value;
  const untilWrittenOf = async (name: string, log: Log) => {
    const { next } = await log.bounds();
    await expect.poll(() => gauge('position', name), { timeout: 20_000 }).toBe(next - 1);
  };
  return {
    sink,
    metrics,
    running,
    gauge,
    async untilWritten(...names: string[]) {
      const waited = Object.entries(logs).filter(([name]) => names.length === 0 || names.includes(name));
      await Promise.all(waited.map(([name, log]) => untilWrittenOf(name, log)));
    },
  };
}

/** Every row of every table. */
export async function everything(warehouse: Warehouse) {
  return Promise.all(kinds.map((kind) => warehouse.rows(kind, { limit: 100_000 })));
}
