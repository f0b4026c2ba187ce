import type { EventName } from './item.ts';
import type { Counts } from './tally.ts';

export interface SummaryOptions {
  counts: Counts;
  /** Names of the endpoints, by event. */
  endpoints: { root: Map<EventName, string>; branch: Map<EventName, string> };
  /** Stands in the name of everything that the run made. */
  runTag: string;
  seconds: number;
  /** How late the latest delivery began, in milliseconds. */
  lateMsMax: number;
  /** For example http://localhost:8123. */
  clickhouseUrl: string;
}

/** A query whose answer is known. */
export interface Check {
  what: string;
  expected: string;
  sql: string;
}

/** Lateness that is worth a word: the machine or the receiver did not keep up with the rate. */
const lateMsWorthSaying = 1_000;

/** What to do about an outcome that is not 202. */
const advice: Record<string, string> = {
  401: 'the edge does not trust this key: is it that of another data folder (HOOKWATCH_DATA)?',
  404: 'the edge does not know the endpoint: was hookwatch.yaml changed after it started?',
  503: 'the edge could not write to its journal in time, or the journal is full: see its /readyz',
  ECONNREFUSED: 'the edge was not running',
  ECONNRESET: 'the edge closed the connection without an answer: it may have stored the delivery, or not',
  TIMEOUT: 'no answer in time: the edge may have stored the delivery, or not',
};

