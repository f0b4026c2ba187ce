import type { Logger } from 'pino';
import { placeOfAnyVersion } from '../core/records/place.ts';
import type { Checkpoints } from '../ports/checkpoints/checkpoints.ts';
import type { Log } from '../ports/log/log.ts';
import { createReminder } from './reminder.ts';

export interface RetentionOptions {
  log: Log;
  /** What lies before this position can be restored from checkpoints. */
  covered: () => Promise<number>;
  /** Where lanes are elsewhere: what lies before this position is there, though it may be lost there. */
  acknowledged?: (() => number) | undefined;
  /** So many records were let go that were acknowledged and not covered. */
  onLetGo?: ((records: number) => void) | undefined;
  /** Where the journal is the log of the lanes: the last position before one from which they can all be worked on anew. */
  replayable?: ((position: number) => Promise<number>) | undefined;
  retentionMs: number;
  /** Size of the journal on disk. */
  journalBytes: () => number;
  /** High-water mark: above it deliveries are answered 503. */
  journalBytesMax: number;
}

/** Above this part of the high-water mark the journal gives up its retention rather than a delivery. */
const pressedAt = 0.7;
/** What is let go although it is not covered goes in so many steps. */
const letGoSteps = 16;
const lookIntervalMs = 1_000;
const trimIntervalMs = 60_000;

/**
 * Up to where two checkpoints of every lane cover the log that they were taken of: should the newest turn out to be
 * damaged, a lane is restored from the one before it.
 */
export async function coveredByCheckpoints(checkpoints: Checkpoints, lanes: readonly string[]): Promise<number> {
  const positions = await Promise.all(lanes.map(async (lane) => (await checkpoints.list(lane)).at(-2) ?? -1));
  return Math.min(...positions.map((position) => position + 1));
}

/** Every lane has a checkpoint that nothing which is trimmed before the position follows. */
export async function replayableFrom(
  checkpoints: Checkpoints,
  lanes: readonly string[],
  position: number,
): Promise<number> {
  const bases = lanes.map(async (lane) => (await checkpoints.list(lane)).findLast((kept) => kept < position) ?? -1);
  return Math.min(position, ...(await Promise.all(bases)).map((kept) => kept + 1));
}

/**
 * Lets go of records that are covered and older than the retention, up to where lanes can be worked on anew; whatever
 * their age, while the journal is above 70 % of its high-water mark. If that is not enough, of what is not covered the oldest
 * goes that was acknowledged, for a full journal takes nothing in for anybody; what was not acknowledged always stays.
 *
 * @param nowMs wall clock, epoch milliseconds
 */
export async function trimJournal(options: RetentionOptions, nowMs: number): Promise<void> {
  const { log, covered, retentionMs, replayable = async (position) => position } = options;
  const expired = isPressed(options) ? Infinity : await replayable(await firstReceivedAfter(log, nowMs - retentionMs));
  const coveredTo = await covered();
  await log.trim(Math.min(expired, coveredTo));
  if (isPressed(options)) await letGo(options, coveredTo);
}

/** Little by little: no more than must go. */
async function letGo(options: RetentionOptions, coveredTo: number): Promise<void> {
  const { log, acknowledged = () => 0, onLetGo } = options;
  const { first } = await log.bounds();
  const from = Math.max(first, coveredTo);
  const room = acknowledged() - from;
  for (let step = 1; step <= letGoSteps && room > 0 && isPressed(options); step++) {
    await log.trim(from + Math.ceil((room * step) / letGoSteps));
  }
  const records = (await log.bounds()).first - from;
  if (records > 0) onLetGo?.(records);
}

/**
 * Trims the journal once a minute, and once a second while it is above 70 % of its high-water mark: one that is small
 * against its traffic would be full before the minute is over. Returns what ends it.
 */
export function keepTrimmed(options: RetentionOptions & { logger: Logger }): () => void {
  let trimming = false;
  let trimmedMs = Date.now();
  const reminder = createReminder(() => performance.now());
  const letGoReminder = createReminder(() => performance.now());
  let unsaid = 0;

  function onLetGo(records: number): void {
    options.onLetGo?.(records);
    unsaid += records;
    if (!letGoReminder.due()) return;
    options.logger.error(
      { records: unsaid },
      'The journal is filling up: it lets go of records that Kafka has acknowledged and no checkpoint covers. ' +
        'Should Kafka lose them, nobody can send them again. See which lane has no new checkpoints, and why',
    );
    unsaid = 0;
  }

  async function trim(): Promise<void> {
    const nowMs = Date.now();
    const due = Math.abs(nowMs - trimmedMs) >= trimIntervalMs || isPressed(options);
    if (!due || trimming) return;
    trimming = true;
    trimmedMs = nowMs;
    try {
      await trimJournal({ ...options, onLetGo }, nowMs);
    } catch (error) {
      if (reminder.due()) options.logger.error({ err: error }, 'journal could not be trimmed; it is tried again');
    } finally {
      trimming = false;
    }
  }

  const timer = setInterval(trim, lookIntervalMs);
  return () => clearInterval(timer);
}

function isPressed({ journalBytes, journalBytesMax }: RetentionOptions): boolean {
  return journalBytes() > journalBytesMax * pressedAt;
}

/** Position of the first record received at or after an instant: received_at only grows in a journal, so halves do. */
async function firstReceivedAfter(log: Log, instantMs: number): Promise<number> {
  let { first: low, next: high } = await log.bounds();
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const receivedAt = await receivedAtOf(log, middle);
    if (receivedAt !== undefined && receivedAt < instantMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Undefined where it cannot be read: as if it were young, it stays until another one is looked at in its stead. */
async function receivedAtOf(log: Log, position: number): Promise<number | undefined> {
  try {
    const [record] = await log.read(position, { records: 1, bytes: 1 });
    return record && placeOfAnyVersion(record.frame).receivedAt;
  } catch {
    return undefined;
  }
}
