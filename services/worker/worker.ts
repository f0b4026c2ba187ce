/**
 * The worker: reads the lanes of a log, runs the flow on them, and writes what follows to the outputs.
 *
 *   records ──▶ decode ──▶ flow.step per lane ──▶ outputs (acknowledged) ──▶ checkpoint, now and then
 *
 * 1. A checkpoint is taken only of what the outputs have acknowledged. After a crash the lane is replayed from there, and
 *    the same outputs are written again: every reader of them takes an id's highest version.
 * 2. What was not acknowledged is written again before anything else happens.
 * 3. Whoever works on a lane besides writes the same. So a worker need not know whether it is the only one.
 * 4. After the logs were not reached, and whenever a lane is taken up again, the record at its position must be the one
 *    that the state ends with.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Output } from '../core/flow/context.ts';
import { step } from '../core/flow/flow.ts';
import type { FlowState } from '../core/flow/state.ts';
import type { LaneStatus } from '../core/flow/summary.ts';
import { flowHash } from '../flow-hash.ts';
import type { Checkpoints } from '../ports/checkpoints/checkpoints.ts';
import { type Log, type LogRecord, LogTrimmedError, LogUnavailableError } from '../ports/log/log.ts';
import type { Progress } from '../ports/progress/progress.ts';
import type { WorkerMetrics } from '../telemetry.ts';
import type { Flow, Lane } from './lane.ts';
import { createOutbox } from './outbox.ts';
import { createPublishing } from './publishing.ts';
import { forgetLane, reportLane } from './report.ts';
import { createRoster } from './roster.ts';
import { createSaving } from './saving.ts';

/** Metrics are read from the state this often at the most. */
const reportIntervalMs = 500;
const retryIntervalMsMax = 5_000;
const recordsPerStep = 100;

export interface WorkerOptions {
  /** Whose lanes to work on: others in the log, of tenants that are no longer configured, are left alone. */
  tenants: readonly string[];
  records: Log;
  outputs: Pick<Log, 'append'>;
  checkpoints: Checkpoints;
  /** Where edges look for how far lanes are; they need not where they see the checkpoints. */
  progress?: Pick<Progress, 'publish'>;
  metrics: WorkerMetrics;
  logger: Logger;
  /** The function of the lanes; the one of this code unless given. */
  flow?: Flow;
  /** Names the log among others: a label of its metrics. */
  partition?: string;
  /** Headers of an output, for readers of other make. */
  headersOf?: (output: Output) => Readonly<Record<string, string>>;
  /** Pause at the end of the log. */
  pollIntervalMs?: number;
  /** How long the log may wait for a record before the pause, where it can. */
  readWaitMs?: number;
  /** Between two checkpoints of a lane, at least; longer where one takes more than a tenth of it. */
  checkpointIntervalMs?: number;
  /** Between two looks after lanes that wait for another flow. */
  reopenIntervalMs?: number;
  publishIntervalMs?: number;
  /** Before the first further attempt to reach the logs; twice as long before each that follows, up to 5 s. */
  retryIntervalMs?: number;
  batchRecordsMax?: number;
  batchBytesMax?: number;
  appendBytesMax?: number;
  /** True while the outputs must not grow: the lanes then wait, safe in their own log. */
  outputsFull?: () => boolean;
}

export interface Worker {
  /**
   * Runs until `stop` or `leave`; rejects when the logs fail for good. While they are not reached it waits for them. A lane
   * that cannot go on is left, and all others go on.
   */
  run(): Promise<void>;
  /**
   * Works on what is left in the log for at most `deadlineMs`, ends the batch at hand, saves a final checkpoint of every
   * lane, and lets `run` resolve.
   */
  stop(deadlineMs?: number): Promise<void>;
  /**
   * Ends the batch at hand, saves a checkpoint of every lane if that takes no longer than `deadlineMs`, and lets `run`
   * resolve. The lanes are kept in memory, and checked when it is run again.
   */
  leave(deadlineMs?: number): Promise<void>;
  /** Why it does not do its work now; empty when it does. */
  troubles(): string[];
  /** What the lanes say of themselves, by tenant. */
  lanes(): Record<string, LaneStatus>;
  /** State of a lane that is worked on here, to be read at once; undefined where it is not. */
  stateOf(tenant: string): FlowState | undefined;
}

