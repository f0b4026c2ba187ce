/** The few ways in which the page makes elements. Text from outside enters by `textContent` only. */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  return /** @type {T} */ (document.getElementById(id));
}

/**
 * @param {ParentNode} parent
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function find(parent, selector) {
  return /** @type {HTMLElement} */ (parent.querySelector(selector));
}

/**
 * @param {string} id of a template
 * @returns {HTMLElement} a copy of its only element
 */
export function cloneTemplate(id) {
  const template = /** @type {HTMLTemplateElement} */ (/** @type {unknown} */ (byId(id)));
  return /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
}

/**
 * @param {string} tag
 * @param {{ text?: string, className?: string, children?: (Node | null)[], [attribute: string]: unknown }} [options]
 * @returns {HTMLElement}
 */
export function make(tag, { text, className, children, ...attributes } = {}) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...(children ?? []).filter((child) => child !== null));
  return element;
}

/**
 * Writes only what differs: a page that is updated every second must not be laid out anew for it.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
