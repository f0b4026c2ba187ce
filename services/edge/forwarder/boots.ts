import type { ProducerProgress } from '../../core/records/generated.ts';
import type { Place } from '../../core/records/place.ts';

/** How far a lane's worker has come with each boot, by boot. */
export type Worked = ReadonlyMap<string, ProducerProgress>;

export function workedOf(producers: readonly ProducerProgress[] = []): Worked {
  return new Map(producers.map((producer) => [producer.boot, producer]));
}

/** A record that was in the lane and is there no longer. */
export interface LostRecord {
  boot: string;
  seq: number;
  /** Position in the journal before which it does not stand. */
  from: number;
}

/** Lost records of one boot, from `seq` on, before the one at a position of the journal. */
export interface GoneRecords {
  boot: string;
  seq: number;
  count: number;
  before: number;
}

/** What this edge's journal holds of one lane: its boots, in the order in which they were opened. */
export interface Boots {
  add(place: Place, position: number): void;
  /** Whether a record was worked on, by what a worker says. `nowMs` is this edge's clock. */
  holds(worked: Worked, place: Pick<Place, 'boot' | 'seq' | 'receivedAt'>, nowMs: number): boolean;
  /**
   * The first record that was not worked on although a later one of this journal was seen: this edge sends in order, so
   * it was lost. What precedes the boot's first record here cannot be sent again: `gone` tells of it.
   */
  lost(worked: Worked, nowMs: number): LostRecord | undefined;
  /** Records that were lost, as by `lost`, and precede the first one of their boot here. */
  gone(worked: Worked, nowMs: number): GoneRecords | undefined;
  /** The journal turned out not to hold a record that was lost. */
  giveUp(lost: Pick<LostRecord, 'boot' | 'seq'>): void;
  /** Forgets what lies before a position, for good. */
  forget(position: number): void;
}

/**
 * The flow forgets a closed boot after seven days. Younger records of a boot that it does not know have never reached
 * it; a minute is left for clocks that differ.
 */
export const forgottenMs = 7 * 86_400_000 - 60_000;

/** The records of one boot, which follow each other without gaps. */
interface Stay {
  readonly boot: string;
  readonly firstSeq: number;
  readonly first: number;
  lastSeq: number;
  last: number;
  /** The number that was given up last. */
  givenUp: number;
  receivedAt: number;
}

/** `lacksBefore`: something before this position of the journal could not be read. */
export function createBoots(lacksBefore: (position: number) => boolean = () => false): Boots {
  let stays: Stay[] = [];

  /** True where a boot that the worker does not name was worked on so long ago that the flow has forgotten it. */
  function isForgotten(worked: Worked, boot: string, receivedAt: number, nowMs: number): boolean {
    return receivedAt < nowMs - forgottenMs && laterThan(boot).some((later) => worked.has(later.boot));
  }

  function laterThan(boot: string): Stay[] {
    return stays.slice(stays.findIndex((stay) => stay.boot === boot) + 1);
  }

  function holds(worked: Worked, { boot, seq, receivedAt }: Pick<Place, 'boot' | 'seq' | 'receivedAt'>, nowMs: number) {
    const producer = worked.get(boot);
    return producer ? seq <= producer.last_seq : isForgotten(worked, boot, receivedAt, nowMs);
  }

  const isGone = ({ firstSeq, first }: Stay, seq: number) => seq < firstSeq && !lacksBefore(first);

  /** Boots that were not worked on to their end, with the first number that is lacking and was not given up. */
  function* lacking(worked: Worked, nowMs: number): Generator<{ stay: Stay; seq: number; seenLater: boolean }> {
    for (const stay of stays) {
      const { boot, lastSeq, givenUp, receivedAt } = stay;
      if (holds(worked, { boot, seq: lastSeq, receivedAt }, nowMs)) continue;
      const { last_seq: workedSeq, seen_seq: seenSeq } = worked.get(boot) ?? { last_seq: -1, seen_seq: -1 };
      const seq = workedSeq + 1;
      if (seq === givenUp) continue;
      yield { stay, seq, seenLater: seenSeq > workedSeq || laterThan(boot).some((later) => worked.has(later.boot)) };
    }
  }

  return {
    add({ boot, seq, receivedAt }, position) {
      const newest = stays.at(-1);
      if (newest?.boot !== boot) {
        stays.push({ boot, firstSeq: seq, first: position, lastSeq: seq, last: position, givenUp: -1, receivedAt });
      } else {
        newest.lastSeq = seq;
        newest.last = position;
        newest.receivedAt = receivedAt;
      }
    },
    holds,
    lost(worked, nowMs) {
      for (const { stay, seq, seenLater } of lacking(worked, nowMs)) {
        if (isGone(stay, seq)) continue;
        return seenLater ? { boot: stay.boot, seq, from: stay.first } : undefined;
      }
      return undefined;
    },
    gone(worked, nowMs) {
      for (const { stay, seq, seenLater } of lacking(worked, nowMs)) {
        if (!isGone(stay, seq) || !seenLater) continue;
        return { boot: stay.boot, seq, count: stay.firstSeq - seq, before: stay.first };
      }
      return undefined;
    },
    giveUp({ boot, seq }) {
      for (const stay of stays) if (stay.boot === boot) stay.givenUp = seq;
    },
    forget(position) {
      stays = stays.filter((stay, index) => stay.last >= position || index === stays.length - 1);
    },
  };
}
