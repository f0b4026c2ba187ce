/**
 * What the page knows: the newest rows of each column and the newest detections, in bounded number. The same order and
 * the same limits as the server's.
 */
/** @import { Changes, Totals } from '../board.ts' */
/** @import { Column, DetectionRow, Row } from '../row.ts' */

/** @type {readonly Column[]} */
export const columns = ['account', 'alert', 'user', 'server', 'other', 'rejected'];
const rowsPerColumnMax = 200;
const detectionsMax = 50;

/**
 * @typedef {object} View What is shown: lists, newest first.
 * @property {Record<Column, readonly Row[]>} rows
 * @property {readonly DetectionRow[]} detections
 */

/** @param {{ received_at: number, order: number }} a @param {{ received_at: number, order: number }} b */
function compareRows(a, b) {
  return b.received_at - a.received_at || b.order - a.order;
}

/**
 * The newest of the old items and the new ones; an item replaces the one of its id.
 * @template {{ id: string, received_at: number, order: number }} T
 * @param {readonly T[]} items
 * @param {readonly T[]} changed
 * @param {ReadonlySet<string>} withdrawn
 * @param {number} max
 * @returns {readonly T[]}
 */
function mergeNewest(items, changed, withdrawn, max) {
  const replaced = new Set(changed.map(({ id }) => id));
  const kept = items.filter(({ id }) => !replaced.has(id) && !withdrawn.has(id));
  if (changed.length === 0 && kept.length === items.length) return items;
  return [...kept, ...changed].sort(compareRows).slice(0, max);
}

export function createModel() {
  /** @type {View} */
  let view = emptyView();
  /** @type {Totals} */
  let totals = { events: 0, rejects: 0, detections: 0, since: null };

  return {
    view: () => view,
    totals: () => totals,
    /**
     * @param {Changes} changes
     * @param {boolean} fresh The changes are the whole state.
     * @returns {DetectionRow[]} detections that were not there before
     */
    apply(changes, fresh) {
      const before = fresh ? emptyView() : view;
      const withdrawn = new Set(changes.withdrawn);
      const known = new Set(view.detections.map(({ id }) => id));
      const rows = { ...before.rows };
      for (const column of columns) {
        const changed = changes.rows.filter((row) => row.column === column);
        const moved = new Set([...withdrawn, ...changes.rows.map(({ id }) => id)]);
        rows[column] = mergeNewest(before.rows[column], changed, moved, rowsPerColumnMax);
      }
      view = { rows, detections: mergeNewest(before.detections, changes.detections, withdrawn, detectionsMax) };
      totals = changes.totals;
      return changes.detections.filter(({ id }) => !known.has(id));
    },
  };
}

/** @returns {View} */
export function emptyView() {
  return { rows: { account: [], alert: [], user: [], server: [], other: [], rejected: [] }, detections: [] };
}

/**
 * What is left of a view under a filter.
 * @param {View} view
 * @param {string} filter The beginning of `provider:account` or of the account alone, in any case; empty for all.
 * @returns {View}
 */
export function filterView(view, filter) {
  const wanted = filter.trim().toLowerCase();
  if (!wanted) return view;
  /** @param {{ account: string }} item */
  const matches = ({ account }) => {
    const name = account.toLowerCase();
    return name.startsWith(wanted) || name.slice(name.indexOf(':') + 1).startsWith(wanted);
  };
  const rows = { ...view.rows };
  for (const column of columns) rows[column] = view.rows[column].filter(matches);
  return { rows, detections: view.detections.filter(matches) };
}

/**
 * How many rows and detections the second view has that the first has not.
 * @param {View} shown
 * @param {View} latest
 */
export function countNew(shown, latest) {
  let count = 0;
  for (const column of columns) count += countMissing(latest.rows[column], shown.rows[column]);
  return count + countMissing(latest.detections, shown.detections);
}

/** @param {readonly { id: string }[]} items @param {readonly { id: string }[]} known */
function countMissing(items, known) {
  if (items === known) return 0;
  const ids = new Set(known.map(({ id }) => id));
  return items.filter(({ id }) => !ids.has(id)).length;
}
