/**
 * The way of the journal's records into one partition.
 *
 * 1. One append is on its way at a time, and it is repeated until it is acknowledged: the records of a lane arrive in
 *    the order of the journal, each at least once.
 * 2. What a lane has lost is sent again beside what is new, in turn with it: `resend` holds back that lane's new records
 *    until the older ones have arrived, and nobody else's.
 */
import { headersOfPlace } from '../../core/records/cloudevents.ts';
import { type Place, placeOfAnyVersion } from '../../core/records/place.ts';
import type { Log, LogRecord, NewRecord } from '../../ports/log/log.ts';
import type { ForwarderMetrics } from '../../telemetry.ts';
import { type Backlog, createBacklog } from './backlog.ts';
import type { JournalReader } from './reader.ts';
import type { Retry } from './retry.ts';

export type Partition = Pick<Log, 'append'>;

export interface Route {
  /** What has not been acknowledged yet. */
  readonly backlog: Backlog;
  /** Everything of the tenant before this position of the journal was acknowledged. */
  positionOf(tenant: string): number;
  /**
   * Sends the tenant's records again from a position on, behind those that stand in for what could not be read. Resolves
   * with the lane's position of the last one.
   */
  resend(tenant: string, from: number, standIns: readonly NewRecord[]): Promise<number>;
  /** There is more to read. */
  wake(): void;
  run(signal: AbortSignal): Promise<void>;
}

export interface RouteOptions {
  partition: Partition;
  reader: Pick<JournalReader, 'position' | 'read'>;
  /** Where in the journal to begin. */
  position: number;
  owns(tenant: string): boolean;
  /** Records that need not be sent. */
  passesOver(position: number, place: Place): boolean;
  retry: Retry;
  metrics: ForwarderMetrics;
  batchRecordsMax: number;
  batchBytesMax: number;
}

/** A place in the journal up to which records have been acknowledged: all of them, or one lane's that are sent again. */
interface Cursor {
  position: number;
  readonly resend?: {
    readonly tenant: string;
    /** Records from here on were not sent before. */
    readonly newFrom: number;
    /** They go first. */
    standIns: readonly NewRecord[];
    /** Position of the newest one in the lane. */
    sentTo: number;
    readonly done: (sentTo: number) => void;
  };
}

/** Of a turn: who finds nothing to send would follow a busy journal for ever, and nobody else had a turn. */
const readsMax = 4;

type Outgoing = NewRecord & { position: number; receivedAt: number };

export function createRoute(options: RouteOptions): Route {
  const { partition, reader, retry, metrics } = options;
  const backlog = createBacklog();
  const main: Cursor = { position: options.position };
  const resends: Cursor[] = [];
  /** What is to be sent again from the next turn on: what is in hand now is finished first. */
  const asked: { from: number; resend: Omit<NonNullable<Cursor['resend']>, 'newFrom' | 'sentTo'> }[] = [];
  let turns = 0;
  let wake = () => {};

  const resendOf = (tenant: string) => resends.find(({ resend }) => resend?.tenant === tenant);

  function takes({ resend }: Cursor, tenant: string): boolean {
    if (resend) return resend.tenant === tenant;
    return options.owns(tenant) && !resendOf(tenant);
  }

  const isNew = ({ resend }: Cursor, position: number) => !resend || position >= resend.newFrom;
  const endOf = ({ resend }: Cursor) => (resend ? main.position : reader.position);

  function prepare(cursor: Cursor, record: LogRecord): Outgoing | undefined {
    const place = placeOfAnyVersion(record.frame);
    if (!options.passesOver(record.position, place)) return outgoing(record, place);
    if (isNew(cursor, record.position)) backlog.remove(record, place.receivedAt);
    return undefined;
  }

  /** The next batch of a cursor, and where the cursor is once it has been acknowledged. */
  async function gather(cursor: Cursor): Promise<{ batch: Outgoing[]; position: number }> {
    const batch: Outgoing[] = [];
    let bytes = 0;
    let { position } = cursor;
    // Not for long: what another partition has just read is at hand for a while only.
    for (let reads = 0; position < endOf(cursor) && reads < readsMax; reads++) {
      const { records, next } = await reader.read(position);
      if (next === position) break;
      for (const record of records) {
        if (record.position >= endOf(cursor)) return { batch, position: record.position };
        const taken = takes(cursor, record.key) ? prepare(cursor, record) : undefined;
        if (taken) {
          bytes += taken.frame.length;
          const full = bytes > options.batchBytesMax || batch.length === options.batchRecordsMax;
          if (full && batch.length > 0) return { batch, position: record.position };
          batch.push(taken);
        }
      }
      position = next;
    }
    return { batch, position };
  }

  function acknowledge(cursor: Cursor, batch: readonly Outgoing[], first: number): void {
    const fresh = batch.filter(({ position }) => isNew(cursor, position));
    for (const record of fresh) backlog.remove(record, record.receivedAt);
    metrics.forwarded.inc(fresh.length);
    metrics.resent.inc(batch.length - fresh.length);
    if (cursor.resend) cursor.resend.sentTo = first + batch.length - 1;
  }

  async function standIn(resend: NonNullable<Cursor['resend']>): Promise<void> {
    const batch = resend.standIns.slice(0, options.batchRecordsMax);
    const first = await retry(() => partition.append(batch));
    if (first === undefined) return;
    metrics.resent.inc(batch.length);
    resend.sentTo = first + batch.length - 1;
    resend.standIns = resend.standIns.slice(batch.length);
  }

  async function forward(cursor: Cursor): Promise<void> {
    if (cursor.resend && cursor.resend.standIns.length > 0) return standIn(cursor.resend);
    const { batch, position } = await gather(cursor);
    if (batch.length > 0) {
      const first = await retry(() => partition.append(batch));
      if (first === undefined) return;
      acknowledge(cursor, batch, first);
    }
    cursor.position = position;
    if (!cursor.resend || position < main.position) return;
    resends.splice(resends.indexOf(cursor), 1);
    cursor.resend.done(cursor.resend.sentTo);
  }

  return {
    backlog,
    positionOf: (tenant) => resendOf(tenant)?.position ?? main.position,
    resend(tenant, from, standIns) {
      return new Promise((done) => {
        asked.push({ from, resend: { tenant, standIns, done } });
        wake();
      });
    },
    wake: () => wake(),
    async run(signal) {
      signal.addEventListener('abort', () => wake(), { once: true });
      while (!signal.aborted) {
        for (const { from, resend } of asked.splice(0)) {
          resends.push({ position: from, resend: { ...resend, newFrom: main.position, sentTo: -1 } });
        }
        if (resends.length === 0 && main.position >= reader.position) {
          backlog.clear();
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        } else {
          await forward([main, ...resends][turns++ % (resends.length + 1)]!);
        }
      }
    },
  };
}

/** A copy: the frame is a view of a whole commit, which would stay in memory for as long as this one record waits. */
function outgoing({ key, frame, position }: LogRecord, place: Place): Outgoing {
  return { key, frame: new Uint8Array(frame), headers: headersOfPlace(place), position, receivedAt: place.receivedAt };
}
