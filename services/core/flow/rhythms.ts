/**
 * How often an endpoint is called, and whether it is silent for much longer than that.
 *
 *   calls     │││  ││    │││ │      ││ │                        its longest pause of the last 14 days: p
 *             ┴┴┴──┴┴────┴┴┴─┴──────┴┴─┴──────────────────┬──▶
 *                                      └── 2 p, 1 h at least ── silent from its last call on, until it is called again
 *
 * Only an endpoint with enough of a history is judged: seven days of it, and a hundred minutes in which it was called.
 * Nights and weekends are among its pauses then. A silence teaches nothing: it is no pause.
 */
import { planAlarm } from './alarms.ts';
import type { StepContext } from './context.ts';
import { noteCause, type Reason } from './coverage.ts';
import { dayMs, hourMs, minuteMs } from './durations.ts';
import { planExpiry } from './expiry.ts';
import { deafMs, endOfPatience } from './outages.ts';
import { metaOf } from './state.ts';

const historyDays = 14;
const historyMsMin = 7 * dayMs;
const callsMin = 100;
const silentMsMin = hourMs;
const never = Number.MAX_SAFE_INTEGER;

/** What is known of how often an endpoint is called. Calls of one minute are one. */
export interface RhythmState {
  account: string;
  firstAt: number;
  lastAt: number;
  /** Day since 1970 → calls and the longest pause that ended on it; the last fourteen. */
  days: [day: number, calls: number, longestMs: number][];
  /** Judged to be silent since lastAt. */
  silent: boolean;
  /** The earliest alarm that is planned. */
  alarmAt: number;
}

/** Notes a call of an endpoint. */
export function noteCall(
  context: StepContext,
  { endpoint, account, at }: { endpoint: string; account: string; at: number },
): void {
  const { state, settings } = context;
  const known = state.rhythms.get('', endpoint) ?? begin(account, at);
  // Also one that comes late from another edge.
  if (known.days.length > 0 && at < known.lastAt + minuteMs) return;
  if (known.silent) noteCause(context, known.account, reasonOf(endpoint), ended(context, known, endpoint, at));
  const pauseMs = known.silent ? 0 : at - known.lastAt - deafMs(state, known.lastAt, at);
  const days = counted(known.days, Math.floor(at / dayMs), pauseMs);
  const after = { ...known, account, lastAt: at, days, silent: false };
  state.rhythms.set('', endpoint, withAlarm(context, endpoint, after));
  if (known.days.length === 0) planExpiry(state, settings, { table: 'rhythms', group: '', key: endpoint });
}

/** An alarm: the endpoint may be silent, or no longer expected to be called. */
export function askRhythm(context: StepContext, endpoint: string): void {
  const { state } = context;
  const known = state.rhythms.get('', endpoint);
  if (!known) return;
  const { watermark } = metaOf(state);
  const asked = { ...known, alarmAt: never };
  if (known.silent) {
    if (isExpected(context, endpoint, known))
      state.rhythms.set('', endpoint, planned(context, endpoint, asked, watermark + hourMs));
    else {
      noteCause(context, known.account, reasonOf(endpoint), ended(context, known, endpoint, watermark));
      state.rhythms.set('', endpoint, { ...asked, silent: false });
    }
    return;
  }
  const silence = patienceWith(context, known);
  if (!silence || !isExpected(context, endpoint, known)) state.rhythms.set('', endpoint, asked);
  else if (silence.at > watermark) state.rhythms.set('', endpoint, planned(context, endpoint, asked, silence.askAt));
  else {
    const spans = state.coverage.get('', known.account)?.causes[reasonOf(endpoint)] ?? [];
    noteCause(context, known.account, reasonOf(endpoint), [...spans, { from: known.lastAt, to: null }]);
    state.rhythms.set('', endpoint, planned(context, endpoint, { ...asked, silent: true }, watermark + hourMs));
  }
}

/** Milliseconds without a call after which an endpoint is silent; undefined where its history does not tell. */
export function silenceOf({
  firstAt,
  lastAt,
  days,
}: Pick<RhythmState, 'firstAt' | 'lastAt' | 'days'>): number | undefined {
  const calls = days.reduce((sum, [, count]) => sum + count, 0);
  if (calls < callsMin || lastAt - firstAt < historyMsMin) return undefined;
  return Math.max(silentMsMin, 2 * Math.max(...days.map(([, , longestMs]) => longestMs)));
}

function begin(account: string, at: number): RhythmState {
  return { account, firstAt: at, lastAt: at, days: [], silent: false, alarmAt: never };
}

function counted(days: RhythmState['days'], day: number, pauseMs: number): RhythmState['days'] {
  const recent = days.filter(([past]) => past > day - historyDays);
  const today = recent.at(-1)?.[0] === day ? recent.pop()! : ([day, 0, 0] as const);
  return [...recent, [day, today[1] + 1, Math.max(today[2], pauseMs)]];
}

/** One that settings no longer name, or that was not called for as long as a history is, is waited for no longer. */
function isExpected({ state, settings }: StepContext, endpoint: string, { lastAt }: RhythmState): boolean {
  const known = settings.endpoints.some(({ name }) => name === endpoint);
  return known && metaOf(state).watermark < lastAt + historyDays * dayMs;
}

function patienceWith({ state }: StepContext, known: RhythmState): { at: number; askAt: number } | undefined {
  const silentMs = silenceOf(known);
  return silentMs === undefined ? undefined : endOfPatience(state, known.lastAt, silentMs);
}

function withAlarm(context: StepContext, endpoint: string, known: RhythmState): RhythmState {
  const silence = patienceWith(context, known);
  // One that is planned for earlier will do: it finds out when to ask again.
  return !silence || silence.askAt >= known.alarmAt ? known : planned(context, endpoint, known, silence.askAt);
}

function planned({ state }: StepContext, endpoint: string, known: RhythmState, at: number): RhythmState {
  planAlarm(state, { of: 'rhythm', group: '', key: endpoint, at });
  return { ...known, alarmAt: at };
}

/** The times of its silences, the last of which ends. */
function ended({ state }: StepContext, { account, lastAt }: RhythmState, endpoint: string, at: number) {
  const spans = state.coverage.get('', account)?.causes[reasonOf(endpoint)] ?? [];
  return spans.map(({ from, to }) => (to === null ? { from: Math.min(from, lastAt), to: at } : { from, to }));
}

function reasonOf(endpoint: string): Reason {
  return `endpoint_silent:${endpoint}`;
}
