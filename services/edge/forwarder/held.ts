/**
 * What a lane is known to hold of this journal. A lane that is the same never knows less of a boot, wherever its positions
 * are: one that does was restored from a backup, and other edges may have driven it on since.
 */
import type { Place } from '../../core/records/place.ts';
import { forgottenMs, type Worked } from './boots.ts';

/** Boot → the last number that was held, and when a record of it that is held was received (epoch milliseconds). */
export type HeldBoots = Readonly<Record<string, { seq: number; at: number }>>;

export interface Held {
  /** Takes over what a snapshot holds of the boot of a record that it holds. */
  learn(covered: Worked, record: Pick<Place, 'boot' | 'receivedAt'>): void;
  /** The first boot of which a worker says less than was held. What the flow has forgotten by its age is not missed. */
  missing(worked: Worked, nowMs: number): { boot: string; seq: number; workedSeq: number } | undefined;
  all(): HeldBoots;
}

export function createHeld(known: HeldBoots = {}): Held {
  const held = new Map(Object.entries(known));
  return {
    learn(covered, { boot, receivedAt }) {
      const seq = covered.get(boot)?.last_seq ?? -1;
      if (seq >= 0) held.set(boot, { seq: Math.max(seq, held.get(boot)?.seq ?? -1), at: receivedAt });
    },
    missing(worked, nowMs) {
      for (const [boot, { seq, at }] of held) {
        const workedSeq = worked.get(boot)?.last_seq ?? -1;
        if (workedSeq >= seq) continue;
        if (worked.has(boot) || at >= nowMs - forgottenMs) return { boot, seq, workedSeq };
        held.delete(boot);
      }
      return undefined;
    },
    all: () => Object.fromEntries(held),
  };
}

/**
 * What a snapshot holds, by what a worker says that came after it. Of a lane that went on after it was restored, progress may
 * still name a snapshot from before: nothing of that one is held. Boots keep their names, so that forgotten ones are told
 * from those that were never met.
 */
export function heldBy(covered: Worked, live: Worked): Worked {
  const isOfAnother = [...covered].some(([boot, { last_seq, closed }]) => {
    const now = live.get(boot);
    return now ? now.last_seq < last_seq : !closed;
  });
  return isOfAnother ? new Map([...live].map(([boot, said]) => [boot, { ...said, last_seq: -1 }])) : covered;
}
