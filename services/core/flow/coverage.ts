/**
 * The coverage ledger: for each account, and for the lane as a whole (no account), from when until when absence of events
 * means that nothing happened.
 *
 *   causes   twins_lost          ├──┤
 *            endpoint_silent:e         ├────────┤
 *   rows     unknown     good    degr. good blind    good …     they meet, never overlap, and go on to now
 *                    │           │  │  │        │
 *                    measured    ▼  ▼  ▼        ▼               the worst cause of a time is its state
 *
 * What concerns all accounts is said once, in the rows of the lane; those of an account say what concerns it alone. The
 * ledger says what is known now of a time, not what was known then: causes that turn out to be none are taken back, and
 * rows within the lateness are amended. Rows are made at ticks.
 */
import { envelope, type StepContext } from './context.ts';
import { hourMs } from './durations.ts';
import { outputId } from './ids.ts';
import { firstHeard, gapsOf } from './outages.ts';
import { count, type FlowState, metaOf } from './state.ts';

export type CoverageLevel = 'unknown' | 'good' | 'degraded' | 'blind';

/** Why it is not good. Some name the endpoint after a colon. */
export type Reason =
  /** Blind: no edge was alive. */
  | 'no_edge'
  /** Blind: an edge was lost that may have had records which nobody else has. */
  | 'records_lost'
  /** Blind: nothing came to an endpoint for much longer than usual. */
  | `endpoint_silent:${string}`
  /** Degraded: records of an edge are known to be on their way. */
  | 'producer_behind'
  /** Degraded: the clock of the edge that took it in was not believed. */
  | 'clock_suspect'
  /** Degraded: an event of that hour reached another endpoint only. */
  | `twins_lost:${string}`
  /** Degraded: the provider's API told what no webhook had. */
  | 'reconciled';

/** Said where nothing else is and nothing measures whether webhooks are lost. */
const notMeasured = 'not_measured';

/** Rows of one account that can be amended; before them its ledger is closed, even within the lateness. */
const rowsMax = 256;
/** Accounts whose rows are made at one tick; the others wait for the next ones. */
const accountsMax = 1_000;

/** A time for which a reason holds; `to` is null while it goes on. Epoch milliseconds. */
export interface CauseSpan {
  from: number;
  to: number | null;
}

interface Row {
  startedAt: number;
  endedAt: number | null;
  level: CoverageLevel;
  reasons: string[];
}

export interface CoverageState {
  /** When it was first heard of. */
  since: number;
  /** What is before is closed. */
  floor: number;
  /** When it was first measured whether anything is lost; null: never. */
  measuredAt: number | null;
  /** When the last reconciliation began that has compared all of it; null: none did. */
  comparedAt: number | null;
  causes: Record<string, CauseSpan[]>;
  /** Those that stand and may be amended, by startedAt. The last one goes on. */
  rows: Row[];
  /** Of whatever row was emitted last: one that was taken back may come again. */
  revision: number;
}

/** Account of the rows that concern all. */
export const everyAccount = '';

/** Notes that an account was heard of. */
export function noteAccount(context: StepContext, account: string, at: number): void {
  const met = context.state.coverage.get('', account);
  if (met && at >= met.since) return;
  const known = met && close(context, met);
  if (known && isClosed(known)) return;
  if (known) put(context, account, { ...known, since: at, floor: at });
  else put(context, account, begin(at));
}

/** Notes from when on it is measured whether webhooks of an account are lost. */
export function noteMeasured(context: StepContext, account: string, at: number): void {
  noteAccount(context, account, at);
  const known = context.state.coverage.get('', account)!;
  if (known.measuredAt !== null && known.measuredAt <= at) return;
  put(context, account, { ...known, measuredAt: at });
}

/** Notes that all of an account was compared with the provider's API. `at`: when the comparison began. */
export function noteCompared(context: StepContext, account: string, at: number): void {
  noteMeasured(context, account, at);
  const known = context.state.coverage.get('', account)!;
  context.state.coverage.set('', account, { ...known, comparedAt: Math.max(at, known.comparedAt ?? 0) });
}

