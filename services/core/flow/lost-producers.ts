/**
 * What starts of edges have not told the lane: those whose records are on their way, and those that were given up.
 *
 *   edge-1   ··········x  gap declared          lost from its last tick on, until the edge's next start or the declaration
 *   edge-2   ····  ········ ·                   behind while numbers are missing that are waited for, or its time is
 *
 * What comes after all was not lost: then the coverage of that time was good, and is said to be.
 */
import type { StepContext } from './context.ts';
import { everyAccount, noteCause, type Reason } from './coverage.ts';
import { producersWaitedFor } from './producers.ts';
import type { FlowState } from './state.ts';

/** By its boot. */
export interface LostProducer {
  reason: Extract<Reason, 'records_lost' | 'producer_behind'>;
  /** Epoch milliseconds; `to` is null while it is behind. */
  from: number;
  to: number | null;
}

/** Notes the newest tick of a boot, for as long as the boot itself is remembered. */
export function noteTick(state: FlowState, boot: string, time: number): void {
  if (time > (state.lastTicks.get('', boot) ?? 0)) state.lastTicks.set('', boot, time);
}

/** A boot was declared lost. `at`: when. */
export function noteRetired(context: StepContext, boot: string, at: number): void {
  const { state } = context;
  const retired = state.producers.get('', boot);
  const next = [...state.producers.group('').values()]
    .filter(({ edge, predecessor }) => predecessor === boot || edge === retired?.edge)
    .flatMap(({ openedAt = 0 }) => (openedAt > (retired?.openedAt ?? 0) ? [openedAt] : []));
  const to = Math.min(at, ...next);
  const from = Math.min(state.lastTicks.get('', boot) ?? to, to);
  state.lostProducers.set('', boot, { reason: 'records_lost', from, to });
  tell(context);
}

/** At a tick: who is behind, and who has told everything after all. */
export function judgeProducers(context: StepContext): void {
  const { state } = context;
  const behind = producersWaitedFor(state);
  if (behind.length === 0 && state.lostProducers.size === 0) return;
  let news = false;
  for (const [boot, lost] of state.lostProducers.sortedEntries('')) {
    const over = lost.to === null ? !behind.includes(boot) : isClosed(context, lost.to) || hasToldAll(state, boot);
    if (!over) continue;
    state.lostProducers.delete('', boot);
    news = true;
  }
  for (const boot of behind) {
    if (state.lostProducers.get('', boot)) continue;
    const from = state.lastTicks.get('', boot) ?? state.producers.get('', boot)!.progress;
    state.lostProducers.set('', boot, { reason: 'producer_behind', from, to: null });
    news = true;
  }
  if (news) tell(context);
}

function tell(context: StepContext): void {
  const lost = context.state.lostProducers.sortedEntries('').map(([, entry]) => entry);
  for (const reason of ['records_lost', 'producer_behind'] as const) {
    noteCause(
      context,
      everyAccount,
      reason,
      lost.filter((entry) => entry.reason === reason),
    );
  }
}

/** Its time can be amended no longer. */
function isClosed({ state }: StepContext, to: number): boolean {
  return to <= (state.coverage.get('', everyAccount)?.floor ?? 0);
}

/** Nothing is missing, and the edge's next start has said that its journal was forwarded. */
function hasToldAll(state: FlowState, boot: string): boolean {
  if (state.producers.get('', boot)?.holes?.length !== 0) return false;
  return [...state.producers.group('').values()].some(({ predecessor }) => predecessor === boot);
}