/** How a run ends: when at the latest, and how long saving may take then. */
interface Ending {
  atMs: number;
  final: boolean;
  saveMs: number;
}

export function createWorker(options: WorkerOptions): Worker {
  const { tenants, records, checkpoints, metrics, logger, flow = { hash: flowHash(), step } } = options;
  const limits = {
    records: options.batchRecordsMax ?? 2_000,
    bytes: options.batchBytesMax ?? 4 * 1024 * 1024,
    waitMs: options.readWaitMs ?? 0,
  };
  const { pollIntervalMs = 10, checkpointIntervalMs = 5_000, reopenIntervalMs = 2_000 } = options;
  const { retryIntervalMs = 100, partition = '0' } = options;
  const roster = createRoster({ tenants, records, checkpoints, flow, logger, reopenIntervalMs });
  const outbox = createOutbox(options);
  const saving = createSaving({ records, checkpoints, metrics, logger, intervalMs: checkpointIntervalMs });
  const publishing =
    options.progress &&
    createPublishing({
      progress: options.progress,
      flow: flow.hash,
      logger,
      intervalMs: options.publishIntervalMs,
    });
  let stopping = new AbortController();
  let ending: Ending = { atMs: 0, final: false, saveMs: 0 };
  /** Where the log is read on: nothing in front of it is left to any lane. */
  let position = Infinity;
  let settled = false;
  let paused = false;
  let unreached: string | undefined;
  let attempts = 0;
  let running: Promise<void> | undefined;
  let reportedAt = Number.NEGATIVE_INFINITY;

  /** Lanes whose last record is not the log's are left. What came in place of lost records is new to the others. */
  async function compareIdentities(): Promise<void> {
    for (const lane of roster.open.values()) {
      await lane.compareIdentity().catch((error) => roster.stop(lane.tenant, error));
    }
    position = Math.min(position, ...[...roster.open.values()].map((lane) => lane.position + 1));
  }

  async function readOn(): Promise<readonly LogRecord[]> {
    try {
      return await records.read(position, limits);
    } catch (error) {
      if (!(error instanceof LogTrimmedError)) throw error;
      await compareIdentities();
      position = Math.max(position, (await records.bounds()).first);
      return [];
    }
  }

  function work(batch: readonly LogRecord[]): void {
    for (const [tenant, entries] of Map.groupBy(batch, (record) => record.key)) {
      // Some at a time: what they were decoded into is garbage before V8 has moved it to where it costs more to collect.
      for (let from = 0; from < entries.length; from += recordsPerStep) {
        const lane = roster.open.get(tenant);
        if (lane) outbox.put(tenant, stepLane(lane, entries.slice(from, from + recordsPerStep)));
      }
    }
  }

  function stepLane(lane: Lane, entries: readonly LogRecord[]): Output[] {
    const ended = metrics.stepSeconds.startTimer();
    try {
      const fresh = entries.filter((record) => record.position > lane.position);
      const made = lane.step(fresh);
      metrics.records.inc({ tenant: lane.tenant }, fresh.length);
      return made;
    } catch (error) {
      roster.stop(lane.tenant, error);
      return [];
    } finally {
      ended();
    }
  }

  async function report(): Promise<void> {
    if (performance.now() - reportedAt < reportIntervalMs) return;
    reportedAt = performance.now();
    for (const lane of roster.open.values()) reportLane(metrics, lane.tenant, lane.summary(), Date.now());
    for (const tenant of tenants) metrics.working.set({ tenant }, roster.open.has(tenant) ? 1 : 0);
    const { next } = await records.bounds();
    if (next < position) await compareIdentities();
    metrics.recordLag.set({ partition }, Math.max(0, next - position));
  }

  /** Resolves to whether there was anything to do. */
  async function turn(): Promise<boolean> {
    await outbox.send();
    if (unreached) await compareIdentities();
    unreached = undefined;
    for (const lane of roster.admit()) {
      position = Math.min(position, lane.position + 1);
      reportedAt = Number.NEGATIVE_INFINITY;
    }
    settled ||= roster.settled;
    paused = options.outputsFull?.() ?? false;
    const batch = paused || roster.open.size === 0 ? [] : await readOn();
    if (batch.length > 0) {
      work(batch);
      position = batch.at(-1)!.position + 1;
      await outbox.send();
    }
    saving.begin(roster.open.values(), roster.handOver);
    publishing?.begin(roster.open.values());
    await report();
    return batch.length > 0;
  }

  /** Resolves to how long to pause. That the logs are not reached ends nothing, however long it lasts. */
  async function attempt(): Promise<number> {
    try {
      const worked = await turn();
      attempts = 0;
      return worked ? 0 : pollIntervalMs;
    } catch (error) {
      if (!(error instanceof LogUnavailableError)) throw error;
      if (!unreached) logger.warn({ err: error, partition }, 'log not reached; it is tried again');
      unreached = error.message;
      return Math.min(retryIntervalMsMax, retryIntervalMs * 2 ** attempts++);
    }
  }

  async function isLeft(): Promise<boolean> {
    if (!outbox.isEmpty) return true;
    return position < (await records.bounds().catch(() => ({ next: Infinity }))).next;
  }

  async function loop({ signal }: AbortController): Promise<void> {
    while (!signal.aborted || (performance.now() < ending.atMs && (await isLeft()))) {
      const pauseMs = await attempt();
      if (pauseMs > 0) await wait(pauseMs, undefined, signal.aborted ? {} : { signal }).catch(() => {});
    }
    await finish();
    roster.suspend();
  }

  async function finish(): Promise<void> {
    const lanes = [...roster.open.values()];
    for (const tenant of tenants) await forgetLane(metrics, tenant);
    metrics.recordLag.remove({ partition });
    // A state that is ahead of the outputs must not be saved: what it led to would never be written again.
    if (!outbox.isEmpty)
      return logger.warn({ partition }, 'outputs not written; the lanes are replayed at the next start');
    const saved = saving.finish(lanes, ending.final);
    await (ending.saveMs === Infinity ? saved : Promise.race([saved, wait(ending.saveMs, undefined, { ref: false })]));
  }

  async function end(how: Ending): Promise<void> {
    ending = how;
    stopping.abort();
    await running?.catch(() => {});
  }

  return {
    run() {
      if (running) return running;
      stopping = new AbortController();
      position = Infinity;
      running = loop(stopping).finally(() => {
        running = undefined;
      });
      return running;
    },
    stop: (deadlineMs = 0) => end({ atMs: performance.now() + deadlineMs, final: true, saveMs: Infinity }),
    leave: (deadlineMs = 5_000) => end({ atMs: 0, final: false, saveMs: deadlineMs }),
    lanes: roster.statuses,
    stateOf: (tenant) => roster.open.get(tenant)?.state,
    troubles: () => [
      ...(settled ? [] : ['worker: the lanes are not open yet']),
      ...(unreached ? [`worker: the log is not reached: ${unreached}`] : []),
      ...(paused ? ['worker: it waits, since the outputs that ClickHouse has not taken fill their space'] : []),
      ...saving.troubles().map((trouble) => `worker: ${trouble}`),
      ...Object.entries(roster.statuses()).flatMap(([tenant, { stopped }]) =>
        stopped ? [`worker: lane ${tenant} stopped: ${stopped}`] : [],
      ),
    ],
  };
}