/** An hour in which so many events of an account reached another endpoint only. 0 takes it back. */
export function noteLoss(
  context: StepContext,
  loss: { account: string; endpoint: string; hour: number; alone: number },
): void {
  const { account, endpoint, hour, alone } = loss;
  const reason: Reason = `twins_lost:${endpoint}`;
  // An endpoint to which nothing comes at all has an account that nobody may have heard of.
  if (alone > 0) noteAccount(context, account, hour);
  const spans = (context.state.coverage.get('', account)?.causes[reason] ?? []).flatMap((span) => hoursOf(span));
  const others = spans.filter(({ from }) => from !== hour);
  if (others.length === spans.length && alone === 0) return;
  noteCause(context, account, reason, alone > 0 ? [...others, { from: hour, to: hour + hourMs }] : others);
}

/** Adds a time for which a reason holds. */
export function addCause(context: StepContext, account: string, reason: Reason, span: CauseSpan): void {
  const known = context.state.coverage.get('', account)?.causes[reason] ?? [];
  noteCause(context, account, reason, [...known, span]);
}

/** Sets all times of a reason that may still be amended. An account that nobody has heard of has no ledger. */
export function noteCause(context: StepContext, account: string, reason: Reason, spans: readonly CauseSpan[]): void {
  const met = context.state.coverage.get('', account);
  if (!met) return;
  const known = close(context, met);
  const { [reason]: before = [], ...others } = known.causes;
  const after = merge(spans.filter((span) => mayMatter(known, span)));
  if (JSON.stringify(before) === JSON.stringify(after)) return;
  put(context, account, { ...known, causes: after.length > 0 ? { ...others, [reason]: after } : others });
}

/** At a tick: makes the rows of what has changed. */
export function emitCoverage(context: StepContext): void {
  const { dirtyCoverage } = context.state;
  for (const [account] of dirtyCoverage.sortedEntries('').slice(0, accountsMax)) {
    dirtyCoverage.delete('', account);
    emitRows(context, account);
  }
}

/** The lane as a whole: from its first sign of life on, blind where no edge was alive. */
export function noteOutages(context: StepContext): void {
  const { state } = context;
  const at = firstHeard(state);
  if (at === undefined) return;
  noteAccount(context, everyAccount, at);
  noteMeasured(context, everyAccount, at);
  noteCause(context, everyAccount, 'no_edge', gapsOf(state));
}

function begin(at: number): CoverageState {
  return { since: at, floor: at, measuredAt: null, comparedAt: null, causes: {}, rows: [], revision: 0 };
}

function providerOf(account: string): string {
  return account.slice(0, Math.max(0, account.indexOf(':')));
}

function put(context: StepContext, account: string, entry: CoverageState): void {
  context.state.coverage.set('', account, entry);
  context.state.dirtyCoverage.set('', account, true);
}

/** Ascending, and those that meet are one. */
function merge(spans: readonly CauseSpan[]): CauseSpan[] {
  const merged: CauseSpan[] = [];
  for (const { from, to } of spans.filter(isSome).sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (!last || (last.to !== null && last.to < from)) merged.push({ from, to });
    else
      merged[merged.length - 1] = {
        from: last.from,
        to: last.to === null || to === null ? null : Math.max(last.to, to),
      };
  }
  return merged;
}

function isSome({ from, to }: CauseSpan): boolean {
  return to === null || to > from;
}

/** The hours that a time of whole hours is made of. */
function hoursOf({ from, to }: CauseSpan): CauseSpan[] {
  const hours: CauseSpan[] = [];
  for (let hour = from; hour < (to ?? from); hour += hourMs) hours.push({ from: hour, to: hour + hourMs });
  return hours;
}

function emitRows(context: StepContext, account: string): void {
  const { state } = context;
  const before = state.coverage.get('', account)!;
  const rows = rowsOf(before);
  let { revision } = before;
  for (const row of rows) {
    const known = before.rows.find(({ startedAt }) => startedAt === row.startedAt);
    if (known?.endedAt === row.endedAt && saysTheSame(known, row)) continue;
    revision += 1;
    emitRow(context, account, row, revision);
  }
  for (const known of before.rows) {
    if (rows.some(({ startedAt }) => startedAt === known.startedAt)) continue;
    revision += 1;
    const instead = rows.findLast(({ startedAt }) => startedAt < known.startedAt);
    emitRow(context, account, known, revision, instead);
  }
  countLevel(state, account, before.rows, rows);
  state.coverage.set('', account, close(context, { ...before, rows, revision }));
}

