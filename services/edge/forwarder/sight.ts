import { setImmediate as breathe } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type Place, placeOfAnyVersion } from '../../core/records/place.ts';
import type { LogRecord } from '../../ports/log/log.ts';
import type { Progress } from '../../ports/progress/progress.ts';
import { type Boots, createBoots, type LostRecord, type Worked, workedOf } from './boots.ts';
import { createCoverage } from './coverage.ts';
import type { ReadJournal } from './reader.ts';
import type { Routes } from './routes.ts';
import { standInsFor } from './stand-ins.ts';
import type { Trouble } from './trouble.ts';

/** What workers say of this edge's lanes: what was lost on the way is sent again, and what is covered may be let go. */
export interface Sight {
  /** Everything in the journal before this position is covered. */
  readonly coveredTo: number;
  /** All lanes have been asked about at least once. */
  readonly complete: boolean;
  /** Takes a record of the journal into account, in its order. */
  add(place: Place, position: number): void;
  /** The newest snapshots but one say that the record was worked on. */
  isCovered(place: Place): boolean;
  /** Position of each lane's newest snapshot but one, as far as it was ever seen. */
  savedAt(): Record<string, number>;
  /**
   * Asks how far the lanes have been worked on. Called every few seconds. Rejects with LaneRestoredError where what was
   * covered is covered no longer.
   */
  look(signal: AbortSignal): Promise<void>;
}

/** A lane was restored from a backup: what was brought into it since is to be sent again, and nothing that was known of it holds. */
export class LaneRestoredError extends Error {
  readonly code = 'LANE_RESTORED';
}

export interface SightOptions {
  /** The lanes that are worked on. Those of tenants that are no longer configured hold nothing back. */
  tenants: readonly string[];
  progress: Pick<Progress, 'latest'>;
  /** Of what has been added. */
  readJournal: ReadJournal;
  /** Something before this position of the journal could not be read. */
  lacksBefore(position: number): boolean;
  /** Everything in the journal before it is covered. */
  coveredTo: number;
  /** What `savedAt` of an earlier one gave. */
  savedAt: Readonly<Record<string, number>>;
  routes: Pick<Routes, 'of'>;
  trouble: Trouble;
  logger: Logger;
  /** This edge's clock, epoch milliseconds. */
  now(): number;
}

interface LaneSight {
  readonly tenant: string;
  readonly boots: Boots;
  live: { position: number; worked: Worked } | undefined;
  covered: Worked | undefined;
  /** Position of the snapshot that says so, the highest that was seen. */
  savedAt: number;
  /** Position of one that is lower; undefined as long as there is none. */
  restoredAt: number | undefined;
  asked: boolean;
  /** What is said before the lane has been worked on up to here knows nothing of what was sent again. */
  quietUntil: number;
}

