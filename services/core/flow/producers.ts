/**
 * Gapless input per producer, and the watermark that follows from it.
 *
 * A record that was seen before is a repeat. One that comes after a gap changes nothing: its producer is behind until
 * the missing ones arrive, while all others go on. Once a producer is retired nothing is waited for: what is missing is
 * a hole, and whatever still arrives is taken once, in any order.
 */
import type { ProducerProgress } from '../records/generated.ts';
import { planExpiry } from './expiry.ts';
import { extend, fill, type Holes, missing } from './holes.ts';
import { count, type FlowState, metaOf, type Producer, type Settings } from './state.ts';

/** A producer this far behind another one's live ticks holds the watermark no longer. */
const holdMsMax = 60_000;
/** Holes of one producer: a record that would tear one more is dropped. One at the rim of a hole never does. */
const holesMax = 1_000;

export type Admission = 'next' | 'repeat' | 'ahead';

/** Decides on a record by its producer's numbers, and moves them on. */
export function admit(state: FlowState, record: { boot: string; seq: number; received_at: number }): Admission {
  const producer = state.producers.get('', record.boot) ?? newProducer(record.received_at);
  const seenSeq = Math.max(producer.seenSeq, record.seq);
  if (record.seq <= producer.lastSeq) {
    count(state, 'repeats', '');
    return 'repeat';
  }
  const progress = Math.max(producer.progress, record.received_at);
  if (producer.holes) return admitRetired(state, record, { ...producer, progress }, producer.holes);
  if (record.seq > producer.lastSeq + 1) {
    state.producers.set('', record.boot, { ...producer, seenSeq });
    return 'ahead';
  }
  state.producers.set('', record.boot, { ...producer, lastSeq: record.seq, seenSeq, progress });
  return 'next';
}

/** Numbers above the last one seen are an open hole: nobody can know how many the lost disk had given. */
function admitRetired(
  state: FlowState,
  { boot, seq }: { boot: string; seq: number },
  producer: Producer,
  before: Holes,
): Admission {
  const holes = fill(extend(before, producer.seenSeq + 1, seq), seq);
  if (!holes) {
    count(state, 'repeats', '');
    return 'repeat';
  }
  if (holes.length > Math.max(before.length, holesMax)) {
    count(state, 'retired', 'dropped');
    return 'ahead';
  }
  count(state, 'retired', 'lost', missing(holes) - missing(before));
  count(state, 'retired', 'recovered');
  const seenSeq = Math.max(producer.seenSeq, seq);
  state.producers.set('', boot, { ...producer, lastSeq: lastWithout(holes, seenSeq), seenSeq, holes });
  return 'next';
}

/** Up to where nothing is missing. */
function lastWithout(holes: Holes, seenSeq: number): number {
  return holes[0] ? holes[0][0] - 1 : seenSeq;
}

function newProducer(receivedAt: number): Producer {
  return { edge: '', lastSeq: -1, seenSeq: -1, progress: receivedAt, live: true, closed: false };
}

/**
 * A boot record: names its edge and closes that edge's earlier boots. They are found by the edge's name, since an edge
 * that has lost its state cannot name its predecessor.
 *
 * As a rule all records of earlier boots precede it in the lane. Where the log has lost some and they are sent again, an
 * earlier boot's record comes after its successor's: it closes no later boot, and is closed itself if one named it.
 */
export function openProducer(
  state: FlowState,
  settings: Settings,
  boot: { boot: string; edge: string; predecessor: string; received_at: number },
): void {
  const { edge, predecessor, received_at: openedAt } = boot;
  const producers = state.producers.sortedEntries('');
  for (const [id, producer] of producers) {
    if (id === boot.boot) {
      state.producers.set('', id, { ...producer, edge, predecessor, openedAt });
      if (producers.some(([, other]) => other.predecessor === id)) closeProducer(state, settings, id, openedAt);
    } else if (id === predecessor || (producer.edge === edge && (producer.openedAt ?? 0) <= openedAt)) {
      closeProducer(state, settings, id, openedAt);
    }
  }
}

