/** The panel of one delivery or detection, filled from what the server still holds of it. */
/** @import { Delivery, Detection, Episode, Event, Reject } from '../../core/records/generated.ts' */
/** @import { ReadableBody } from '../payload.ts' */
/** @import { Evidence } from '../row.ts' */
import { byId, make } from './dom.js';
import { formatAge, formatBytes, formatClockMs, formatInstant, formatLength, formatNumber } from './format.js';
import { renderPayload } from './payload.js';
import { verdicts } from './rows.js';

/**
 * @typedef {object} DeliveryAnswer
 * @property {Omit<Delivery, 'body'> & { body: ReadableBody }} delivery
 * @property {{ header: string, value: string } | null} signature
 * @property {Event | null} event
 * @property {Reject | null} reject
 * @property {Episode | null} episode
 * @property {string} sql
 */
/** @typedef {{ detection: Detection, evidence: Evidence[], sql: string }} DetectionAnswer */
/** @typedef {{ error: string, hint?: string, sql?: string }} ErrorAnswer */
/** @typedef {{ path: string, title: string }} Place */

export function createPanel() {
  const panel = byId('panel');
  const dialog = /** @type {HTMLDialogElement} */ (panel);
  const body = byId('panel-body');
  const back = byId('panel-back');
  /** @type {Place[]} */
  let trail = [];

  /** @param {Place} place */
  async function show(place) {
    byId('panel-title').textContent = place.title;
    back.hidden = trail.length < 2;
    body.setAttribute('aria-busy', 'true');
    const sections = await load(place.path);
    // Another place may have been asked for meanwhile.
    if (trail.at(-1) !== place) return;
    body.replaceChildren(...sections);
    body.removeAttribute('aria-busy');
    body.scrollTop = 0;
  }

  /** @param {string} path @returns {Promise<HTMLElement[]>} */
  async function load(path) {
    try {
      const response = await fetch(path, { headers: { Accept: 'application/json' } });
      const answer = await response.json();
      if (!response.ok) return describeError(answer);
      return path.startsWith('/detections/') ? describeDetection(answer, open) : describeDelivery(answer, open);
    } catch {
      return describeError({ error: 'The console does not answer', hint: 'It may be starting again: try once more.' });
    }
  }

  /** @param {Place} place */
  function open(place) {
    trail.push(place);
    if (!dialog.open) {
      body.replaceChildren();
      dialog.showModal();
    }
    body.focus();
    void show(place);
  }

  back.addEventListener('click', () => {
    trail.pop();
    const place = trail.at(-1);
    if (place) void show(place);
    body.focus();
  });
  byId('panel-close').addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  // The browser gives the focus back to the row that had it.
  dialog.addEventListener('close', () => {
    trail = [];
  });

  return {
    isOpen: () => dialog.open,
    /** @param {string} id @param {string} title */
    openDelivery: (id, title) => open({ path: `/deliveries/${encodeURIComponent(id)}`, title }),
    /** @param {string} id @param {string} title */
    openDetection: (id, title) => open({ path: `/detections/${encodeURIComponent(id)}`, title }),
  };
}

/** @param {DeliveryAnswer} answer @param {(place: Place) => void} open */
function describeDelivery({ delivery, signature, event, reject, episode, sql }, open) {
  const { body } = delivery;
  return [
    describeVerdict(delivery, reject),
    describeFacts([
      ['Event', event ? `${event.type} · ${event.subject}` : delivery.event_name],
      ['Account', event?.account || reject?.account || delivery.account],
      [
        'Happened',
        event && `${formatInstant(event.time)} (${event.time_basis === 'provider' ? 'by the body' : 'as received'})`,
      ],
      ['Received', formatWhen(delivery.received_at)],
      ['Endpoint', `${delivery.endpoint} (${delivery.provider} ${delivery.event_name})`],
      ['Novelty', event?.novelty],
      ['Episode', episode && describeEpisode(episode)],
      ['Flags', [...new Set([...delivery.flags, ...(event?.flags ?? [])])].join(', ')],
      ['Lane', `${delivery.tenant}, position ${formatNumber(delivery.position)}`],
      ['Delivery', delivery.id],
      ['Event id', event?.id],
    ]),
    describeTwins(delivery.id, event, open),
    section('Signature', signature && copyButton(signature.value), [
      signature
        ? make('pre', { className: 'signature', text: `${signature.header}: ${signature.value}` })
        : make('p', { className: 'quiet', text: 'The request carried none.' }),
    ]),
    section(`Payload`, copyButton(body.text), [
      make('p', { className: 'quiet', text: describeBody(body) }),
      renderPayload(body.text, body.json),
    ]),
    section('Headers', null, [describeHeaders(delivery.headers)]),
    section('In ClickHouse', copyButton(sql), [make('pre', { className: 'signature', text: sql })]),
  ].filter((element) => element !== null);
}

/** @param {DeliveryAnswer['delivery']} delivery @param {Reject | null} reject */
function describeVerdict(delivery, reject) {
  const { mark, text } = verdicts[delivery.verdict] ?? { mark: '·', text: delivery.verdict };
  const by = delivery.key_id ? ` by key ${delivery.key_id}` : '';
  const why = delivery.verdict_reason ? `: ${delivery.verdict_reason}` : '';
  const lines = [
    make('p', {
      children: [make('span', { text: mark, 'aria-hidden': true }), make('strong', { text: `${text}${by}${why}` })],
    }),
  ];
  if (reject && reject.reason !== delivery.verdict_reason) {
    lines.push(make('p', { text: `Rejected: ${reject.reason}` }));
  }
  if (reject?.detail) lines.push(make('p', { className: 'quiet', text: reject.detail }));
  return make('div', {
    className: 'verdict-box',
    'data-verdict': reject ? 'rejected' : delivery.verdict,
    children: lines,
  });
}

