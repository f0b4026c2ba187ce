/**
 * Bodies that came before: a signature covers neither the time nor the URL, so whoever has a genuine delivery can send it
 * again. It is kept and counted like any other, for a user's new password makes the same body too; a flag says so.
 *
 *   body         again                       again                          again
 *   ──┬────────────┬──────────────────────────┬────────────────────────────────┬────▶
 *     └─ twin_ms ──┼───┤  repeat              │  replay                        │  neither
 *     └─ replay_ms ┼──────────────────────────┼───────────────────────────┤    │
 *                  └─ … of the latest one ────┴─ …
 */
import { hash } from 'node:crypto';
import type { Fact } from '../providers/provider.ts';
import type { StepContext } from './context.ts';
import { dayMs } from './durations.ts';
import { count, type FlowState } from './state.ts';

/** Bodies that are remembered at once: further ones are counted as `unremembered`, and a replay of them goes unflagged. */
const bodiesMax = 500_000;

/** What two deliveries of the same event have in common. The account is in it: a body may name none, and be its endpoint's. */
export function identityOf({ entity, account }: Fact, action: string, bodyHash: string): string {
  return `${bodyHash}|${account}|${entity}.${action}`;
}

export function hashBody(body: Uint8Array): string {
  return hash('sha256', body, 'base64url').slice(0, 20);
}

/** Notes a body, and says whether it came before. */
export function noteBody(context: StepContext, identity: string, receivedAt: number): 'repeat' | 'replay' | '' {
  const { state, settings } = context;
  const last = lastOf(state, identity, receivedAt, settings.replay_ms);
  remember(state, identity, receivedAt);
  if (last === undefined) return '';
  return Math.abs(receivedAt - last) <= settings.twin_ms ? 'repeat' : 'replay';
}

/** At a tick: forgets days that are over. */
export function forgetBodies({ state, settings }: StepContext, watermark: number): void {
  for (let day = state.bodies.firstGroup(); day !== undefined; day = state.bodies.firstGroup()) {
    if (day >= dayOf(watermark - settings.replay_ms)) return;
    state.bodies.deleteGroup(day);
  }
}

/** The latest of them within replay_ms. What another edge received later may come earlier. */
function lastOf(state: FlowState, identity: string, receivedAt: number, replayMs: number): number | undefined {
  const first = Number(state.bodies.firstGroup() ?? Number.POSITIVE_INFINITY);
  for (let day = Math.floor(receivedAt / dayMs) + 1; day >= first; day--) {
    const last = state.bodies.get(nameOf(day), identity);
    if (last !== undefined) return receivedAt - last <= replayMs ? last : undefined;
  }
  return undefined;
}

function remember(state: FlowState, identity: string, receivedAt: number): void {
  const day = dayOf(receivedAt);
  const known = state.bodies.get(day, identity);
  if (known === undefined) {
    if (state.bodies.size >= bodiesMax) return count(state, 'bodies', 'unremembered');
  }
  state.bodies.set(day, identity, Math.max(known ?? 0, receivedAt));
}

function dayOf(time: number): string {
  return nameOf(Math.floor(time / dayMs));
}

function nameOf(day: number): string {
  return String(day).padStart(6, '0');
}
