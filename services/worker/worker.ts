/**
 * The worker: reads the lanes of a log, runs the flow on them, and writes what follows to the outputs.
 *
 *   records ──▶ decode ──▶ flow.step per lane ──▶ outputs (acknowledged) ──▶ checkpoint, now and then
 *
 * A checkpoint is taken only of what the outputs have acknowledged. After a crash the lane is replayed from there, and
 * the same outputs are written again: every reader of them takes an id's highest version.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Output } from '../core/flow/context.ts';
import { LaneError, type LaneRecord } from '../core/flow/flow.ts';
import type { LaneSummary } from '../core/flow/summary.ts';
import { decode, encode, FrameError } from '../core/records/codec.ts';
import type { Checkpoints } from '../ports/checkpoints/checkpoints.ts';
import type { Log, LogRecord, NewRecord } from '../ports/log/log.ts';
import type { WorkerMetrics } from '../telemetry.ts';
import { type Lane, LaneStoppedError, openLane } from './lane.ts';
import { reportLane } from './report.ts';

/** Metrics are read from the state this often at the most. */
const reportIntervalMs = 500;

export interface WorkerOptions {
  /** Whose lanes to work on: others in the log, of tenants that are no longer configured, are left alone. */
  tenants: readonly string[];
  records: Log;
  outputs: Log;
  checkpoints: Checkpoints;
  metrics: WorkerMetrics;
  logger: Logger;
  /** Pause at the end of the log. */
  pollIntervalMs?: number;
  checkpointIntervalMs?: number;
  batchRecordsMax?: number;
  batchBytesMax?: number;
  /** True while the outputs must not grow: the lanes then wait, safe in their own log. */
  outputsFull?: () => boolean;
}

export interface Worker {
  /** Runs until `stop`; rejects when the logs fail. A lane that cannot go on is left, and all others go on. */
  run(): Promise<void>;
  /**
   * Works on what is left in the log for at most `deadlineMs`, ends the batch at hand, saves a checkpoint of every lane,
   * and lets `run` resolve.
   */
  stop(deadlineMs?: number): Promise<void>;
  /** Why it does not do its work now; empty when it does. */
  troubles(): string[];
  /** What the lanes say of themselves, by tenant. */
  lanes(): Record<string, LaneSummary>;
}