/** It holds the watermark no longer, and is remembered for as long as a closed one, from here on. */
function closeProducer(state: FlowState, settings: Settings, id: string, closedAt: number): void {
  const producer = state.producers.get('', id);
  if (!producer || producer.closed) return;
  state.producers.set('', id, { ...producer, closed: true, progress: Math.max(producer.progress, closedAt) });
  planExpiry(state, settings, { table: 'producers', group: '', key: id });
}

/**
 * A gap record: the edge that had started as `boot` will not come back, as far as anybody knows. Returns why it did not
 * take effect, or an empty string.
 */
export function retireProducer(
  state: FlowState,
  settings: Settings,
  retired: { boot: string; by: string; at: number },
): string {
  const { boot, by, at } = retired;
  if (boot === by) return `ignored: boot ${boot} cannot retire itself`;
  const known = state.producers.get('', boot);
  if (!known) return `ignored: boot ${boot} is unknown to the lane, or forgotten`;
  if (known.holes) return `ignored: boot ${boot} is retired already`;
  closeProducer(state, settings, boot, at);
  const producer = state.producers.get('', boot)!;
  const holes = extend([], producer.lastSeq + 1, producer.seenSeq);
  // Closed long ago, it would be forgotten before anything could be recovered.
  state.producers.set('', boot, { ...producer, holes, progress: Math.max(producer.progress, at) });
  count(state, 'retired', 'lost', missing(holes));
  return '';
}

/** A tick: time has reached an instant at the producer. */
export function tickProducer(state: FlowState, boot: string, time: number, catchingUp: boolean): void {
  const producer = state.producers.get('', boot);
  if (!producer) return;
  state.producers.set('', boot, { ...producer, progress: Math.max(producer.progress, time), live: !catchingUp });
}

/** The lowest progress of the open producers, less the slack; what is far behind live ones does not hold it. */
export function advanceWatermark(state: FlowState, slackMs: number): number {
  const meta = metaOf(state);
  const open = [...state.producers.group('').values()].filter((producer) => !producer.closed);
  const live = Math.max(0, ...open.filter((producer) => producer.live).map((producer) => producer.progress));
  const holding = open.filter((producer) => producer.progress >= live - holdMsMax);
  if (holding.length === 0) return meta.watermark;
  const watermark = Math.max(meta.watermark, Math.min(...holding.map((producer) => producer.progress)) - slackMs);
  if (watermark !== meta.watermark) state.meta.set('', '', { ...meta, watermark });
  return watermark;
}

/** Boots whose records are on their way: with a gap in their numbers, or open and far behind live ticks. Sorted. */
export function producersWaitedFor(state: FlowState): string[] {
  const producers = [...state.producers.group('')];
  const live = Math.max(0, ...producers.map(([, { closed, live, progress }]) => (closed || !live ? 0 : progress)));
  return producers
    .filter(([, producer]) => isBehind(producer) || (!producer.closed && producer.progress < live - holdMsMax))
    .map(([boot]) => boot)
    .sort();
}

/** Producers with a gap in their numbers that is waited for. */
export function producersBehind(state: FlowState): number {
  return [...state.producers.group('').values()].filter(isBehind).length;
}

function isBehind({ seenSeq, lastSeq, holes }: Producer): boolean {
  return !holes && seenSeq > lastSeq;
}

/** A producer as people and tools are told of it. */
export interface ProducerSummary {
  boot: string;
  edge: string;
  lastSeq: number;
  seenSeq: number;
  /** Time that it has reached, epoch milliseconds. */
  progress: number;
  closed: boolean;
  retired: boolean;
  /** Numbers up to seenSeq that were not worked on. */
  missing: number;
}

export function summarizeProducers(state: FlowState): ProducerSummary[] {
  return state.producers.sortedEntries('').map(([boot, { edge, lastSeq, seenSeq, progress, closed, holes }]) => ({
    boot,
    edge,
    lastSeq,
    seenSeq,
    progress,
    closed,
    retired: holes !== undefined,
    missing: holes ? missing(holes) : seenSeq - lastSeq,
  }));
}

/** How far each producer's records have been worked on, by boot: what edges are told. */
export function producersOf(state: FlowState): ProducerProgress[] {
  return state.producers.sortedEntries('').map(([boot, { edge, lastSeq, seenSeq, closed }]) => ({
    boot,
    edge,
    last_seq: lastSeq,
    seen_seq: seenSeq,
    closed,
  }));
}
