/**
 * Gapless input per producer, and the watermark that follows from it.
 *
 * A record that was seen before is a repeat. One that comes after a gap changes nothing: its producer is behind until
 * the missing ones arrive, while all others go on.
 */
import { planExpiry } from './expiry.ts';
import { count, type FlowState, metaOf, type Producer, type Settings } from './state.ts';

/** A producer this far behind another one's live ticks holds the watermark no longer. */
const holdMsMax = 60_000;

export type Admission = 'next' | 'repeat' | 'ahead';

/** Decides on a record by its producer's numbers, and moves them on. */
export function admit(state: FlowState, record: { boot: string; seq: number; received_at: number }): Admission {
  const producer = state.producers.get('', record.boot) ?? newProducer(record.received_at);
  const seenSeq = Math.max(producer.seenSeq, record.seq);
  if (record.seq <= producer.lastSeq) {
    count(state, 'repeats', '');
    return 'repeat';
  }
  if (record.seq > producer.lastSeq + 1) {
    state.producers.set('', record.boot, { ...producer, seenSeq });
    return 'ahead';
  }
  const progress = Math.max(producer.progress, record.received_at);
  state.producers.set('', record.boot, { ...producer, lastSeq: record.seq, seenSeq, progress });
  return 'next';
}

function newProducer(receivedAt: number): Producer {
  return { edge: '', lastSeq: -1, seenSeq: -1, progress: receivedAt, live: true, closed: false };
}

/**
 * A boot record: names its edge and closes that edge's earlier boots, all of whose records precede it in the lane. They
 * are found by the edge's name, since an edge that has lost its state cannot name its predecessor.
 */
export function openProducer(
  state: FlowState,
  settings: Settings,
  boot: { boot: string; edge: string; predecessor: string },
): void {
  for (const [id, producer] of state.producers.sortedEntries('')) {
    if (id === boot.boot) state.producers.set('', id, { ...producer, edge: boot.edge });
    else if (!producer.closed && (id === boot.predecessor || producer.edge === boot.edge)) {
      state.producers.set('', id, { ...producer, closed: true });
      planExpiry(state, settings, { table: 'producers', group: '', key: id });
    }
  }
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

/** Producers with a gap in their numbers. */
export function producersBehind(state: FlowState): number {
  return [...state.producers.group('').values()].filter((producer) => producer.seenSeq > producer.lastSeq).length;
}