/** @param {number} at */
function formatWhen(at) {
  const age = formatAge(at, Date.now());
  return `${formatInstant(at)} · ${age === 'now' ? age : `${age} ago`}`;
}

/** @param {Episode} episode */
function describeEpisode({ metric, state, opened_at, length_ms, ended_by }) {
  if (state === 'open' || length_ms === null) return `${metric}, open since ${formatInstant(opened_at)}`;
  return `${metric}, closed after ${formatLength(length_ms)}${ended_by ? ` by ${ended_by}` : ''}`;
}

/** @param {string} id @param {Event | null} event @param {(place: Place) => void} open */
function describeTwins(id, event, open) {
  const others = (event?.deliveries ?? []).filter((other) => other !== id);
  if (others.length === 0) return null;
  const links = others.map((other) =>
    make('li', { children: [link(other, () => open({ path: `/deliveries/${other}`, title: 'Twin' }))] }),
  );
  return section('The same fact, delivered again', null, [make('ul', { className: 'links', children: links })]);
}

/** @param {ReadableBody} body */
function describeBody(body) {
  const size = formatBytes(body.bytes);
  if (body.encoding === 'base64') return `${size}, not UTF-8: shown in base64`;
  return body.json ? `${size}, JSON, indented for reading` : `${size}, not JSON: shown as received`;
}

/** @param {Record<string, string>} headers */
function describeHeaders(headers) {
  const rows = Object.entries(headers).map(([name, value]) => {
    return make('div', { children: [make('dt', { text: name }), make('dd', { text: value })] });
  });
  return make('dl', { className: 'facts mono', children: rows });
}

/** @param {DetectionAnswer} answer @param {(place: Place) => void} open */
function describeDetection({ detection, evidence, sql }, open) {
  const { severity, title, count, threshold, window_ms, started_at, fired_at, subjects } = detection;
  const missing = detection.events.length - evidence.length;
  return [
    make('div', {
      className: 'verdict-box',
      'data-severity': severity,
      children: [make('p', { children: [make('strong', { text: title })] })],
    }),
    describeFacts([
      ['Severity', severity],
      ['Account', detection.account],
      ['Rule', `${detection.rule}: ${threshold} within ${formatLength(window_ms)}`],
      ['Reached', `${formatNumber(count)} in ${formatLength(Math.max(0, fired_at - started_at))} when it fired`],
      ['Started', formatInstant(started_at)],
      ['Fired', formatWhen(fired_at)],
      ['Subjects', subjects.slice(0, 100).join(', ')],
      ['Lane', `${detection.tenant}, position ${formatNumber(detection.position)}`],
      ['Detection', detection.id],
    ]),
    section(`Evidence: ${formatNumber(detection.events.length)} events`, null, [
      make('ol', { className: 'evidence', children: evidence.map((item) => describeEvidence(item, open)) }),
      missing > 0 ? make('p', { className: 'quiet', text: `and ${formatNumber(missing)} more` }) : null,
    ]),
    section('In ClickHouse', copyButton(sql), [make('pre', { className: 'signature', text: sql })]),
  ];
}

/** @param {Evidence} evidence @param {(place: Place) => void} open */
function describeEvidence({ event, delivery, name, subject, received_at }, open) {
  if (!delivery) return make('li', { children: [make('span', { className: 'quiet', text: event })] });
  const place = { path: `/deliveries/${encodeURIComponent(delivery)}`, title: `${name} · ${subject}` };
  return make('li', {
    children: [
      make('span', { className: 'at', text: formatClockMs(received_at) }),
      make('span', { className: 'quiet', text: name }),
      link(subject || event, () => open(place)),
    ],
  });
}

/** @param {ErrorAnswer} answer */
function describeError({ error, hint, sql }) {
  return [
    make('div', { className: 'verdict-box', 'data-verdict': 'unknown', children: [make('strong', { text: error })] }),
    make('p', { text: hint ?? '' }),
    ...(sql ? [section('In ClickHouse', copyButton(sql), [make('pre', { className: 'signature', text: sql })])] : []),
  ];
}

/** @param {[string, string | null | undefined][]} facts those without a value are left out */
function describeFacts(facts) {
  const rows = facts
    .filter(([, value]) => value)
    .map(([name, value]) => {
      return make('div', { children: [make('dt', { text: name }), make('dd', { text: value ?? '' })] });
    });
  return make('dl', { className: 'facts', children: rows });
}

/** @param {string} title @param {HTMLElement | null} action @param {(HTMLElement | null)[]} children */
function section(title, action, children) {
  const head = make('div', { className: 'section-head', children: [make('h3', { text: title }), action] });
  return make('section', { children: [head, ...children] });
}

/** @param {string} text @param {() => void} follow */
function link(text, follow) {
  const button = make('button', { type: 'button', className: 'link', text });
  button.addEventListener('click', follow);
  return button;
}

/** @param {string} text */
function copyButton(text) {
  const button = make('button', { type: 'button', className: 'button button-small', text: 'Copy' });
  button.addEventListener('click', async () => {
    button.textContent = await copy(text).then(
      () => 'Copied',
      () => 'Cannot copy',
    );
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 1_500);
  });
  return button;
}

/** @param {string} text */
async function copy(text) {
  // Absent where the page is neither served over HTTPS nor from this machine.
  if (!navigator.clipboard) throw new Error('The browser offers no clipboard here');
  await navigator.clipboard.writeText(text);
}
