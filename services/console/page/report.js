/** How the reports of lanes are drawn: what is known, what was missed, and where nobody can tell. */
/** @import { LaneReport } from '../../core/flow/report.ts' */
import { make } from './dom.js';
import { formatAge, formatInstant, formatNumber } from './format.js';

/** By tenant; undefined where nobody works on the lane. @typedef {Record<string, LaneReport | undefined>} Reports */
/** @typedef {{ text: string, className?: string, tone?: string, title?: string }} Cell */

/** @type {Record<string, string>} */
const tones = {
  good: 'good',
  ok: 'good',
  degraded: 'warn',
  missed: 'warn',
  silent: 'warn',
  blind: 'bad',
  failing: 'bad',
};

/**
 * @param {HTMLElement} main
 * @param {Reports} reports
 * @param {string} filter a part of an account's name in lower case
 */
export function drawReports(main, reports, filter) {
  const names = Object.keys(reports).sort();
  const none = make('p', { className: 'quiet', text: 'No lane is worked on yet.' });
  main.replaceChildren(
    ...(names.length === 0 ? [none] : names.flatMap((name) => drawLane(name, reports[name], filter))),
  );
}

/** @param {string} tenant @param {LaneReport | undefined} report @param {string} filter */
function drawLane(tenant, report, filter) {
  const title = make('h2', { text: tenant });
  if (!report) return [title, make('p', { className: 'quiet', text: 'Nobody works on this lane now.' })];
  /** @template {{ account: string }} Row @param {{ rows: Row[], count: number }} part */
  const fitting = ({ rows, count }) => ({
    rows: rows.filter(({ account }) => account.toLowerCase().includes(filter)),
    count: filter === '' ? count : 0,
  });
  return [
    title,
    ...drawCoverage(tenant, fitting(report.coverage)),
    ...drawLosses(tenant, fitting(report.losses)),
    ...drawComparisons(tenant, fitting(report.comparisons), report.watermark),
    ...drawBackups(tenant, fitting(report.backups), report.watermark),
  ];
}

/** @param {string} tenant @param {LaneReport['coverage']} part */
function drawCoverage(tenant, { rows, count }) {
  return section({
    tenant,
    title: 'Coverage',
    explained: 'Whether everything that happened was told to us. Where it was not, nothing is claimed to be absent.',
    none: 'Nothing is known of any account yet.',
    table: 'hookwatch.coverage',
    headings: ['Account', 'State', 'Since', 'Why'],
    count,
    rows: rows.map(({ account, state, since, reasons }) => [
      { text: account || 'all accounts' },
      standing(state),
      instant(since),
      { text: reasons.map(spoken).join(', '), className: 'words' },
    ]),
  });
}

/** @param {string} tenant @param {LaneReport['losses']} part */
function drawLosses(tenant, { rows, count }) {
  return section({
    tenant,
    title: 'Lost deliveries',
    explained:
      'Two endpoints that should both hear of the same events are held against each other. What only the other one heard was lost here: a lower bound, for what both lost nobody knows.',
    none: 'No two endpoints hear of the same events, or none of those has come yet.',
    table: 'hookwatch.losses',
    headings: ['Endpoint', 'Held against', 'Owner', 'Both heard', 'Lost here', 'Share'],
    count,
    rows: rows.map(({ endpoint, other, account, both, alone }) => [
      { text: endpoint },
      { text: other },
      { text: account },
      number(both),
      { ...number(alone), tone: alone > 0 ? 'bad' : 'good' },
      { text: both + alone === 0 ? '' : `${((100 * alone) / (both + alone)).toFixed(1)} %`, className: 'number' },
    ]),
  });
}

/** @param {string} tenant @param {LaneReport['comparisons']} part @param {number} now */
function drawComparisons(tenant, { rows, count }, now) {
  return section({
    tenant,
    title: 'Reconciliation',
    explained: 'The newest comparison of each account with its provider, and what no webhook had told of by then.',
    none: 'Nothing was compared with a provider yet: hookwatch reconcile does it.',
    table: 'hookwatch.reconciliations',
    headings: ['Account', 'Run', 'Age', 'Servers', 'Creations missed', 'Changes missed', 'Deletions missed', 'By'],
    count,
    rows: rows.map((row) => [
      { text: row.account },
      { ...ending(row), title: row.run },
      age(row.startedAt, now, ''),
      number(row.servers),
      number(row.missed.creations),
      number(row.missed.changes),
      number(row.missed.deletions),
      { text: listOf(row.byEndpoint), className: 'words' },
    ]),
  });
}

