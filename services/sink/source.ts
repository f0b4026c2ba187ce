import type { Logger } from 'pino';
import { kindOf, schemaIdOf } from '../core/records/codec.ts';
import { placeOf } from '../core/records/place.ts';
import { type Log, type LogRecord, LogUnavailableError } from '../ports/log/log.ts';
import { createReader, type Reader } from '../ports/log/reader.ts';
import type { SinkMetrics } from '../telemetry.ts';

/**
 * A log of outputs. What has been in ClickHouse for long enough is trimmed; where `bounds().first` lies is where the sink
 * begins, and goes back to. Over Kafka see createConsumedLog.
 */
export interface SinkSource {
  /** A label of metrics: `outputs`, `events/3`. */
  name: string;
  log: Log;
}

/** A source with how far it has come. */
export interface Source extends Pick<Reader, 'read' | 'trouble' | 'rewind'> {
  name: string;
  /** Says that these records, the last ones that were read, are in ClickHouse. */
  written(records: readonly LogRecord[]): void;
  /**
   * Lets go of what had been in ClickHouse for long enough when that was last known to be up, at `upAtMs` of the monotonic
   * clock, and measures how much is not there yet.
   */
  tend(upAtMs: number): Promise<void>;
  /** Its gauges go, for good: another sink may have the source now. */
  forget(): void;
}

export interface SourceOptions {
  /** How much of what is in ClickHouse is kept to be written again. */
  keepMs: number;
  retryDelayMsMax: number;
  metrics: SinkMetrics;
  logger: Logger;
}

const latencySamplesPerBatch = 100;

export function createSource({ name, log }: SinkSource, options: SourceOptions): Source {
  const { keepMs, metrics, logger, retryDelayMsMax } = options;
  const history = createHistory(keepMs);
  /** What lies behind it was not there when the sink started. */
  let newest: number | undefined;
  /** Everything before it is in ClickHouse. */
  let done: number | undefined;
  let forgotten = false;

  const reader = createReader({
    log,
    retryDelayMsMax,
    startAt({ first, next }) {
      newest ??= next;
      done = first;
      return first;
    },
    onTrimmed(records) {
      metrics.lost.inc({ source: name }, records);
      logger.error(
        { source: name, records },
        'outputs were let go before ClickHouse had them: rebuild brings them back',
      );
    },
    onUnavailable(error) {
      logger.info({ err: error, source: name }, 'outputs are not reached; it is tried again');
    },
  });

  return {
    name,
    read: reader.read,
    rewind() {
      reader.rewind();
      history.clear();
      // Nobody can tell up to where everything is in ClickHouse until it has been written again.
      metrics.position.remove({ source: name });
    },
    trouble: reader.trouble,
    written(records) {
      const last = records.at(-1);
      if (!last) return;
      observeLatency(metrics, records, newest ?? 0);
      done = last.position + 1;
      newest = Math.max(newest ?? 0, done);
      history.add(done);
      if (!forgotten) metrics.position.set({ source: name }, last.position);
    },
    async tend(upAtMs) {
      try {
        const due = history.due(upAtMs);
        if (due !== undefined) {
          await log.trim(due);
          history.settle(due);
        }
        const { next } = await log.bounds();
        if (done !== undefined && !forgotten) metrics.lagRecords.set({ source: name }, next - done);
      } catch (error) {
        // The reader will say so.
        if (!(error instanceof LogUnavailableError)) throw error;
      }
    },
    forget() {
      forgotten = true;
      metrics.position.remove({ source: name });
      metrics.lagRecords.remove({ source: name });
    },
  };
}

/** Looks at some deliveries that this sink has written for the first time. */
function observeLatency(metrics: SinkMetrics, batch: readonly LogRecord[], newest: number): void {
  const now = Date.now();
  const deliveries = batch.filter(({ position, frame }) => position >= newest && isDelivery(frame));
  const stride = Math.ceil(deliveries.length / latencySamplesPerBatch);
  for (let index = 0; index < deliveries.length; index += stride) {
    const receivedAt = receivedAtOf(deliveries[index]!.frame);
    if (receivedAt !== undefined) metrics.endToEndSeconds.observe(Math.max(0, now - receivedAt) / 1000);
  }
}

function isDelivery(frame: Uint8Array): boolean {
  try {
    return kindOf(schemaIdOf(frame)) === 'delivery';
  } catch {
    return false;
  }
}

/** Undefined where the frame is damaged: ClickHouse has refused it then. */
function receivedAtOf(frame: Uint8Array): number | undefined {
  try {
    return placeOf(frame).receivedAt;
  } catch {
    return undefined;
  }
}

/** Remembers when which position was reached, to know what has been in ClickHouse for long enough. */
function createHistory(keepMs: number) {
  let marks: { at: number; position: number }[] = [];
  const stepMs = keepMs / 100;
  return {
    add(position: number): void {
      const at = performance.now();
      if (at - (marks.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= stepMs) marks.push({ at, position });
    },
    /** The position up to which the outputs could go at a time; undefined where there is nothing new. */
    due(nowMs: number): number | undefined {
      return marks.findLast(({ at }) => nowMs - at >= keepMs)?.position;
    },
    /** Says that the outputs have gone up to a position. */
    settle(position: number): void {
      marks = marks.filter((mark) => mark.position > position);
    },
    clear(): void {
      marks = [];
    },
  };
}
