/**
 * The sink: takes outputs in order, and upserts them into ClickHouse by id and version.
 *
 * It keeps no position of its own. What is in ClickHouse is trimmed from the outputs some minutes later, and the sink
 * begins with the oldest output that is left: after a restart of either side those minutes are written again, which
 * changes nothing, since ClickHouse keeps an id's highest version and its inserts are not synced to disk.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { decode, headerBytes, kindOf, type OutputKind, schemaIdOf } from '../core/records/codec.ts';
import type { Log, LogRecord } from '../ports/log/log.ts';
import { type Warehouse, WarehouseError } from '../ports/warehouse/warehouse.ts';
import type { SinkMetrics } from '../telemetry.ts';

export interface SinkOptions {
  outputs: Log;
  warehouse: Warehouse;
  metrics: SinkMetrics;
  logger: Logger;
  /** A batch is written when it has this many bytes or records, or its first record has waited this long. */
  batchBytesMax?: number;
  batchRecordsMax?: number;
  batchAgeMsMax?: number;
  /** How much of what is in ClickHouse is kept to be written again. */
  keepMs?: number;
  retryDelayMsMax?: number;
}

export interface Sink {
  /** Runs until `stop`; retries what can be retried for as long as it takes. */
  run(): Promise<void>;
  /** Writes what is there, then lets `run` resolve; gives up at `deadlineMs`. */
  stop(deadlineMs?: number): Promise<void>;
  /** Why it does not do its work now; empty when it does. */
  troubles(): string[];
}

/** Rows of one table under one version of its schema: what one insert takes. */
interface Block {
  kind: OutputKind;
  schemaId: number;
  bodies: Uint8Array[];
}

const pollIntervalMs = 20;
const latencySamplesPerBatch = 100;

export function createSink(options: SinkOptions): Sink {
  const { outputs, warehouse, metrics, logger } = options;
  const limits = { records: options.batchRecordsMax ?? 20_000, bytes: options.batchBytesMax ?? 8 * 1024 * 1024 };
  const batchAgeMsMax = options.batchAgeMsMax ?? 250;
  const keepMs = options.keepMs ?? 15 * 60_000;
  const retryDelayMsMax = options.retryDelayMsMax ?? 10_000;
  const stopping = new AbortController();
  const givingUp = new AbortController();
  const pause = (ms: number) => wait(ms, undefined, { signal: stopping.signal }).catch(() => {});
  const history = createHistory(keepMs);
  const troubles = new Map([['schema', 'the tables are not there yet']]);
  /** Every record that is there now and was not then is younger. */
  let readAt = performance.now();
  let running: Promise<void> | undefined;

  /** Reads a full batch, or what there is once its first record has waited long enough. */
  async function collect(from: number): Promise<readonly LogRecord[]> {
    const dueAt = readAt + batchAgeMsMax;
    readAt = performance.now();
    const batch = await outputs.read(from, limits);
    if (batch.length === 0 || isFull(batch, limits) || stopping.signal.aborted || readAt >= dueAt) return batch;
    await pause(dueAt - readAt);
    readAt = performance.now();
    return outputs.read(from, limits);
  }

  /**
   * Calls the warehouse until it takes what it is given. Returns false when it could not be reached meanwhile: it may
   * have been restarted.
   */
  async function persist(target: string, call: () => Promise<void>): Promise<boolean> {
    let steady = true;
    for (let attempt = 0; ; attempt++) {
      try {
        await call();
        troubles.delete(target);
        metrics.blocked.set(troubles.size > 0 ? 1 : 0);
        return steady;
      } catch (error) {
        if (!(error instanceof WarehouseError)) throw error;
        steady &&= error.code !== 'WAREHOUSE_UNAVAILABLE' && error.code !== 'WAREHOUSE_TIMEOUT';
        const delayMs = Math.min(retryDelayMsMax, 100 * 2 ** Math.min(attempt, 10));
        report(error, { target, attempt, delayMs });
        await wait(delayMs, undefined, { signal: givingUp.signal });
      }
    }
  }

  function report(error: WarehouseError, what: { target: string; attempt: number; delayMs: number }): void {
    metrics.retries.inc({ code: error.code });
    metrics.blocked.set(1);
    troubles.set(what.target, `ClickHouse does not take what it is given: ${error.message}`);
    const fields = { err: error, ...what };
    // The first tries are no news: ClickHouse takes longer to start than the sink.
    const level = what.attempt < 4 ? 'info' : 'warn';
    if (error.retryable) logger[level](fields, 'ClickHouse call failed; it is tried again');
    else logger.error(fields, 'ClickHouse refuses; nothing is lost, and it is tried until it takes it');
  }

  /** Fills the tables side by side: each insert waits mostly for its disk. Tables know no order between them. */
  async function write(batch: readonly LogRecord[]): Promise<boolean> {
    const written = blocksOf(batch).map(async ({ kind, schemaId, bodies }) => {
      const steady = await persist(kind, async () => {
        const ended = metrics.insertSeconds.startTimer();
        await warehouse.insert(kind, schemaId, bodies);
        ended();
      });
      metrics.rows.inc({ table: kind }, bodies.length);
      return steady;
    });
    return (await Promise.all(written)).every(Boolean);
  }

  async function loop(): Promise<void> {
    await persist('schema', () => warehouse.migrate());
    const start = await outputs.bounds();
    let position = start.first;
    let newest = start.next;
    while (!stopping.signal.aborted || position < (await outputs.bounds()).next) {
      const batch = await collect(position);
      if (batch.length === 0) {
        await trim(outputs, history.due());
        await pause(pollIntervalMs);
        continue;
      }
      const steady = await write(batch);
      position = batch.at(-1)!.position + 1;
      observeLatency(metrics, batch, newest);
      newest = Math.max(newest, position);
      metrics.position.set(position - 1);
      metrics.lagRecords.set((await outputs.bounds()).next - position);
      if (steady) history.add(position);
      else {
        // What was acknowledged before a restart of ClickHouse may not have been on its disk.
        position = (await outputs.bounds()).first;
        logger.info({ position }, 'ClickHouse is back; what it may have lost is written again');
      }
      await trim(outputs, history.due());
    }
  }

  return {
    run() {
      running ??= loop().catch((error) => {
        if (!givingUp.signal.aborted) throw error;
        logger.warn('stopped before everything was in ClickHouse; it is written at the next start');
      });
      return running;
    },
    async stop(deadlineMs = 10_000) {
      stopping.abort();
      const timer = setTimeout(() => givingUp.abort(), deadlineMs);
      await running?.catch(() => {});
      clearTimeout(timer);
    },
    troubles: () => [...new Set(troubles.values())].map((trouble) => `sink: ${trouble}`),
  };
}

