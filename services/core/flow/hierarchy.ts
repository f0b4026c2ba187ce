/**
 * Which account is directly below which, and since when. An account can move, and its bodies carry no time of their own
 * and come in any order, so what is kept is what was seen; the spans follow from it.
 *
 *   seen            P     P        Q     P     P   (deleted)
 *   ────────────────┬─────┬────────┬─────┬─────┬──────┬────▶
 *   spans           └──── P ──────┤└─ Q ┤└──── P ────┤
 */
import { envelope, type StepContext } from './context.ts';
import { planExpiry } from './expiry.ts';
import type { Parentage, ParentSeen, ParentSpan } from './identity-state.ts';
import { outputId } from './ids.ts';
import { type FlowState, metaOf } from './state.ts';

/** What was seen of one account: beyond it what lies within a span is forgotten first, then the oldest. */
const seenMax = 64;
/** Levels of accounts that are looked through: more are a circle. */
export const levelsMax = 32;

const nothing: Parentage = { seen: [], spans: [], made: 0, confirmed: false };

/** An event that says what is directly above an account; `parent` is empty where the account was deleted. */
export interface Ancestry extends ParentSeen {
  account: string;
}

/** Notes what an event says and emits the spans that it changes. */
export function noteParent(context: StepContext, { account, ...seen }: Ancestry): 'known' | 'new' | 'moved' {
  const { state, settings } = context;
  const before = state.parents.get('', account) ?? nothing;
  const closed = metaOf(state).watermark - settings.lateness_ms;
  const { spans, made } = renew(context, account, before, [...before.seen, seen].sort(byTime));
  const kept = forget([...before.seen, seen].sort(byTime), closed);
  state.parents.set('', account, { ...before, seen: kept, spans, made });
  planExpiry(state, settings, { table: 'parents', group: '', key: account });
  if (before.seen.length === 0) return 'new';
  return spans.every((span) => before.spans.includes(span)) ? 'known' : 'moved';
}

/** The account is the tenant's by the provider's own word. Returns false where that was known. */
export function confirmAccount({ state }: StepContext, account: string): boolean {
  const known = state.parents.get('', account) ?? nothing;
  if (known.confirmed) return false;
  state.parents.set('', account, { ...known, confirmed: true });
  return true;
}

/** For a state that another version has saved, which asked of no account whose it is: what it has taken stays taken. */
export function confirmKnown(state: FlowState): void {
  if (state.parents.size > 0) return;
  const known = [state.accounts, state.users, state.servers].flatMap((table) => table.sortedGroups());
  for (const account of new Set(known)) state.parents.set('', account, { ...nothing, confirmed: true });
}

/** Directly above an account at a time; undefined where nothing was ever seen. After a deletion: what was before it. */
export function parentOf({ seen }: Parentage, time: number): string | undefined {
  const newest = seen.at(-1);
  if (newest === undefined) return undefined;
  if (newest.time <= time && newest.parent !== '') return newest.parent;
  const past = seen.findLast((one) => one.time <= time && one.parent !== '');
  return (past ?? seen.find(({ parent }) => parent !== ''))?.parent;
}

/** The account and what is above it at a time, as far as it is known, up to one of which `isTop` holds. */
export function chainOf(
  state: FlowState,
  account: string,
  time: number,
  isTop: (account: string) => boolean,
): { chain: string[]; complete: boolean } {
  const chain: string[] = [];
  let next: string | undefined = account;
  while (next !== undefined && chain.length < levelsMax && !chain.includes(next)) {
    chain.push(next);
    if (isTop(next)) return { chain, complete: true };
    const parentage = state.parents.get('', next);
    next = parentage && parentOf(parentage, time);
  }
  return { chain, complete: false };
}

/** A deletion is the last word of its time. */
function byTime(a: ParentSeen, b: ParentSeen): number {
  if (a.time !== b.time) return a.time - b.time;
  if ((a.parent === '') !== (b.parent === '')) return a.parent === '' ? 1 : -1;
  return a.event < b.event ? -1 : 1;
}

interface Run {
  parent: string;
  seen: ParentSeen[];
}

function runsOf(seen: readonly ParentSeen[]): Run[] {
  const runs: Run[] = [];
  for (const one of seen) {
    const last = runs.at(-1);
    if (last?.parent === one.parent) last.seen.push(one);
    else runs.push({ parent: one.parent, seen: [one] });
  }
  return runs;
}

/** The spans anew. One keeps its id for as long as what it began with is in it. */
function renew(context: StepContext, account: string, before: Parentage, seen: ParentSeen[]) {
  const runs = runsOf(seen);
  let { made } = before;
  const spans: ParentSpan[] = [];
  for (const [index, run] of runs.entries()) {
    if (run.parent === '') continue;
    const [first] = run.seen as [ParentSeen];
    const to = runs[index + 1]?.seen[0]?.time ?? null;
    const known = before.spans.find((span) => run.seen.some(({ event }) => event === span.event));
    if (known && known.from === first.time && known.to === to) {
      spans.push(known);
      continue;
    }
    const span: ParentSpan = {
      ...(known ?? {
        id: outputId(first.receivedAt, 'hierarchy', context.tenant, account, first.event, String(made++)),
        firstReceivedAt: first.receivedAt,
      }),
      revision: (known?.revision ?? 0) + 1,
      parent: run.parent,
      from: first.time,
      to,
      event: first.event,
    };
    spans.push(span);
    emitSpan(context, account, span);
  }
  return { spans, made };
}

/** What spans do not need any more. Only what may still be told late can come between two of the same. */
function forget(seen: readonly ParentSeen[], closed: number): ParentSeen[] {
  const isInner = (index: number) =>
    seen[index - 1]?.parent === seen[index]!.parent && seen[index + 1]?.parent === seen[index]!.parent;
  const kept = seen.filter(({ time }, index) => !isInner(index) || time >= closed);
  if (kept.length <= seenMax) return kept;
  return seen.filter((_, index) => !isInner(index)).slice(-seenMax);
}

function emitSpan(context: StepContext, account: string, span: ParentSpan): void {
  context.emit('hierarchy', {
    ...envelope(context, span.id, span.revision, span.firstReceivedAt),
    account,
    parent_account: span.parent,
    valid_from: span.from,
    valid_to: span.to,
    event: span.event,
  });
}
