/** Walking the rows by keys: up and down within a list, left and right between the columns. */

/** @type {Record<string, [dx: number, dy: number]>} */
const steps = {
  ArrowDown: [0, 1],
  j: [0, 1],
  ArrowUp: [0, -1],
  k: [0, -1],
  ArrowRight: [1, 0],
  l: [1, 0],
  ArrowLeft: [-1, 0],
  h: [-1, 0],
  Home: [0, Number.NEGATIVE_INFINITY],
  End: [0, Number.POSITIVE_INFINITY],
};

/**
 * @param {object} options
 * @param {() => HTMLElement} options.detections the list above the columns
 * @param {() => HTMLElement[]} options.columns the lists of the columns, left to right
 * @param {(list: HTMLElement) => void} options.reveal brings a column into view, where only one fits
 * @returns {(key: string) => boolean} whether the key was a step
 */
export function createWalk({ detections, columns, reveal }) {
  return (key) => {
    const step = steps[key];
    if (!step) return false;
    const [dx, dy] = step;
    const focused = /** @type {HTMLElement | null | undefined} */ (document.activeElement?.closest('.row'));
    const list = /** @type {HTMLElement | null | undefined} */ (focused?.closest('.list'));
    if (!focused || !list) focusRow(columns().find(hasRows) ?? detections(), 0);
    else if (dx !== 0) moveAcross(list, rowsOf(list).indexOf(focused), dx);
    else moveWithin(list, rowsOf(list).indexOf(focused), dy);
    return true;
  };

  /** @param {HTMLElement} list @param {number} index @param {number} dy */
  function moveWithin(list, index, dy) {
    const last = rowsOf(list).length - 1;
    if (dy === 1 && index === last && list === detections()) focusRow(columns().find(hasRows), 0);
    else if (dy === -1 && index === 0 && list !== detections()) focusRow(detections(), Number.POSITIVE_INFINITY);
    else focusRow(list, index + dy);
  }

  /** @param {HTMLElement} list @param {number} index @param {number} dx */
  function moveAcross(list, index, dx) {
    const lists = columns();
    const from = lists.indexOf(list);
    if (from < 0) return;
    const ahead = dx > 0 ? lists.slice(from + 1) : lists.slice(0, from).reverse();
    focusRow(ahead.find(hasRows), index);
  }

  /** @param {HTMLElement | undefined} list @param {number} index */
  function focusRow(list, index) {
    if (!list) return;
    const rows = rowsOf(list);
    const row = rows[Math.max(0, Math.min(index, rows.length - 1))];
    if (!row) return;
    reveal(list);
    for (const other of list.querySelectorAll('.row[tabindex="0"]')) other.setAttribute('tabindex', '-1');
    row.setAttribute('tabindex', '0');
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }
}

/** @param {HTMLElement} list @returns {HTMLElement[]} */
function rowsOf(list) {
  return [...list.querySelectorAll('.row')].map((row) => /** @type {HTMLElement} */ (row));
}

/** @param {HTMLElement} list */
function hasRows(list) {
  return list.firstElementChild !== null;
}