async function trim(outputs: Log, position: number | undefined): Promise<void> {
  if (position !== undefined) await outputs.trim(position);
}

function isFull(batch: readonly LogRecord[], limits: { records: number; bytes: number }): boolean {
  if (batch.length >= limits.records) return true;
  // A read ends before the record that would exceed its bytes: nine tenths of them are as good as all.
  return batch.reduce((bytes, record) => bytes + record.frame.length, 0) >= limits.bytes * 0.9;
}

/** Rows by table and schema, in the order of the log. */
function blocksOf(batch: readonly LogRecord[]): Block[] {
  const blocks = new Map<number, Block>();
  for (const { frame } of batch) {
    const schemaId = schemaIdOf(frame);
    let block = blocks.get(schemaId);
    if (!block) {
      block = { kind: kindOf(schemaId) as OutputKind, schemaId, bodies: [] };
      blocks.set(schemaId, block);
    }
    block.bodies.push(frame.subarray(headerBytes));
  }
  return [...blocks.values()];
}

/** Looks at some deliveries that this sink has written for the first time. */
function observeLatency(metrics: SinkMetrics, batch: readonly LogRecord[], newest: number): void {
  const now = Date.now();
  const deliveries = batch.filter(
    ({ position, frame }) => position >= newest && kindOf(schemaIdOf(frame)) === 'delivery',
  );
  const stride = Math.ceil(deliveries.length / latencySamplesPerBatch);
  for (let index = 0; index < deliveries.length; index += stride) {
    const { kind, value } = decode(deliveries[index]!.frame);
    if (kind === 'delivery') metrics.endToEndSeconds.observe(Math.max(0, now - value.received_at) / 1000);
  }
}

/** Remembers when which position was reached, to know what has been in ClickHouse for long enough. */
function createHistory(keepMs: number) {
  const marks: { at: number; position: number }[] = [];
  const stepMs = keepMs / 100;
  return {
    add(position: number): void {
      const at = performance.now();
      if (at - (marks.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= stepMs) marks.push({ at, position });
    },
    /** The position up to which the outputs can go now; undefined where there is nothing new. */
    due(): number | undefined {
      let position: number | undefined;
      while (marks[0] && performance.now() - marks[0].at >= keepMs) position = marks.shift()!.position;
      return position;
    },
  };
}
