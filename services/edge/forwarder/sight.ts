import { setImmediate as breathe } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type Place, placeOfAnyVersion } from '../../core/records/place.ts';
import type { LogRecord } from '../../ports/log/log.ts';
import type { Progress } from '../../ports/progress/progress.ts';
import { type Boots, createBoots, type GoneRecords, type LostRecord, type Worked, workedOf } from './boots.ts';
import { createCoverage } from './coverage.ts';
import { createHeld, type Held, heldBy } from './held.ts';
import type { Saved } from './hint.ts';
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
  saved(): Saved;
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
  /** What `saved` of an earlier one gave. */
  saved: Saved;
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
  /** What the snapshots hold that were seen. */
  readonly held: Held;
  /** How it is known that the lane was restored; undefined while nothing tells so. */
  restored: string | undefined;
  asked: boolean;
  /** What is said before the lane has been worked on up to here knows nothing of what was sent again. */
  quietUntil: number;
}

export function createSight(options: SightOptions): Sight {
  const { readJournal, lacksBefore, routes, trouble, logger, now } = options;
  const lanes = new Map<string, LaneSight>(options.tenants.map((tenant) => [tenant, createLaneSight(tenant, options)]));
  const coverage = createCoverage(readJournal, options.coveredTo, ({ key, position, frame }) =>
    lanes.has(key) ? passes(placeOfAnyVersion(frame)) : position < routes.of(key)!.positionOf(key),
  );

  function isCovered(place: Place): boolean {
    const lane = lanes.get(place.tenant);
    return lane?.covered !== undefined && lane.boots.holds(lane.covered, place, now());
  }

  /** What coverage goes past is held from the same moment: a hint may be saved, and be the last one, at any other. */
  function passes(place: Place): boolean {
    const lane = lanes.get(place.tenant)!;
    if (!isCovered(place)) return false;
    lane.held.learn(lane.covered!, place);
    return true;
  }

  async function ask(lane: LaneSight): Promise<void> {
    try {
      const { live, covered } = await options.progress.latest(lane.tenant);
      lane.live = live && { position: live.position, worked: workedOf(live.producers) };
      lane.covered = covered && heldBy(workedOf(covered.producers), workedOf(live?.producers));
      lane.restored = restoredBy(lane, covered?.position, now());
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
    if (!live || live.position < quietUntil) return;
    const gone = boots.gone(live.worked, now());
    if (gone) await tellGone(lane, gone, signal);
    const lost = boots.lost(live.worked, now());
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
   * What a lane lacks was covered when this began, or the journal has let go of it. Rejects with LaneRestoredError where the
   * journal has some of it all the same: it is to be read from its beginning.
   */
  async function tellGone(lane: LaneSight, gone: GoneRecords, signal: AbortSignal): Promise<void> {
    const { tenant, boots } = lane;
    const { boot, seq, count, before } = gone;
    const isOne = ({ key, frame }: LogRecord) => {
      if (key !== tenant) return false;
      const place = placeOfAnyVersion(frame);
      return place.boot === boot && place.seq >= seq;
    };
    for (let position = 0; position < before; ) {
      const { records, next } = await readJournal(position);
      if (signal.aborted) return;
      if (records.some((record) => record.position < before && isOne(record)))
        throw restoredError(tenant, `lacks ${count} records from number ${seq} of boot ${boot} on that were covered`);
      if (next === position) break;
      position = next;
      await breathe();
    }
    logger.error({ tenant, boot, seq, missing: count }, 'A lane has lost records that are in the journal no longer');
    boots.giveUp(gone);
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
    saved: () => ({
      savedAt: Object.fromEntries(
        [...lanes].flatMap(([tenant, { savedAt }]): [string, number][] => (savedAt < 0 ? [] : [[tenant, savedAt]])),
      ),
      held: Object.fromEntries([...lanes].map(([tenant, { held }]) => [tenant, held.all()])),
    }),
    async look(signal) {
      await Promise.all([...lanes.values()].map(ask));
      for (const { tenant, restored } of lanes.values()) if (restored) throw restoredError(tenant, restored);
      await coverage.advance(signal);
      for (const lane of lanes.values()) {
        lane.boots.forget(coverage.position);
        await repair(lane, signal);
      }
    },
  };
}

function createLaneSight(tenant: string, { lacksBefore, saved }: SightOptions): LaneSight {
  return {
    tenant,
    boots: createBoots(lacksBefore),
    live: undefined,
    covered: undefined,
    savedAt: saved.savedAt[tenant] ?? -1,
    held: createHeld(saved.held[tenant]),
    restored: undefined,
    asked: false,
    quietUntil: -1,
  };
}

/** How what is said of a lane shows that it was restored: its snapshot is an earlier one, or less is known than was held. */
function restoredBy({ live, covered, savedAt, held }: LaneSight, position: number | undefined, nowMs: number) {
  if (position !== undefined && position < savedAt)
    return `was saved at position ${savedAt}, and is saved at ${position} now`;
  const missing = (live && held.missing(live.worked, nowMs)) ?? (covered && held.missing(covered, nowMs));
  if (!missing) return undefined;
  const { boot, seq, workedSeq } = missing;
  return `was saved with number ${seq} of boot ${boot}, and knows ${workedSeq < 0 ? 'none' : `up to ${workedSeq}`} of it now`;
}

function restoredError(tenant: string, found: string): LaneRestoredError {
  return new LaneRestoredError(
    `Lane ${tenant} ${found}: it was restored from a backup. What the journal still has is sent again`,
  );
}