export function createWorker(options: WorkerOptions): Worker {
  const { records, outputs, checkpoints, metrics, logger } = options;
  const limits = { records: options.batchRecordsMax ?? 2_000, bytes: options.batchBytesMax ?? 4 * 1024 * 1024 };
  const pollIntervalMs = options.pollIntervalMs ?? 10;
  const checkpointIntervalMs = options.checkpointIntervalMs ?? 5_000;
  const lanes = new Map<string, Lane>();
  /** Tenants whose lane cannot go on → why. */
  const stopped = new Map<string, string>();
  const stopping = new AbortController();
  let endsAt = 0;
  let reading = false;
  let paused = false;
  let running: Promise<void> | undefined;
  let saving: Promise<void> | undefined;
  let savedAt = performance.now();
  let reportedAt = Number.NEGATIVE_INFINITY;

  /** The lane of a tenant; undefined where it has stopped. */
  async function laneOf(tenant: string): Promise<Lane | undefined> {
    if (stopped.has(tenant)) return undefined;
    const open = lanes.get(tenant);
    if (open) return open;
    try {
      const lane = await openLane(tenant, records, checkpoints);
      logger.info({ tenant, position: lane.position }, 'lane opened');
      lanes.set(tenant, lane);
      return lane;
    } catch (error) {
      return stopLane(tenant, error);
    }
  }

  /** Nothing of the lane is saved from here on: a later start meets the same records. */
  function stopLane(tenant: string, error: unknown): undefined {
    if (!isOfLane(error)) throw error;
    logger.error({ tenant, err: error }, 'lane stopped; all others go on');
    stopped.set(tenant, error.message);
    lanes.delete(tenant);
  }

  async function work(batch: readonly LogRecord[]): Promise<void> {
    const produced: NewRecord[] = [];
    for (const [tenant, entries] of Map.groupBy(batch, (record) => record.key)) {
      if (!options.tenants.includes(tenant)) continue;
      const lane = await laneOf(tenant);
      // One by one: a tick after a long pause may lead to more outputs than a call takes arguments.
      if (lane) for (const output of stepLane(lane, entries)) produced.push(output);
    }
    if (produced.length > 0) await outputs.append(produced);
  }

  function stepLane(lane: Lane, entries: readonly LogRecord[]): NewRecord[] {
    const ended = metrics.stepSeconds.startTimer();
    try {
      const fresh = entries.filter((record) => record.position > lane.position).map(decodeRecord);
      const made = lane.step(fresh).map((output) => ({ key: lane.tenant, frame: encodeOutput(output) }));
      metrics.records.inc({ tenant: lane.tenant }, fresh.length);
      return made;
    } catch (error) {
      stopLane(lane.tenant, error);
      return [];
    } finally {
      ended();
    }
  }

  /** To be called only when every output is acknowledged: all snapshots begin before the first await. */
  async function save(): Promise<void> {
    const ended = metrics.checkpointSeconds.startTimer();
    const saved = [...lanes.values()].map(async (lane) => {
      metrics.checkpointPosition.set({ tenant: lane.tenant }, await lane.checkpoint());
      await checkpoints.prune(lane.tenant, (await records.bounds()).first);
    });
    await Promise.all(saved);
    ended();
  }

  /** Starts saving without waiting for it: the snapshots are written between the steps that follow. */
  function saveInTurn(): void {
    if (saving || performance.now() - savedAt < checkpointIntervalMs) return;
    saving = save()
      .catch((error) => logger.error({ err: error }, 'checkpoint failed; the next one is tried in its turn'))
      .finally(() => {
        savedAt = performance.now();
        saving = undefined;
      });
  }

  async function report(position: number): Promise<void> {
    if (performance.now() - reportedAt < reportIntervalMs) return;
    reportedAt = performance.now();
    for (const lane of lanes.values()) reportLane(metrics, lane.tenant, lane.summary(), Date.now());
    metrics.recordLag.set(Math.max(0, (await records.bounds()).next - position));
  }

  /** The log is read from the first record that any of the lanes has not seen; one without a checkpoint has seen none. */
  async function startPosition(): Promise<number> {
    const { first, next } = await records.bounds();
    const opened = await Promise.all(options.tenants.map(laneOf));
    const positions = opened.filter((lane) => lane !== undefined).map((lane) => lane.position + 1);
    return positions.length === 0 ? next : Math.max(first, Math.min(...positions));
  }

  async function loop(): Promise<void> {
    let position = await startPosition();
    reading = true;
    while (!stopping.signal.aborted || (performance.now() < endsAt && position < (await records.bounds()).next)) {
      paused = options.outputsFull?.() ?? false;
      const batch = paused ? [] : await records.read(position, limits);
      if (batch.length > 0) {
        await work(batch);
        position = batch.at(-1)!.position + 1;
      }
      saveInTurn();
      await report(position);
      if (batch.length === 0) await wait(pollIntervalMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
    await saving;
    await save();
  }

  return {
    run() {
      running ??= loop();
      return running;
    },
    async stop(deadlineMs = 0) {
      endsAt = performance.now() + deadlineMs;
      stopping.abort();
      await running?.catch(() => {});
    },
    lanes: () => Object.fromEntries([...lanes.values()].map((lane) => [lane.tenant, lane.summary()])),
    troubles: () => [
      ...(reading ? [] : ['worker: the lanes are not open yet']),
      ...(paused ? ['worker: it waits, since the outputs that ClickHouse has not taken fill their space'] : []),
      ...[...stopped].map(([tenant, why]) => `worker: lane ${tenant} stopped: ${why}`),
    ],
  };
}

/** True for what is wrong with one lane's records or checkpoints, and not with the logs. */
function isOfLane(error: unknown): error is Error {
  return error instanceof LaneStoppedError || error instanceof LaneError || error instanceof FrameError;
}

function decodeRecord({ position, frame }: LogRecord): LaneRecord {
  return { position, record: decode(frame) };
}

function encodeOutput({ kind, value }: Output): Buffer {
  return encode(kind, value as never);
}