/** @param {LaneReport['comparisons']['rows'][number]} comparison */
function ending({ completedAt, bootstrap }) {
  if (completedAt === null) return { text: 'not whole', tone: 'warn' };
  return { text: bootstrap ? 'first' : 'whole', tone: 'good' };
}

/** @param {Record<string, number>} counts */
function listOf(counts) {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${formatNumber(count)}`)
    .join(', ');
}

/** @param {string} tenant @param {LaneReport['backups']} part @param {number} now */
function drawBackups(tenant, { rows, count }, now) {
  return section({
    tenant,
    title: 'Backups that need a look',
    explained: 'Servers whose backups fail, were missed, or have fallen silent though they used to report.',
    none: 'None.',
    table: 'hookwatch.backups',
    headings: ['Account', 'Server', 'Policy', 'State', 'Last success', 'Last report', 'Failures', 'Missed'],
    count,
    rows: rows.map((row) => [
      { text: row.account },
      { text: row.server },
      { text: row.policy, className: 'words' },
      standing(row.state),
      age(row.lastSuccessAt, now, 'never'),
      age(row.lastReportAt, now, ''),
      number(row.failures),
      number(row.missed),
    ]),
  });
}

/**
 * @param {object} options
 * @param {string} options.tenant
 * @param {string} options.title
 * @param {string} options.explained
 * @param {string} options.none what is said where there are no rows
 * @param {string} options.table of ClickHouse that has all of them
 * @param {string[]} options.headings
 * @param {number} options.count how many there are, where `rows` may be a part of them; 0 where that is not known
 * @param {Cell[][]} options.rows
 */
function section({ tenant, title, explained, none, table, headings, count, rows }) {
  const heading = make('h3', { text: title });
  const words = make('p', { className: 'quiet', text: rows.length === 0 ? `${explained} ${none}` : explained });
  if (rows.length === 0) return [heading, words];
  const hasNumbers = (/** @type {number} */ column) => rows[0]?.[column]?.className === 'number';
  const head = headings.map((text, column) =>
    make('th', { text, scope: 'col', className: hasNumbers(column) ? 'number' : '' }),
  );
  const body = rows.map((cells) => make('tr', { children: cells.map(drawCell) }));
  const drawn = make('table', {
    'aria-label': title,
    children: [make('thead', { children: [make('tr', { children: head })] }), make('tbody', { children: body })],
  });
  const part = count > rows.length ? `${formatNumber(rows.length)} of ${formatNumber(count)}. ` : '';
  const all = make('p', {
    className: 'quiet',
    children: [
      document.createTextNode(`${part}With their history: `),
      make('code', { text: `SELECT * FROM ${table}` }),
    ],
  });
  // Can have the focus, so that it can be scrolled by keyboard.
  const wide = make('div', {
    id: `${table}/${tenant}`,
    className: 'wide',
    tabindex: 0,
    role: 'region',
    'aria-label': title,
    children: [drawn],
  });
  return [heading, words, wide, all];
}

/** @param {Cell} cell @param {number} column */
function drawCell({ text, className = '', tone, title = '' }, column) {
  const content =
    tone === undefined ? make('bdi', { text }) : make('span', { text, className: 'standing', 'data-tone': tone });
  const options = { className, title, children: [content] };
  return column === 0 ? make('th', { ...options, scope: 'row' }) : make('td', options);
}

/** @param {string} state @returns {Cell} */
function standing(state) {
  return { text: state, tone: tones[state] ?? 'none' };
}

/** @param {number} value @returns {Cell} */
function number(value) {
  return { text: formatNumber(value), className: 'number' };
}

/** @param {number} at @returns {Cell} */
function instant(at) {
  return { text: formatInstant(at).slice(0, 16), title: formatInstant(at) };
}

/** @param {number | null} at @param {number} now @param {string} never @returns {Cell} */
function age(at, now, never) {
  return at === null ? { text: never } : { text: formatAge(at, now), title: formatInstant(at) };
}

/** @param {string} word snake_case */
function spoken(word) {
  return word.replaceAll('_', ' ');
}
