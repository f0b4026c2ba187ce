/** Wires the page of coverage: asks what the lanes say of themselves every few seconds, and draws it. */
/** @import { Reports } from './report.js' */
import { byId, setText } from './dom.js';
import { formatClock } from './format.js';
import { drawReports } from './report.js';

const askIntervalMs = 5_000;

const filter = /** @type {HTMLInputElement} */ (byId('account'));
/** @type {Reports} */
let reports = {};
let drawn = '';

async function ask() {
  try {
    const tenants = Object.keys(await read('/lanes'));
    const asked = tenants.map(async (tenant) => [tenant, await read(`/lanes/${encodeURIComponent(tenant)}/report`)]);
    reports = Object.fromEntries(await Promise.all(asked));
    showState('live', 'Live');
    setText(byId('totals'), `as of ${formatClock(Date.now(), Date.now())}`);
    draw();
  } catch {
    // What was drawn stays: it says as of when.
    showState('reconnecting', 'Reconnecting');
  }
}

/** @param {string} path @returns {Promise<any>} undefined where there is nothing */
async function read(path) {
  const response = await fetch(path);
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

/** @param {string} state @param {string} words */
function showState(state, words) {
  byId('state').dataset.state = state;
  setText(byId('state-text'), words);
}

/** Only where something has changed, ages by the minute: whoever reads or selects is not disturbed. */
function draw() {
  const minuteOf = (/** @type {number} */ at) => Math.floor(at / 60_000);
  const shown = Object.entries(reports).map(([tenant, report]) => [
    tenant,
    report && { ...report, position: 0, watermark: minuteOf(report.watermark) },
  ]);
  const wanted = JSON.stringify([shown, filter.value]);
  if (wanted === drawn) return;
  drawn = wanted;
  const focused = document.activeElement?.id ?? '';
  const scrolled = [...document.querySelectorAll('.wide')].map((table) => ({ id: table.id, left: table.scrollLeft }));
  drawReports(byId('report'), reports, filter.value.trim().toLowerCase());
  for (const { id, left } of scrolled) document.getElementById(id)?.scrollTo({ left });
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function readHash() {
  filter.value = new URLSearchParams(location.hash.slice(1)).get('account') ?? '';
  draw();
}

function writeHash() {
  const account = filter.value.trim();
  history.replaceState(null, '', `${location.pathname}${account ? `#${new URLSearchParams({ account })}` : ''}`);
  draw();
}

/** @param {KeyboardEvent} event */
function handleKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'Escape' && event.target === filter) {
    filter.value = '';
    writeHash();
    filter.blur();
  } else if (event.key === '/' && event.target !== filter) filter.focus();
  else return;
  event.preventDefault();
}

filter.addEventListener('input', writeHash);
addEventListener('hashchange', readHash);
addEventListener('keydown', handleKey);
document.addEventListener('visibilitychange', () => !document.hidden && void ask());
setInterval(() => !document.hidden && void ask(), askIntervalMs);
readHash();
void ask();