/** The run in numbers, then commands that show the same numbers from ClickHouse. Ends with a line break. */
export function formatSummary(options: SummaryOptions): string {
  const { counts, clickhouseUrl } = options;
  const checks = listChecks(counts, options.runTag);
  const lines = [
    ...describeOutcomes(options),
    '',
    ...describeFacts(counts),
    '',
    ...describeCopies(options),
    ...describeDetections(counts),
    '',
    `Hold it against ClickHouse (names of this run contain ${options.runTag}):`,
    ...checks.flatMap(({ what, expected, sql }) => [
      `  # ${what}: expect ${expected}`,
      `  ${formatCurl(clickhouseUrl, sql)}`,
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Queries that must answer what this run counted, once all of it was worked. */
export function listChecks(counts: Counts, runTag: string): Check[] {
  const { fraud, alerts, deliveries, events, detections } = counts;
  const accountsOfRun = `account LIKE 'centurylink:${runTag}%'`;
  const expectedDetections = [...detections].map(([account, servers]) => `centurylink:${account}, count ${servers}`);
  return [
    {
      what: 'deliveries by event',
      expected: formatCounts(deliveries),
      sql: `SELECT event_name, count() FROM hookwatch.deliveries WHERE body ILIKE '%${runTag}%' GROUP BY event_name ORDER BY event_name`,
    },
    {
      what: 'events by type',
      expected: formatCounts(events),
      sql: `SELECT type, count() FROM hookwatch.events WHERE ${accountsOfRun} GROUP BY type ORDER BY type`,
    },
    {
      what: 'copies of an event at another endpoint',
      expected: String(counts.twins),
      sql: `SELECT sum(length(deliveries) - 1) FROM hookwatch.events WHERE ${accountsOfRun}`,
    },
    {
      what: 'deliveries that wait, of an account that is not known',
      expected: String(counts.pending),
      sql: `SELECT count() FROM hookwatch.deliveries WHERE id IN (SELECT id FROM hookwatch.deliveries_pending) AND body ILIKE '%${runTag}%'`,
    },
    {
      what: 'accounts',
      expected: String(counts.accounts.size),
      sql: `SELECT uniqExact(account) FROM hookwatch.events WHERE ${accountsOfRun}`,
    },
    {
      what: 'distinct servers created',
      expected: String(counts.serversCreated.size),
      sql: `SELECT uniqExact(subject) FROM hookwatch.events WHERE ${accountsOfRun} AND entity = 'server' AND action = 'created'`,
    },
    {
      what: 'alert episodes',
      expected: `closed ${alerts.closed}, open ${alerts.opened - alerts.closed}`,
      sql: `SELECT state, count() FROM hookwatch.episodes WHERE ${accountsOfRun} GROUP BY state ORDER BY state`,
    },
    {
      what: fraud ? 'detections, the labelled fraud alone' : 'detections',
      expected: expectedDetections.join('; ') || 'none',
      sql: `SELECT account, count FROM hookwatch.detections WHERE ${accountsOfRun}`,
    },
  ];
}

/** A command for a shell: nothing in the URL needs escaping within its quotes. */
export function formatCurl(clickhouseUrl: string, sql: string): string {
  const query = encodeURIComponent(sql).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `curl '${clickhouseUrl.replace(/\/+$/, '')}/?query=${query}'`;
}

function describeOutcomes({ counts, seconds, lateMsMax }: SummaryOptions): string[] {
  const { sent, accepted, outcomes, unsubscribed } = counts;
  const others = [...outcomes].filter(([outcome]) => outcome !== '202');
  return [
    `Sent ${sent} deliveries in ${seconds.toFixed(1)} s; ${accepted} were answered 202.`,
    ...others.map(([outcome, count]) => `  ${count} times ${outcome}${advice[outcome] ? `: ${advice[outcome]}` : ''}`),
    ...(unsubscribed > 0 ? [`  ${unsubscribed} more had no endpoint in hookwatch.yaml and were not sent`] : []),
    ...(lateMsMax > lateMsWorthSaying
      ? [`  the latest began ${(lateMsMax / 1_000).toFixed(1)} s behind its time: the rate was more than could be sent`]
      : []),
  ];
}

function describeFacts({ events, accounts, serversCreated, alerts }: Counts): string[] {
  const width = Math.max(0, ...[...events.keys()].map((name) => name.length));
  return [
    ...[...events].sort(byName).map(([name, count]) => `  ${name.padEnd(width)} ${String(count).padStart(8)}`),
    `  ${accounts.size} accounts, ${serversCreated.size} distinct servers created`,
    `  ${alerts.opened} alerts opened, ${alerts.closed} closed, ${alerts.opened - alerts.closed} never closed`,
  ];
}

/** What the loss meter must find once ten minutes have passed: rows are of hours, so of all runs within one. */
function describeCopies({ counts, endpoints }: SummaryOptions): string[] {
  const lost = [...counts.copies].sort(byName).flatMap(([event, { both, rootOnly, branchOnly }]) => {
    const [root, branch] = [endpoints.root.get(event) ?? '', endpoints.branch.get(event) ?? ''];
    return [
      { endpoint: branch, of: both + rootOnly, lost: rootOnly },
      { endpoint: root, of: both + branchOnly, lost: branchOnly },
    ].filter((row) => row.lost > 0);
  });
  if (counts.copies.size === 0) return [];
  return [
    `Told at two endpoints: ${counts.twins} events came to both. What came to one alone is in hookwatch.losses after ten minutes:`,
    ...lost.map((row) => `  ${row.lost} of ${row.of} lost at ${row.endpoint}`),
    ...(lost.length === 0 ? ['  nothing'] : []),
    '',
  ];
}

function describeDetections({ fraud, detections, nearMisses }: Counts): string[] {
  const misses = [...nearMisses].map(([label, account]) => `${account} (${label.replace('near-miss:', '')})`);
  const expected = fraud && detections.has(fraud.account);
  return [
    fraud
      ? `Labelled fraud: account ${fraud.account}, created and then given ${fraud.servers} distinct servers; ` +
        (expected ? 'expect one detection on it.' : 'too few were accepted, expect no detection.')
      : 'Labelled fraud: none was sent, the run was too short; expect no detection.',
    `Near misses, expect none on them: ${misses.join(', ') || 'none were sent'}.`,
  ];
}

function formatCounts(counts: Map<string, number>): string {
  return [...counts]
    .sort(byName)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function byName([left]: [string, unknown], [right]: [string, unknown]): number {
  return left < right ? -1 : 1;
}
