import type { LogRecord } from '../../ports/log/log.ts';

/** What a partition has not acknowledged yet: what would be lost with the disk. */
export interface Backlog {
  readonly records: number;
  readonly bytes: number;
  /** When the oldest of them was received, or shortly before; epoch milliseconds. Undefined while there are none. */
  readonly oldestAt: number | undefined;
  add(record: Pick<LogRecord, 'frame'>, receivedAt: number): void;
  remove(record: Pick<LogRecord, 'frame'>, receivedAt: number): void;
  /** Nothing waits any more: what was damaged after it had been added never will leave. */
  clear(): void;
}

export function createBacklog(): Backlog {
  const backlog = {
    records: 0,
    bytes: 0,
    oldestAt: undefined as number | undefined,
    add({ frame }: Pick<LogRecord, 'frame'>, receivedAt: number) {
      backlog.oldestAt ??= receivedAt;
      backlog.records++;
      backlog.bytes += frame.length;
    },
    remove({ frame }: Pick<LogRecord, 'frame'>, receivedAt: number) {
      backlog.records--;
      backlog.bytes -= frame.length;
      // They leave in order: the next one is not older than this one.
      backlog.oldestAt = backlog.records === 0 ? undefined : receivedAt;
    },
    clear() {
      Object.assign(backlog, { records: 0, bytes: 0, oldestAt: undefined });
    },
  };
  return backlog;
}
