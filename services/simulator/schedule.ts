import type { Happening } from './item.ts';

/** Makes the item when its time has come, from the state of that moment; undefined when it has lost its object. */
export type Step = (nowMs: number) => Happening | undefined;

/** What is to happen later, in order of time; of equal times, first added first. */
export interface Schedule {
  add(atMs: number, step: Step): void;
  /** The next item whose time has come. */
  take(nowMs: number): Happening | undefined;
}

export function createSchedule(): Schedule {
  const entries: { atMs: number; step: Step }[] = [];
  return {
    add(atMs, step) {
      const index = entries.findLastIndex((entry) => entry.atMs <= atMs);
      entries.splice(index + 1, 0, { atMs, step });
    },
    take(nowMs) {
      while (entries[0] && entries[0].atMs <= nowMs) {
        const happening = entries.shift()!.step(nowMs);
        if (happening) return happening;
      }
      return undefined;
    },
  };
}
