/**
 * The sink: takes outputs in order from its sources, and upserts them into ClickHouse by id and version.
 *
 * It keeps no position of its own. What is in ClickHouse is trimmed from a source some minutes later, and the sink begins
 * with the oldest output that is left: after a restart of either side those minutes are written again, which changes
 * nothing, since ClickHouse keeps an id's highest version and its inserts are not synced to disk.
 *
 * A round reads what all sources have, writes it by kind, and only then moves the sources on. A source that is not
 * reached is left out of it; a row that ClickHouse refuses is kept as a refusal.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { LogRecord } from '../ports/log/log.ts';
import { type Reading, readTogether } from '../ports/log/reader.ts';
import { storeRows } from '../ports/warehouse/refusals.ts';
import { type Warehouse, WarehouseError } from '../ports/warehouse/warehouse.ts';
import type { SinkMetrics } from '../telemetry.ts';
import { createSource, type SinkSource, type Source } from './source.ts';

export interface SinkOptions {
  /** To begin with: see `use`. */
  sources: readonly SinkSource[];
  warehouse: Warehouse;
  metrics: SinkMetrics;
  logger: Logger;
  /** What is written at once has at most so many bytes and records over all sources, and has waited at most so long. */
  batchBytesMax?: number;
  batchRecordsMax?: number;
  batchAgeMsMax?: number;
  /** How much of what is in ClickHouse is kept to be written again. */
  keepMs?: number;
  retryDelayMsMax?: number;
  /** How often ClickHouse is asked whether it was restarted. */
  restartCheckMs?: number;
}

export interface Sink {
  /** Runs until `stop`; retries what can be retried for as long as it takes. */
  run(): Promise<void>;
  /**
   * Takes the place of the sources so far, from the next round on. One that was there before, the same object, goes on
   * where it is; what was read of one that is not among them any more is still written.
   */
  use(sources: readonly SinkSource[]): void;
  /** Writes what is there, then lets `run` resolve; gives up at `deadlineMs`. */
  stop(deadlineMs?: number): Promise<void>;
  /** Why it does not do its work now; empty when it does. */
  troubles(): string[];
}

const pollIntervalMs = 20;
const tendIntervalMsMax = 2_000;

