/**
 * When the lane was heard: the times in which at least one edge was alive, by its ticks and by what it took in.
 *
 *   edge-1   ·····················x
 *   edge-2                            ·············▶
 *   heard    ├────────────────────┤   ├─────────────    the gap between is an outage: nobody could take anything in
 *
 * An idle edge ticks every ten seconds, so shorter gaps are none. What an edge sends late fills a gap again.
 */
import { dayMs, hourMs } from './durations.ts';
import { type FlowState, metaOf } from './state.ts';

/** Idle edges tick every 10 s, a second late at most: services/edge/ticker.ts. */
const gapMsMin = 15_000;
/** Deliveries in between are no news: ticks come every second where there are any. */
const newsMs = 1_000;
/** Outages that are remembered, for as long as anybody's usual interval may reach back. */
const spansMax = 500;
const rememberedMs = 40 * dayMs;

/** First and last sign of life of a time in which the lane was heard. Ascending, apart from each other. */
export type Span = readonly [from: number, to: number];

export interface Gap {
  from: number;
  to: number;
}

/** Notes a sign of life. Returns whether it began, filled or moved a gap. */
export function noteAlive(state: FlowState, at: number): boolean {
  const spans = state.heard.get('', '') ?? [];
  const last = spans.at(-1);
  if (last && at >= last[0] && at <= last[1] + gapMsMin) {
    if (at >= last[1] + newsMs) state.heard.set('', '', [...spans.slice(0, -1), [last[0], at]]);
    return false;
  }
  const first = spans[0];
  // Older than what is remembered of: nothing can be said of it.
  if (first && spans.length >= spansMax && at < first[0]) return false;
  const after = recent(insert(spans, at));
  if (after.length === spans.length && after.every(([from, to], n) => from === spans[n]![0] && to === spans[n]![1])) {
    return false;
  }
  state.heard.set('', '', after);
  return true;
}

/** The outages that are remembered, in ascending order. */
export function gapsOf(state: FlowState): Gap[] {
  const spans = state.heard.get('', '') ?? [];
  return spans.slice(1).map(([to], index) => ({ from: spans[index]![1], to }));
}

/** Milliseconds between two times in which nobody could hear anything. */
export function deafMs(state: FlowState, from: number, to: number): number {
  return gapsOf(state).reduce((sum, gap) => sum + Math.max(0, Math.min(gap.to, to) - Math.max(gap.from, from)), 0);
}

/**
 * When a silence of so many milliseconds since `from` is one: time in which nobody could hear does not count. `askAt`: when
 * to look again, should it be none yet; an outage may turn out to be shorter.
 */
export function endOfPatience(state: FlowState, from: number, silentMs: number): { at: number; askAt: number } {
  const { watermark } = metaOf(state);
  const at = from + silentMs + deafMs(state, from, Math.max(watermark, from + silentMs));
  const heardAllAt = from + silentMs;
  return { at, askAt: heardAllAt > watermark ? heardAllAt : Math.min(at, watermark + hourMs) };
}

/** When the lane was first heard, as far as is remembered; undefined before that. */
export function firstHeard(state: FlowState): number | undefined {
  return state.heard.get('', '')?.[0]?.[0];
}

function insert(spans: readonly Span[], at: number): Span[] {
  const merged: Span[] = [];
  for (const [from, to] of [...spans, [at, at] as Span].sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const before = merged.at(-1);
    if (before && from <= before[1] + gapMsMin) merged[merged.length - 1] = [before[0], Math.max(before[1], to)];
    else merged.push([from, to]);
  }
  return merged;
}

function recent(spans: Span[]): Span[] {
  return spans.filter(([, to]) => to >= spans.at(-1)![1] - rememberedMs).slice(-spansMax);
}
