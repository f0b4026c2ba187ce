/** How a row and a detection are written into their elements. */
/** @import { DetectionRow, Row } from '../row.ts' */
import { find, make } from './dom.js';
import { formatClock, formatInstant, formatLength, formatNumber } from './format.js';

/** @type {Record<string, { mark: string, text: string }>} */
export const verdicts = {
  verified: { mark: '✓', text: 'verified' },
  shared_secret: { mark: '≈', text: 'shared secret' },
  unauthenticated: { mark: '?', text: 'not authenticated' },
  rejected: { mark: '✕', text: 'rejected' },
  '': { mark: '·', text: 'delivery not known' },
};

/** @param {HTMLElement} button @param {Row} row */
export function fillRow(button, row) {
  const verdict = verdicts[row.verdict] ?? { mark: '·', text: row.verdict };
  const { episode } = row;
  button.dataset.action = row.action;
  button.dataset.episode = episode?.state ?? '';
  button.dataset.verdict = row.verdict;
  find(button, '.action').textContent = episode ? `${episode.metric} ${episode.happened}` : row.action;
  find(button, '.subject').textContent = row.subject || '(no name)';
  fillAccount(find(button, '.account'), row.account);
  find(button, '.chips').replaceChildren(...describeChips(row));
  find(button, '.at').textContent = formatClock(row.received_at, Date.now());
  const mark = find(button, '.verdict');
  mark.replaceChildren(
    make('span', { text: verdict.mark, 'aria-hidden': true }),
    make('span', { text: verdict.text, className: 'unseen' }),
  );
  const by = row.key_id ? ` by key ${row.key_id}` : '';
  button.title = `${row.name} · ${formatInstant(row.received_at)} · ${verdict.text}${by}`;
}

/**
 * The provider gives way where there is no room for both.
 * @param {HTMLElement} element
 * @param {string} account as provider:account
 */
function fillAccount(element, account) {
  const split = account.indexOf(':') + 1;
  element.replaceChildren(
    make('span', { text: account.slice(0, split), className: 'provider' }),
    make('span', { text: account.slice(split) || 'account unknown', className: 'alias' }),
  );
}

/** @param {Row} row */
function describeChips(row) {
  const chips = [];
  if (row.kind === 'reject') chips.push(chip(row.name, ''));
  const lengthMs = row.episode?.length_ms ?? null;
  if (lengthMs !== null) chips.push(chip(formatLength(lengthMs), 'chip-whole'));
  if (row.novelty === 'seen') chips.push(chip('first seen', 'chip-new'));
  if (row.novelty === 'created') chips.push(chip('new', 'chip-new'));
  if (row.recovered) chips.push(chip('recovered', 'chip-new'));
  if (row.deliveries > 1) chips.push(chip(`${row.deliveries} deliveries`, ''));
  for (const flag of row.flags) chips.push(chip(flag, 'chip-warn'));
  return chips;
}

/** @param {string} text @param {string} className */
function chip(text, className) {
  return make('span', { text, className: `chip ${className}` });
}

/** @param {HTMLElement} button @param {DetectionRow} detection */
export function fillDetection(button, detection) {
  const { severity, title, account, subjects, count, threshold, window_ms, received_at } = detection;
  button.dataset.severity = severity;
  find(button, '.severity').textContent = severity;
  find(button, '.title').textContent = title;
  find(button, '.subjects').textContent = subjects.join(', ') + (count > subjects.length ? ', …' : '');
  fillAccount(find(button, '.account'), account);
  find(button, '.tally').textContent = `${formatNumber(count)} in ${formatLength(window_ms)}`;
  button.title = `${detection.rule} fires at ${threshold} in ${formatLength(window_ms)} · fired ${formatInstant(received_at)}`;
}