export function createSight(options: SightOptions): Sight {
  const { readJournal, lacksBefore, routes, trouble, logger, now } = options;
  const lanes = new Map<string, LaneSight>(options.tenants.map((tenant) => [tenant, createLaneSight(tenant, options)]));
  const coverage = createCoverage(readJournal, options.coveredTo, ({ key, position, frame }) =>
    lanes.has(key) ? isCovered(placeOfAnyVersion(frame)) : position < routes.of(key)!.positionOf(key),
  );

  function isCovered(place: Place): boolean {
    const lane = lanes.get(place.tenant);
    return lane?.covered !== undefined && lane.boots.holds(lane.covered, place, now());
  }

  async function ask(lane: LaneSight): Promise<void> {
    try {
      const { live, covered } = await options.progress.latest(lane.tenant);
      lane.live = live && { position: live.position, worked: workedOf(live.producers) };
      lane.covered = covered && workedOf(covered.producers);
      if (covered && covered.position < lane.savedAt) lane.restoredAt = covered.position;
      lane.savedAt = Math.max(lane.savedAt, covered?.position ?? -1);
      lane.asked = true;
      trouble.end(lane);
    } catch (error) {
      trouble.begin(lane, error);
    }
  }

  /** Sends a lane's records again from the first one that was lost. */
  async function repair(lane: LaneSight, signal: AbortSignal): Promise<void> {
    const { tenant, live, boots, quietUntil } = lane;
    const lost = live && live.position >= quietUntil ? boots.lost(live.worked, now()) : undefined;
    if (!lost) return;
    const route = routes.of(tenant)!;
    const found = await find(tenant, lost, route.positionOf(tenant), signal);
    if (!found) return;
    const { boot, seq } = lost;
    const missing = found.place.boot === boot ? found.place.seq - seq : Infinity;
    if (missing === Infinity || (missing > 0 && !lacksBefore(found.position))) {
      // A worker that has gone back finds in its lane what a snapshot holds.
      if ((lane.covered?.get(boot)?.last_seq ?? -1) >= seq) return;
      logger.error({ tenant, boot, seq }, 'A lane has lost records that are in the journal no longer');
      boots.giveUp(lost);
      return;
    }
    logger.warn({ tenant, boot, seq }, 'A lane has lost records: they are sent again');
    if (missing > 0) logger.error({ tenant, boot, seq, missing }, 'Ticks stand in for records that could not be read');
    lane.quietUntil = Number.POSITIVE_INFINITY;
    route.resend(tenant, found.position, standInsFor(found.place, seq)).then((sentTo) => {
      lane.quietUntil = sentTo;
    });
  }

  /**
   * Where in the journal a record stands, or what follows it in its lane where the journal does not hold it; undefined
   * where that has not been sent yet.
   */
  async function find(
    tenant: string,
    { boot, seq, from }: LostRecord,
    sentTo: number,
    signal: AbortSignal,
  ): Promise<{ position: number; place: Place } | undefined> {
    const isBefore = ({ key, frame }: LogRecord) => {
      if (key !== tenant) return true;
      const place = placeOfAnyVersion(frame);
      return place.boot === boot && place.seq < seq;
    };
    for (let position = Math.max(from, coverage.position); position < sentTo && !signal.aborted; ) {
      const { records, next } = await readJournal(position);
      const found = records.find((record) => !isBefore(record));
      if (found) return found.position < sentTo ? { ...found, place: placeOfAnyVersion(found.frame) } : undefined;
      if (next === position) return undefined;
      position = next;
      await breathe();
    }
    return undefined;
  }

  return {
    get coveredTo() {
      return coverage.position;
    },
    get complete() {
      return [...lanes.values()].every(({ asked }) => asked);
    },
    add(place, position) {
      lanes.get(place.tenant)?.boots.add(place, position);
    },
    isCovered,
    savedAt: () =>
      Object.fromEntries(
        [...lanes].flatMap(([tenant, { savedAt }]): [string, number][] => (savedAt < 0 ? [] : [[tenant, savedAt]])),
      ),
    async look(signal) {
      await Promise.all([...lanes.values()].map(ask));
      for (const { tenant, savedAt, restoredAt } of lanes.values()) {
        if (restoredAt === undefined) continue;
        throw new LaneRestoredError(
          `Lane ${tenant} was saved at position ${savedAt}, and is saved at ${restoredAt} now: it was restored from a backup. ` +
            'What the journal still has is sent again',
        );
      }
      await coverage.advance(signal);
      for (const lane of lanes.values()) {
        lane.boots.forget(coverage.position);
        await repair(lane, signal);
      }
    },
  };
}

function createLaneSight(tenant: string, { lacksBefore, savedAt }: SightOptions): LaneSight {
  return {
    tenant,
    boots: createBoots(lacksBefore),
    live: undefined,
    covered: undefined,
    savedAt: savedAt[tenant] ?? -1,
    restoredAt: undefined,
    asked: false,
    quietUntil: -1,
  };
}
