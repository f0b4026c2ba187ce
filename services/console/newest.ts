import { compareRows, type Row } from './row.ts';

export interface NewestList<T> {
  /** False for what is older than anything that was pushed out. */
  admits(item: T): boolean;
  /** Returns the item that was pushed out, if any. */
  insert(item: T): T | undefined;
  remove(item: T): void;
}

/** The newest items by `compareRows`, oldest first: what arrives is nearly always the newest, so it is appended. */
export function createNewestList<T extends { row: Pick<Row, 'received_at' | 'order'> }>(length: number): NewestList<T> {
  const items: T[] = [];
  let pushedOut: T['row'] | undefined;

  return {
    admits: (item) => !pushedOut || compareRows(item.row, pushedOut) < 0,
    insert(item) {
      let index = items.length;
      while (index > 0 && compareRows(items[index - 1]!.row, item.row) < 0) index -= 1;
      items.splice(index, 0, item);
      const oldest = items.length > length ? items.shift() : undefined;
      if (oldest) pushedOut = oldest.row;
      return oldest;
    },
    remove(item) {
      const index = items.indexOf(item);
      if (index >= 0) items.splice(index, 1);
    },
  };
}
