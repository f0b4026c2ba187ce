/** Wires the parts of the page: the stream feeds the model, what is shown of it is drawn when the browser is ready. */
/** @import { Column } from '../row.ts' */
/** @import { View } from './model.js' */
import { byId, cloneTemplate, find, make, setText } from './dom.js';
import { formatClock, formatNumber } from './format.js';
import { createWalk } from './keyboard.js';
import { createList } from './list.js';
import { columns, countNew, createModel, filterView } from './model.js';
import { createPanel } from './panel.js';
import { fillDetection, fillRow } from './rows.js';
import { openStream } from './stream.js';

/** @type {Record<Column, string>} */
const columnNames = {
  account: 'Account',
  alert: 'Alert',
  user: 'User',
  server: 'Server',
  other: 'Other',
  rejected: 'Rejected',
};
/** Shown once there is something in them. @type {readonly Column[]} */
const rareColumns = ['other', 'rejected'];
const rateWindowMs = 10_000;
/** Drawing may take a fifth of the time at most: what comes faster is drawn together. */
const restPerDrawing = 4;

const model = createModel();
const panel = createPanel();
const filter = /** @type {HTMLInputElement} */ (byId('account'));
const keys = /** @type {HTMLDialogElement} */ (byId('keys'));

/** @type {'connecting' | 'live' | 'reconnecting'} */
let connection = 'connecting';
/** What is shown while paused, and how much had been counted by then. @type {{ view: View, counted: number } | null} */
let paused = null;
/** @type {{ at: number, counted: number }[]} */
let samples = [];
let filtered = { view: model.view(), filter: '', result: model.view() };

const detections = createList(
  find(document, '[data-list=detections]'),
  () => cloneTemplate('detection-template'),
  fillDetection,
);
const lists = new Map(columns.map((column) => [column, createColumn(column)]));
/** @type {Column} */
let picked = 'account';

/** @param {Column} column */
function createColumn(column) {
  const section = cloneTemplate('column-template');
  const title = find(section, 'h2');
  title.id = `title-${column}`;
  section.id = `column-${column}`;
  section.dataset.column = column;
  section.setAttribute('aria-labelledby', title.id);
  find(section, '.column-name').textContent = columnNames[column];
  find(section, '.list').setAttribute('aria-labelledby', title.id);
  find(section, '.list').dataset.list = column;
  byId('columns').append(section);
  const tab = make('button', {
    type: 'button',
    role: 'tab',
    id: `tab-${column}`,
    'aria-controls': section.id,
    children: [make('span', { text: columnNames[column] }), make('span', { className: 'count', text: '0' })],
  });
  tab.addEventListener('click', () => pick(column));
  byId('picker').append(tab);
  const list = createList(find(section, '.list'), () => cloneTemplate('row-template'), fillRow);
  return { list, section, tab };
}

/** On a narrow screen one column is shown at a time. @param {Column} column */
function pick(column) {
  picked = column;
  for (const [name, { section, tab }] of lists) {
    const isPicked = name === picked;
    section.dataset.picked = String(isPicked);
    tab.setAttribute('aria-selected', String(isPicked));
    tab.tabIndex = isPicked ? 0 : -1;
  }
}

function shownView() {
  const view = paused?.view ?? model.view();
  if (filtered.view !== view || filtered.filter !== filter.value) {
    filtered = { view, filter: filter.value, result: filterView(view, filter.value) };
  }
  return filtered.result;
}

function countAll() {
  const { events, rejects, detections } = model.totals();
  return events + rejects + detections;
}

function countWhilePaused() {
  // The sums also count what came and went; after a restart of the console only the lists can tell.
  return paused ? Math.max(countAll() - paused.counted, countNew(paused.view, model.view())) : 0;
}

let drawn = 0;
let restMs = 0;
let isScheduled = false;

function scheduleDrawing() {
  if (isScheduled) return;
  isScheduled = true;
  const waitMs = Math.max(0, drawn + restMs - performance.now());
  setTimeout(() => requestAnimationFrame(draw), waitMs);
}

function draw() {
  isScheduled = false;
  const start = performance.now();
  const now = Date.now();
  const view = shownView();
  const isFiltered = filter.value.trim() !== '';
  detections.render(view.detections, now);
  setText(byId('detections-count'), formatNumber(view.detections.length));
  byId('detections').dataset.empty = String(view.detections.length === 0);
  for (const [column, { list, section, tab }] of lists) {
    const rows = view.rows[column];
    list.render(rows, now);
    const isHidden = rareColumns.includes(column) && rows.length === 0;
    section.hidden = isHidden;
    tab.hidden = isHidden;
    setText(find(section, '.count'), formatNumber(rows.length));
    setText(find(tab, '.count'), formatNumber(rows.length));
    setText(find(section, '.column-none'), rows.length > 0 ? '' : isFiltered ? 'None of this account' : 'None yet');
  }
  if (rareColumns.includes(picked) && view.rows[picked].length === 0) pick('account');
  byId('main').dataset.empty = String(countAll() === 0);
  drawState(now);
  drawn = performance.now();
  restMs = (drawn - start) * restPerDrawing;
}

