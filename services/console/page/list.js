/** A list whose elements are kept by id, so that an update moves and writes only what is new. */
import { setText } from './dom.js';
import { formatAge } from './format.js';

/** New rows light up when they come one by one; in a burst that would only flicker. */
const litRowsMax = 12;

/**
 * @template {{ id: string, received_at: number }} T
 * @param {HTMLElement} list an `ol`
 * @param {() => HTMLElement} create makes an `li` with a button of the class `row` in it
 * @param {(button: HTMLElement, item: T) => void} fill writes an item into the button, all of it
 */
export function createList(list, create, fill) {
  /** @type {Map<string, { item: T, element: HTMLElement, button: HTMLElement, age: HTMLElement }>} */
  const shown = new Map();
  /** @type {readonly T[]} */
  let items = [];

  /** @param {T} item */
  function show(item) {
    let row = shown.get(item.id);
    if (!row) {
      const element = create();
      const button = /** @type {HTMLElement} */ (element.firstElementChild);
      row = { item, element, button, age: /** @type {HTMLElement} */ (button.querySelector('.age')) };
      button.dataset.id = item.id;
      shown.set(item.id, row);
      fill(button, item);
    } else if (row.item !== item) {
      row.item = item;
      fill(row.button, item);
    }
    return row;
  }

  /** @param {ReadonlySet<string>} wanted @param {number} index where the focus was */
  function removeOthers(wanted, index) {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    const lostFocus =
      focused?.dataset.id !== undefined && shown.has(focused.dataset.id) && !wanted.has(focused.dataset.id);
    for (const [id, { element }] of shown) {
      if (wanted.has(id)) continue;
      element.remove();
      shown.delete(id);
    }
    const neighbour = items[Math.min(index, items.length - 1)];
    if (lostFocus && neighbour) shown.get(neighbour.id)?.button.focus();
  }

  // Else a column that is hidden and shown again would light up once more.
  list.addEventListener('animationend', (event) => {
    /** @type {HTMLElement} */ (event.target).parentElement?.classList.remove('new');
  });

  return {
    element: list,
    /**
     * @param {readonly T[]} next newest first
     * @param {number} now
     */
    render(next, now) {
      if (next === items) return;
      const focusedId = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.id;
      const focusedIndex = items.findIndex(({ id }) => id === focusedId);
      const wanted = new Set(next.map(({ id }) => id));
      const fresh = next.filter(({ id }) => !shown.has(id));
      // What is there from the beginning is not new.
      const canLight = items.length > 0 && fresh.length <= litRowsMax;
      items = next;
      let place = list.firstElementChild;
      for (const item of next) {
        const { element } = show(item);
        if (element === place) place = place.nextElementSibling;
        else list.insertBefore(element, place);
      }
      removeOthers(wanted, focusedIndex);
      for (const { id } of canLight ? fresh : []) shown.get(id)?.element.classList.add('new');
      this.renderAges(now);
      this.keepTabStop();
    },
    /** @param {number} now */
    renderAges(now) {
      for (const { item, age } of shown.values()) setText(age, formatAge(item.received_at, now));
    },
    /** The tab key enters a list at the row that has the focus, else at its newest. */
    keepTabStop() {
      const current = list.querySelector('.row:focus') ?? list.querySelector('.row');
      for (const row of list.querySelectorAll('.row[tabindex="0"]')) {
        if (row !== current) row.setAttribute('tabindex', '-1');
      }
      current?.setAttribute('tabindex', '0');
    },
    /** @param {string} id */
    item: (id) => shown.get(id)?.item,
    length: () => items.length,
  };
}
