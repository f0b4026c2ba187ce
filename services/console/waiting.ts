/** Items that wait for a record that they name and that is not known yet, in bounded number: the oldest ones go first. */
export interface Waiting<T> {
  add(id: string, item: T): void;
  /** What waits for the record; it waits no longer. */
  take(id: string): readonly T[];
}

export function createWaiting<T>(itemsMax: number): Waiting<T> {
  const waiting = new Map<string, T[]>();
  let size = 0;

  function take(id: string): readonly T[] {
    const items = waiting.get(id) ?? [];
    waiting.delete(id);
    size -= items.length;
    return items;
  }

  return {
    add(id, item) {
      const items = waiting.get(id) ?? [];
      items.push(item);
      waiting.set(id, items);
      size += 1;
      for (const oldest of waiting.keys()) {
        if (size <= itemsMax) break;
        take(oldest);
      }
    },
    take,
  };
}
