import type { LogRecord } from '../../ports/log/log.ts';
import type { ForwarderMetrics } from '../../telemetry.ts';
import type { Backlog } from './backlog.ts';

/** What waits behind an edge: also what cannot even be read now. */
export interface Gauges {
  /** Records that were read. */
  add(records: readonly LogRecord[]): void;
  /**
   * @param next position that the journal's next record will get
   * @param readTo everything before it was read
   */
  set(backlogs: readonly Backlog[], next: number, readTo: number, nowMs: number): void;
  /** Since when nothing more was read although there is more; undefined while all goes well. */
  readonly standingSince: number | undefined;
}

export function createGauges(metrics: ForwarderMetrics): Gauges {
  const read = { records: 0, bytes: 0 };
  let seenTo = -1;
  let standingSince: number | undefined;

  return {
    get standingSince() {
      return standingSince;
    },
    add(records) {
      read.records += records.length;
      read.bytes += records.reduce((sum, { frame }) => sum + frame.length, 0);
    },
    set(backlogs, next, readTo, nowMs) {
      const unread = Math.max(0, next - readTo);
      standingSince = unread > 0 && readTo === seenTo ? (standingSince ?? nowMs) : undefined;
      seenTo = readTo;
      const sum = (count: (backlog: Backlog) => number) =>
        backlogs.reduce((total, backlog) => total + count(backlog), 0);
      const meanBytes = read.bytes / Math.max(1, read.records);
      metrics.unforwardedRecords.set(sum(({ records }) => records) + unread);
      metrics.unforwardedBytes.set(sum(({ bytes }) => bytes) + Math.round(unread * meanBytes));
      const since = backlogs.map(({ oldestAt }) => oldestAt ?? nowMs);
      metrics.unforwardedSeconds.set(Math.max(0, nowMs - Math.min(nowMs, standingSince ?? nowMs, ...since)) / 1000);
    },
  };
}