export function createSink(options: SinkOptions): Sink {
  const { warehouse, metrics, logger } = options;
  const limits = { records: options.batchRecordsMax ?? 20_000, bytes: options.batchBytesMax ?? 8 * 1024 * 1024 };
  const batchAgeMsMax = options.batchAgeMsMax ?? 250;
  const keepMs = options.keepMs ?? 15 * 60_000;
  const retryDelayMsMax = options.retryDelayMsMax ?? 10_000;
  const restartCheckMs = options.restartCheckMs ?? 2_000;
  let sources: readonly Source[] = [];
  const opened = new Map<SinkSource, Source>();
  const stopping = new AbortController();
  const givingUp = new AbortController();
  const stopped = new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve()));
  const pause = (ms: number) => wait(ms, undefined, { signal: stopping.signal }).catch(() => {});
  const troubles = new Map([['schema', 'the tables are not there yet']]);
  /** Every record that is there now and was not then is younger. */
  let readAt = performance.now();
  let running: Promise<void> | undefined;
  /** Runs of ClickHouse that are known. There may be several: replicas behind one address take turns. */
  const incarnations = new Set<string>();
  /** What was acknowledged before a restart of ClickHouse may not have been on its disk. */
  let restarted = false;
  /** Until then no restart is unknown: what was written shortly before one is kept for as long as ClickHouse is away. */
  let upAtMs = Number.NEGATIVE_INFINITY;

  function use(given: readonly SinkSource[]): void {
    for (const [source, { forget }] of opened) {
      if (given.includes(source)) continue;
      forget();
      opened.delete(source);
    }
    sources = given.map((source) => {
      const open = opened.get(source) ?? createSource(source, { keepMs, retryDelayMsMax, metrics, logger });
      opened.set(source, open);
      return open;
    });
  }

  /** Reads a full batch, or what there is once its first record has waited long enough. */
  async function collect(round: readonly Source[]): Promise<Reading> {
    const dueAt = readAt + batchAgeMsMax;
    readAt = performance.now();
    const reading = await readTogether(round, { ...limits, waitMs: batchAgeMsMax });
    const ready = reading.more || stopping.signal.aborted || performance.now() >= dueAt;
    if (reading.records === 0 || ready) return reading;
    await pause(dueAt - performance.now());
    readAt = performance.now();
    const rest = { records: limits.records - reading.records, bytes: limits.bytes - reading.bytes };
    const { batches, more } = await readTogether(round, rest);
    return { ...reading, more, batches: reading.batches.map((batch, index) => [...batch, ...batches[index]!]) };
  }

  /**
   * Calls the warehouse until it takes what it is given. Returns false when it could not be reached meanwhile: it may
   * have been restarted. Throws what is to be given up by `isFinal`.
   */
  async function persist(
    target: string,
    call: () => Promise<void>,
    isFinal: (error: WarehouseError) => boolean = () => false,
  ): Promise<boolean> {
    let steady = true;
    for (let attempt = 0; ; attempt++) {
      try {
        await call();
        settle(target);
        return steady;
      } catch (error) {
        if (!(error instanceof WarehouseError)) throw error;
        if (isFinal(error)) {
          settle(target);
          throw error;
        }
        steady &&= error.code !== 'WAREHOUSE_UNAVAILABLE' && error.code !== 'WAREHOUSE_TIMEOUT';
        const delayMs = Math.min(retryDelayMsMax, 100 * 2 ** Math.min(attempt, 10));
        report(error, { target, attempt, delayMs });
        await wait(delayMs, undefined, { signal: givingUp.signal });
      }
    }
  }

  function settle(target: string): void {
    troubles.delete(target);
    metrics.blocked.set(troubles.size > 0 ? 1 : 0);
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

  /** Returns false when ClickHouse may have been restarted meanwhile. */
  async function write(records: readonly LogRecord[]): Promise<boolean> {
    let steady = true;
    const insert: Warehouse['insert'] = async (kind, schemaId, bodies) => {
      const timed = async () => {
        const ended = metrics.insertSeconds.startTimer();
        await warehouse.insert(kind, schemaId, bodies);
        ended();
      };
      // A refusal that is refused is no fault of a row any more.
      const isFinal = ({ code }: WarehouseError) => code === 'WAREHOUSE_DATA' && kind !== 'refusal';
      if (!(await persist(kind, timed, isFinal))) steady = false;
    };
    const { rows, refusals } = await storeRows({ insert }, records, Date.now);
    for (const [table, count] of rows) metrics.rows.inc({ table }, count);
    for (const [table, refused] of Map.groupBy(refusals, (refusal) => refusal.table)) {
      metrics.refused.inc({ table }, refused.length);
      const { row, reason } = refused[0]!;
      logger.error({ table, rows: refused.length, row, reason }, 'rows were refused; hookwatch.sink_refused has them');
    }
    return steady;
  }

  async function fill(): Promise<void> {
    await persist('schema', () => warehouse.migrate());
    await persist('incarnation', recognise);
    for (;;) {
      const last = stopping.signal.aborted;
      if (restarted) rewind();
      const round = sources;
      const { batches, more } = await collect(round);
      const records = batches.flat();
      if (records.length === 0) {
        if (last) return;
        await pause(pollIntervalMs);
        continue;
      }
      const steady = await write(records);
      for (const [index, source] of round.entries()) source.written(batches[index]!);
      if (!steady) {
        // Now, or the run that is back would be one more reason to go back, later.
        await persist('incarnation', recognise);
        restarted = true;
      } else if (last && !more) return;
    }
  }

  /** Finds out whether this is a run of ClickHouse that was not there before. */
  async function recognise(): Promise<void> {
    const askedAtMs = performance.now();
    const incarnation = await warehouse.incarnation();
    restarted ||= incarnations.size > 0 && !incarnations.has(incarnation);
    incarnations.add(incarnation);
    if (!restarted) upAtMs = askedAtMs;
  }

  /** Between rounds: what one of them has read moves its sources on. */
  function rewind(): void {
    restarted = false;
    for (const source of sources) source.rewind();
    logger.info('ClickHouse is back; what it may have lost is written again');
  }

  /** A restart may fall between two inserts, so that neither fails. */
  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      const asked = recognise().catch((error) => {
        // Inserts say so, if there are any.
        if (!(error instanceof WarehouseError)) throw error;
      });
      await Promise.all([pause(restartCheckMs), Promise.race([asked, stopped])]);
    }
  }

  /** Beside the rounds, which need not wait for it. */
  async function tend(): Promise<void> {
    while (!stopping.signal.aborted) {
      await Promise.all(sources.map((source) => source.tend(upAtMs)));
      await pause(Math.min(tendIntervalMsMax, keepMs));
    }
  }

  use(options.sources);
  return {
    use,
    run() {
      running ??= Promise.race([Promise.all([fill(), tend(), watch()]), aborted(givingUp.signal)])
        .then(() => {})
        .catch((error) => {
          stopping.abort();
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
      for (const source of sources) source.forget();
    },
    troubles: () => [
      ...new Set([...troubles.values()].map((trouble) => `sink: ${trouble}`)),
      ...sources.flatMap((source) => {
        const trouble = source.trouble();
        return trouble === undefined ? [] : [`sink: ${source.name}: ${trouble}`];
      }),
    ],
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}
