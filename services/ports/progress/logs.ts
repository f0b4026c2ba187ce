/**
 * Progress as records of logs, framed, with the tenant as their key. A log holds that of several tenants, and the heads
 * of their snapshots besides, which a checkpoints backend writes there.
 */
import { decode, encode, FrameError } from '../../core/records/codec.ts';
import { type Log, type LogRecord, LogTrimmedError } from '../log/log.ts';
import { createProgressTally, type Progress } from './progress.ts';

export interface ProgressLogsOptions {
  /** The log of a tenant: one object for all tenants that share it. */
  log: (tenant: string) => Log;
  /** Told of records that cannot be read: they are passed over. */
  onDamage?: (error: unknown) => void;
  /** Epoch milliseconds. */
  now?: () => number;
}

interface LogReader {
  position: number;
  /** The newest read that has begun. */
  reading: Promise<void>;
  /** The one that begins when that has ended. */
  next: Promise<void> | undefined;
}

const limits = { records: 1_000, bytes: 1024 * 1024 };

/** Each log is read from its beginning once, and then on from where it ended. */
export function createLogsProgress({ log: logOf, onDamage, now = Date.now }: ProgressLogsOptions): Progress {
  const tally = createProgressTally();
  const readers = new Map<Log, LogReader>();

  function add({ frame }: LogRecord): void {
    try {
      const { kind, value } = decode(frame);
      if (kind === 'progress') tally.add(value);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      onDamage?.(error);
    }
  }

  async function readOn(log: Log, reader: { position: number }): Promise<void> {
    for (;;) {
      try {
        const records = await log.read(reader.position, limits);
        const last = records.at(-1);
        if (!last) return;
        for (const record of records) add(record);
        reader.position = last.position + 1;
      } catch (error) {
        if (!(error instanceof LogTrimmedError)) throw error;
        reader.position = (await log.bounds()).first;
      }
    }
  }

  /** One read after the other. One that has not begun sees all that was published before it was asked for: it is shared. */
  function catchUp(log: Log): Promise<void> {
    const reader = readers.get(log) ?? { position: 0, reading: Promise.resolve(), next: undefined };
    readers.set(log, reader);
    reader.next ??= reader.reading
      .catch(() => {})
      .then(() => {
        reader.next = undefined;
        reader.reading = readOn(log, reader);
        return reader.reading;
      });
    return reader.next;
  }

  return {
    async publish(progress) {
      const frame = encode('progress', { ...progress, published_at: now() });
      await logOf(progress.tenant).append([{ key: progress.tenant, frame }]);
    },
    async latest(tenant) {
      await catchUp(logOf(tenant));
      return tally.latest(tenant);
    },
  };
}
