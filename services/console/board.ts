/**
 * What the page shows, in bounded memory: the newest rows of each column with their deliveries, and the newest
 * detections.
 *
 * 1. Each id is applied once per version: a repeat or a lower version changes nothing, `withdrawn` removes.
 * 2. What was pushed out as too old stays out: a replay does not bring it back, nor is it counted again (where it is
 *    older by a millisecond than what is left).
 * 3. Records that belong together may come in any order, for with Kafka each kind has a log of its own.
 * 4. `changesSince(cursor)` is computed from the state, so no reader needs a queue: one that is slow gets fewer,
 *    larger steps. It is undefined where the state cannot tell what was withdrawn in between.
 */
import type { DecodedRecord } from '../core/records/codec.ts';
import type { Delivery, Detection, Episode, Event, Reject } from '../core/records/generated.ts';
import { createDeliveryStore } from './deliveries.ts';
import { createNewestList, type NewestList } from './newest.ts';
import {
  type Column,
  columns,
  type DetectionRow,
  describeDetection,
  describeEvent,
  describeReject,
  type Evidence,
  isToldBy,
  type Row,
} from './row.ts';
import { createWaiting } from './waiting.ts';

/** Sums over all that was met since the console's own start, its backlog included. */
export interface Totals {
  events: number;
  rejects: number;
  detections: number;
  /** received_at of the oldest of them; null when there is none. */
  since: number | null;
}

/** One step of a page: from a state at one position of the outputs log to a later one. */
export interface Changes {
  rows: Row[];
  detections: DetectionRow[];
  /** Ids of rows and detections that were withdrawn. */
  withdrawn: string[];
  totals: Totals;
}

/** All that is known of a delivery: the record, and the event or reject that was made of it. */
export interface DeliveryFacts {
  delivery: Delivery;
  event?: Event;
  reject?: Reject;
  episode?: Episode;
}

/** Kinds of which nothing on the page is made: no reader is woken by a tick a second. */
const shown: ReadonlySet<string> = new Set(['delivery', 'event', 'reject', 'episode', 'detection']);

export interface BoardLimits {
  rowsPerColumn: number;
  detections: number;
  /** Deliveries whose event or reject is not known (yet). */
  deliveriesUnjoined: number;
  /** Bodies of all deliveries together; beyond it the oldest ones are dropped, their rows stay. */
  bodyBytes: number;
  /** Withdrawn ids that are remembered. */
  withdrawn: number;
  /** Events remembered with each detection. */
  evidence: number;
  /** Episodes and pieces of evidence that wait for their event. */
  waiting: number;
}

export const boardLimits: BoardLimits = {
  rowsPerColumn: 200,
  detections: 50,
  deliveriesUnjoined: 1_000,
  bodyBytes: 64 * 1024 * 1024,
  withdrawn: 5_000,
  evidence: 100,
  waiting: 5_000,
};

export interface Board {
  /** Takes over the record at a position of the outputs log. Positions must grow. */
  apply(record: DecodedRecord, position: number): void;
  /** Says that everything up to a position was skipped: readers that are further back must start anew. */
  skipTo(position: number): void;
  /** Position of the last record that the page shows something of; -1 before the first. */
  position(): number;
  /** What changed after position `cursor`; undefined where only a fresh start can tell. */
  changesSince(cursor: number): Changes | undefined;
  /** The present state whole, for a fresh start. */
  state(): Changes;
  /** Rows and detections held. */
  size(): number;
  findDelivery(id: string): DeliveryFacts | undefined;
  findDetection(id: string): { detection: Detection; evidence: Evidence[] } | undefined;
}

/** What a row is described from: an event, perhaps with its episode, or a reject. */
interface Facts {
  event?: Event;
  reject?: Reject;
  episode?: Episode;
}

interface Entry extends Facts {
  row: Row;
  version: number;
  /** Position of the last change. */
  changed: number;
}