/** What an account's causes come to from its floor on. */
function rowsOf({ floor, measuredAt, causes }: CoverageState): Row[] {
  const spans = Object.entries(causes).flatMap(([reason, all]) => all.map((span) => ({ ...span, reason })));
  const edges = [
    floor,
    ...(measuredAt === null ? [] : [measuredAt]),
    ...spans.flatMap(({ from, to }) => [from, to ?? from]),
  ];
  const starts = [...new Set(edges)].filter((at) => at >= floor).sort((a, b) => a - b);
  const rows: Row[] = [];
  for (const startedAt of starts) {
    const holding = spans.filter(({ from, to }) => from <= startedAt && (to === null || to > startedAt));
    const row: Row = { startedAt, endedAt: null, ...judge(holding, measuredAt !== null && measuredAt <= startedAt) };
    const last = rows.at(-1);
    if (last && saysTheSame(last, row)) continue;
    if (last) last.endedAt = startedAt;
    rows.push(row);
  }
  return rows;
}

function judge(holding: readonly { reason: string }[], measured: boolean): Pick<Row, 'level' | 'reasons'> {
  const reasons = [...new Set(holding.map(({ reason }) => reason))].sort();
  if (reasons.length === 0) return measured ? { level: 'good', reasons } : { level: 'unknown', reasons: [notMeasured] };
  return { level: reasons.some(isBlinding) ? 'blind' : 'degraded', reasons };
}

function isBlinding(reason: string): boolean {
  return reason === 'no_edge' || reason === 'records_lost' || reason.startsWith('endpoint_silent:');
}

function saysTheSame(a: Pick<Row, 'level' | 'reasons'>, b: Pick<Row, 'level' | 'reasons'>): boolean {
  return a.level === b.level && a.reasons.join() === b.reasons.join();
}

/** Without the rows that can be amended no longer, and the causes of them. */
function close({ state, settings }: StepContext, entry: CoverageState): CoverageState {
  const { rows } = entry;
  const until = metaOf(state).watermark - settings.lateness_ms;
  const first = rows.findIndex(
    ({ endedAt }, n) => n >= rows.length - rowsMax && (endedAt === null || endedAt >= until),
  );
  if (first <= 0) return entry;
  const floor = rows[first]!.startedAt;
  const causes: Record<string, CauseSpan[]> = {};
  for (const [reason, spans] of Object.entries(entry.causes)) {
    const kept = spans.filter(({ to }) => to === null || to > floor);
    if (kept.length > 0) causes[reason] = kept;
  }
  return { ...entry, floor, causes, rows: rows.slice(first) };
}

/** Its beginning can be amended no longer. */
function isClosed({ since, floor }: CoverageState): boolean {
  return floor !== since;
}

/** One before the beginning does where an account may turn out to have been heard of earlier. */
function mayMatter(entry: CoverageState, { to }: CauseSpan): boolean {
  return to === null || to > entry.floor || !isClosed(entry);
}

/** Counts accounts by how they are now. */
function countLevel(state: FlowState, account: string, before: readonly Row[], after: readonly Row[]): void {
  const [was, is] = [before.at(-1)?.level, after.at(-1)?.level];
  if (account === everyAccount || was === is) return;
  const provider = providerOf(account);
  if (was) count(state, 'coverage', `${provider}|${was}`, -1);
  if (is) count(state, 'coverage', `${provider}|${is}`);
}

/** `instead`: the row that a row is withdrawn for. */
function emitRow(context: StepContext, account: string, row: Row, revision: number, instead?: Row): void {
  const idOf = ({ startedAt }: Row) => outputId(startedAt, 'coverage', context.tenant, account, String(startedAt));
  context.emit('coverage', {
    ...envelope(context, idOf(row), revision, row.startedAt),
    withdrawn: instead !== undefined,
    replaced_by: instead ? idOf(instead) : '',
    provider: providerOf(account),
    account,
    state: row.level,
    reasons: row.reasons,
    started_at: row.startedAt,
    ended_at: row.endedAt,
  });
}