/** @param {number} now */
function drawState(now) {
  const state = connection !== 'live' ? connection : paused ? 'paused' : 'live';
  const words = { connecting: 'Connecting', reconnecting: 'Reconnecting', paused: 'Paused', live: 'Live' };
  byId('state').dataset.state = state;
  setText(byId('state-text'), words[state]);
  const count = countWhilePaused();
  setText(byId('pause-text'), !paused ? 'Pause' : count === 0 ? 'Resume' : `Resume · ${formatNumber(count)} new`);
  byId('pause').setAttribute('aria-pressed', String(paused !== null));
  const { events, rejects, since } = model.totals();
  const parts = [`${formatNumber(events)} events`, `${formatNumber(rejects)} rejected`, `${measureRate(now)}/s`];
  if (since !== null) parts.push(`since ${formatClock(since, now)}`);
  setText(byId('totals'), countAll() === 0 ? '' : parts.join(' · '));
  const found = model.view().detections.length;
  const title = found === 0 ? 'Hookwatch' : `(${found}) Hookwatch`;
  if (document.title !== title) document.title = title;
}

/** @param {number} now */
function measureRate(now) {
  const oldest = samples[0];
  if (!oldest || now - oldest.at < 1_000) return '0';
  const rate = ((countAll() - oldest.counted) * 1_000) / (now - oldest.at);
  return rate < 10 ? rate.toFixed(1) : formatNumber(Math.round(rate));
}

function sampleRate() {
  const now = Date.now();
  const counted = countAll();
  // The sums start anew when the console does.
  if ((samples.at(-1)?.counted ?? 0) > counted) samples = [];
  samples = [...samples.filter(({ at }) => now - at <= rateWindowMs), { at: now, counted }];
}

/** @param {string} text */
function announce(text) {
  byId('announcer').textContent = text;
}

function togglePause() {
  paused = paused ? null : { view: model.view(), counted: countAll() };
  announce(paused ? 'Paused' : 'Live');
  scheduleDrawing();
}

/** @param {HTMLElement} button */
function openRow(button) {
  const id = button.dataset.id ?? '';
  const name = /** @type {HTMLElement | null} */ (button.closest('.list'))?.dataset.list;
  if (name === 'detections') return panel.openDetection(id, `Detection · ${detections.item(id)?.account}`);
  const row = lists.get(/** @type {Column} */ (name))?.list.item(id);
  if (row) panel.openDelivery(row.delivery, `${row.name} · ${row.subject}`);
}

function readHash() {
  filter.value = new URLSearchParams(location.hash.slice(1)).get('account') ?? '';
  scheduleDrawing();
}

function writeHash() {
  const account = filter.value.trim();
  const hash = account ? `#${new URLSearchParams({ account })}` : '';
  history.replaceState(null, '', `${location.pathname}${hash}`);
  scheduleDrawing();
}

const walk = createWalk({
  detections: () => detections.element,
  columns: () => [...lists.values()].map(({ list }) => list.element),
  reveal(list) {
    const column = columns.find((name) => name === list.dataset.list);
    if (column) pick(column);
  },
});

/** @param {KeyboardEvent} event */
function handleKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || panel.isOpen() || keys.open) return;
  const target = /** @type {HTMLElement} */ (event.target);
  if (target === filter) {
    if (event.key !== 'Escape') return;
    filter.value = '';
    writeHash();
    filter.blur();
  } else if (event.key === '/') filter.focus();
  else if (event.key === '?') keys.showModal();
  // On a button the space bar presses it.
  else if (event.key === 'p' || (event.key === ' ' && !target.closest('button'))) togglePause();
  else if (!walk(event.key)) return;
  event.preventDefault();
}

pick('account');
readHash();
filter.addEventListener('input', writeHash);
addEventListener('hashchange', readHash);
addEventListener('keydown', handleKey);
byId('pause').addEventListener('click', togglePause);
byId('help').addEventListener('click', () => keys.showModal());
byId('keys-close').addEventListener('click', () => keys.close());
byId('main').addEventListener('click', (event) => {
  const button = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest('.row'));
  if (button) openRow(button);
});
setInterval(() => {
  sampleRate();
  if (document.hidden) return;
  const now = Date.now();
  detections.renderAges(now);
  for (const { list } of lists.values()) list.renderAges(now);
  drawState(now);
}, 1_000);

openStream({
  onState(state) {
    if (state === connection) return;
    if (connection !== 'connecting') announce(state === 'live' ? 'Live' : 'Reconnecting');
    connection = state;
    scheduleDrawing();
  },
  onChanges(changes, fresh) {
    const found = model.apply(changes, fresh);
    if (!fresh && found[0]) announce(`Detection: ${found[0].title}`);
    scheduleDrawing();
  },
});