interface HeldDetection {
  row: DetectionRow;
  changed: number;
  detection: Detection;
  evidence: Evidence[];
}

export function createBoard(limits: BoardLimits = boardLimits): Board {
  const entries = new Map<string, Entry>();
  const lists = new Map<Column, NewestList<Entry>>(
    columns.map((column) => [column, createNewestList<Entry>(limits.rowsPerColumn)]),
  );
  const detections = new Map<string, HeldDetection>();
  const detectionList = createNewestList<HeldDetection>(limits.detections);
  const deliveries = createDeliveryStore<Entry>(limits);
  const episodesWaiting = createWaiting<Episode>(limits.waiting);
  const evidenceWaiting = createWaiting<Evidence>(limits.waiting);
  const withdrawn = new Map<string, { version: number; changed: number }>();
  const totals: Totals = { events: 0, rejects: 0, detections: 0, since: null };
  let position = -1;
  let floor = -1;

  function isKnown(record: { id: string; version: number }, held: { version: number } | undefined): boolean {
    return (held ?? withdrawn.get(record.id) ?? { version: -1 }).version >= record.version;
  }

  function withdraw(record: { id: string; version: number }): void {
    withdrawn.delete(record.id);
    withdrawn.set(record.id, { version: record.version, changed: position });
    for (const [id, { changed }] of withdrawn) {
      if (withdrawn.size <= limits.withdrawn) break;
      withdrawn.delete(id);
      floor = Math.max(floor, changed);
    }
  }

  function count(kind: 'events' | 'rejects' | 'detections', receivedAt: number): void {
    totals[kind] += 1;
    totals.since = Math.min(totals.since ?? receivedAt, receivedAt);
  }

  function describe({ event, reject, episode }: Facts, order: number): Row {
    if (event) return describeEvent(event, order, deliveries.find(event.deliveries[0] ?? '')?.delivery, episode);
    return describeReject(reject!, order, deliveries.find(reject!.delivery)?.delivery);
  }

  function claim(entry: Entry): void {
    for (const id of deliveriesOf(entry)) deliveries.claim(id, entry);
  }

  function drop(entry: Entry): void {
    entries.delete(entry.row.id);
    for (const id of deliveriesOf(entry)) deliveries.release(id, entry);
  }

  function applyEntry(record: Event | Reject, made: Pick<Facts, 'event' | 'reject'>): void {
    const held = entries.get(record.id);
    if (isKnown(record, held)) return;
    if (held) {
      lists.get(held.row.column)!.remove(held);
      drop(held);
    }
    if (record.withdrawn) {
      withdraw(record);
      return;
    }
    withdrawn.delete(record.id);
    const facts: Facts = { ...made, ...(held?.episode && { episode: held.episode }) };
    const row = describe(facts, held?.row.order ?? position);
    const entry: Entry = { ...facts, row, version: record.version, changed: position };
    const list = lists.get(entry.row.column)!;
    if (!list.admits(entry)) return;
    if (!held) count(entry.event ? 'events' : 'rejects', record.first_received_at);
    entries.set(record.id, entry);
    claim(entry);
    const oldest = list.insert(entry);
    if (oldest) drop(oldest);
    for (const episode of episodesWaiting.take(record.id)) tell(entry, episode);
    for (const piece of evidenceWaiting.take(record.id)) complete(piece, row);
  }

  function applyDelivery(delivery: Delivery): void {
    const entry = deliveries.put(delivery);
    if (entry) redescribe(entry);
  }

  function redescribe(entry: Entry): void {
    // The list sorts by received_at and order, which stay: so the row may be exchanged in place.
    entry.row = describe(entry, entry.row.order);
    entry.changed = position;
  }

  function applyEpisode(episode: Episode): void {
    for (const id of episode.events) {
      const entry = entries.get(id);
      if (entry) tell(entry, episode);
      else episodesWaiting.add(id, episode);
    }
  }

  function tell(entry: Entry, episode: Episode): void {
    if (!entry.event || !isToldBy(entry.event, episode)) return;
    // Of an alert on several metrics the first one stays.
    const held = entry.episode;
    if (held && (held.id !== episode.id || held.version >= episode.version)) return;
    entry.episode = episode;
    redescribe(entry);
  }

  function applyDetection(detection: Detection): void {
    const held = detections.get(detection.id);
    if (isKnown(detection, held?.detection)) return;
    if (held) detectionList.remove(held);
    detections.delete(detection.id);
    if (detection.withdrawn) {
      withdraw(detection);
      return;
    }
    withdrawn.delete(detection.id);
    const evidence = gatherEvidence(detection, held?.evidence ?? []);
    const row = describeDetection(detection, held?.row.order ?? position);
    const next = { row, changed: position, detection, evidence };
    if (!detectionList.admits(next)) return;
    if (!held) count('detections', detection.first_received_at);
    detections.set(detection.id, next);
    const oldest = detectionList.insert(next);
    if (oldest) detections.delete(oldest.row.id);
  }

  /** Kept with the detection, for the events themselves may be pushed out of their column long before it. */
  function gatherEvidence(detection: Detection, known: readonly Evidence[]): Evidence[] {
    return detection.events.slice(0, limits.evidence).map((id) => {
      const row = entries.get(id)?.row;
      if (row) return evidenceOf(row);
      const before = known.find(({ event }) => event === id);
      if (before) return before;
      const unknown: Evidence = { event: id, delivery: '', name: '', subject: '', received_at: 0 };
      evidenceWaiting.add(id, unknown);
      return unknown;
    });
  }

  function collect(cursor: number): Changes {
    const isNew = ({ changed }: { changed: number }) => changed > cursor;
    const gone = [...withdrawn].filter(([, tombstone]) => isNew(tombstone)).map(([id]) => id);
    return {
      rows: [...entries.values()].filter(isNew).map(({ row }) => row),
      detections: [...detections.values()].filter(isNew).map(({ row }) => row),
      withdrawn: gone,
      totals: { ...totals },
    };
  }

  return {
    apply(record, at) {
      if (!shown.has(record.kind)) return;
      position = at;
      if (record.kind === 'delivery') applyDelivery(record.value);
      // The body is held once, with the delivery.
      else if (record.kind === 'event') applyEntry(record.value, { event: { ...record.value, data: '' } });
      else if (record.kind === 'reject') applyEntry(record.value, { reject: record.value });
      else if (record.kind === 'episode') applyEpisode(record.value);
      else if (record.kind === 'detection') applyDetection(record.value);
    },
    skipTo(at) {
      position = at;
      floor = at;
    },
    position: () => position,
    changesSince: (cursor) => (cursor < floor || cursor > position ? undefined : collect(cursor)),
    state: () => ({ ...collect(-1), withdrawn: [] }),
    size: () => entries.size + detections.size,
    findDelivery(id) {
      const held = deliveries.find(id);
      if (!held) return undefined;
      const { event, reject, episode } = held.entry ?? {};
      return {
        delivery: held.delivery,
        ...(event && { event }),
        ...(reject && { reject }),
        ...(episode && { episode }),
      };
    },
    findDetection(id) {
      const held = detections.get(id);
      // More may be known by now than when they came.
      for (const piece of held?.evidence ?? []) complete(piece, entries.get(piece.event)?.row);
      return held;
    },
  };
}

function deliveriesOf(entry: Entry): string[] {
  return entry.event?.deliveries ?? [entry.reject!.delivery];
}

function complete(piece: Evidence, row: Row | undefined): void {
  if (row) Object.assign(piece, evidenceOf(row));
}

function evidenceOf({ id, delivery, name, subject, received_at }: Row): Evidence {
  return { event: id, delivery, name, subject, received_at };
}
