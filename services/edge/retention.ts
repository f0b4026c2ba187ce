import { decode } from '../core/records/codec.ts';
import type { Checkpoints } from '../ports/checkpoints/checkpoints.ts';
import type { Log } from '../ports/log/log.ts';

export interface RetentionOptions {
  log: Log;
  checkpoints: Checkpoints;
  /** Tenants whose lanes the journal holds. */
  lanes: readonly string[];
  retentionMs: number;
  /** Wall clock, epoch milliseconds. */
  nowMs: number;
}

/** Lets go of records that are older than the retention and that a checkpoint of every lane covers. */
export async function trimJournal(options: RetentionOptions): Promise<void> {
  const { log, checkpoints, lanes, retentionMs, nowMs } = options;
  const covered = await Promise.all(lanes.map(async (lane) => (await checkpoints.list(lane)).at(-1) ?? -1));
  const expired = await firstReceivedAfter(log, nowMs - retentionMs);
  await log.trim(Math.min(expired, ...covered.map((position) => position + 1)));
}

/** Position of the first record received at or after an instant: received_at only grows in a journal, so halves do. */
async function firstReceivedAfter(log: Log, instantMs: number): Promise<number> {
  let { first: low, next: high } = await log.bounds();
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [record] = await log.read(middle, { records: 1, bytes: 1 });
    const value = record && decode(record.frame).value;
    if (value && 'received_at' in value && value.received_at < instantMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
