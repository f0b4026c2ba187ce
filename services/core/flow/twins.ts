/**
 * Twins: the same event at endpoints of different accounts, a parent's recursive one and the sub-account's own. The k-th
 * delivery at one is the twin of the k-th at the other, for the same bytes may tell of two events (a password that was
 * changed twice).
 *
 *   parent   P1 ──────── P2 ───────────        twin_ms from the first of each pair
 *   child    ─── C1 ─────────── C2 ────        events: {P1, C1}, {P2, C2}
 *   events   1           2
 *
 * A pair is remembered for as long as anything may be late, since an edge that was cut off tells of it then; where too
 * many are, the oldest are forgotten first.
 */
import type { Fact } from '../providers/provider.ts';
import type { Delivery } from '../records/generated.ts';
import { identityOf } from './bodies.ts';
import type { StepContext } from './context.ts';
import { minuteOf } from './durations.ts';
import { withDelivery } from './events.ts';
import type { EventMemory, TwinGroup } from './identity-state.ts';
import { amendLosses, expectedOf } from './losses.ts';
import { mayHaveTwin, type Told } from './receivers.ts';
import { count, type FlowState } from './state.ts';

/** Events that are remembered at once for their twins. */
const groupsMax = 100_000;

export interface Found {
  identity: string;
  group: TwinGroup;
}

/** The event that a delivery is a copy of. An unnamed one may be of any action. */
export function findTwin(context: StepContext, delivery: Delivery, fact: Fact, bodyHash: string): Found | undefined {
  const actions = fact.nature === 'named' ? [fact.action] : ['created', 'updated', 'deleted'];
  for (const action of actions) {
    const identity = identityOf(fact, action, bodyHash);
    const group = oldestWithout(context, identity, delivery);
    if (group) return { identity, group };
  }
  return undefined;
}

/** Links a delivery with the event that it is a copy of. */
export function joinTwin(context: StepContext, { identity, group }: Found, delivery: Delivery): TwinGroup {
  const joined: TwinGroup = { ...withDelivery(group, delivery), owners: [...group.owners, delivery.account] };
  context.state.twins.set(identity, group.event, joined);
  if (group.judged) amendLosses(context, group, joined);
  return joined;
}

/** Remembers an event that copies may come of. Returns false where none may. `measured`: whether a lone one counts as lost. */
export function rememberForTwins(
  context: StepContext,
  {
    memory,
    identity,
    told,
    owner,
    measured,
  }: { memory: EventMemory; identity: string; told: Told; owner: string; measured: boolean },
): boolean {
  const { state, settings } = context;
  if (!mayHaveTwin(state, settings, told, owner)) return false;
  const { event, firstReceivedAt } = memory;
  const minute = minuteOf(firstReceivedAt);
  const expected = measured ? expectedOf(state, settings, told) : [];
  const order = state.counts.get('twins', 'made') ?? 0;
  const group: TwinGroup = { ...memory, account: told.account, order, owners: [owner], expected, judged: false };
  makeRoom(state);
  state.twins.set(identity, event, group);
  state.twinMinutes.set(minute, event, identity);
  if (expected.length > 0) state.unjudged.set(minute, event, identity);
  count(state, 'twins', 'made');
  return true;
}

/** At a tick: forgets those that nothing late can be a copy of any more. */
export function forgetTwins({ state, settings }: StepContext, watermark: number): void {
  const due = minuteOf(watermark - settings.lateness_ms - settings.twin_ms);
  for (let minute = state.twinMinutes.firstGroup(); minute !== undefined && minute < due; ) {
    forgetMinute(state, minute);
    minute = state.twinMinutes.firstGroup();
  }
}

function oldestWithout({ state, settings }: StepContext, identity: string, delivery: Delivery): TwinGroup | undefined {
  const fits = ({ firstReceivedAt, owners }: TwinGroup) =>
    Math.abs(delivery.received_at - firstReceivedAt) <= settings.twin_ms && !owners.includes(delivery.account);
  let oldest: TwinGroup | undefined;
  for (const group of state.twins.group(identity).values()) {
    if (fits(group) && (!oldest || isBefore(group, oldest))) oldest = group;
  }
  return oldest;
}

function isBefore(one: TwinGroup, other: TwinGroup): boolean {
  if (one.firstReceivedAt !== other.firstReceivedAt) return one.firstReceivedAt < other.firstReceivedAt;
  return one.order < other.order;
}

function makeRoom(state: FlowState): void {
  while (state.twinMinutes.size >= groupsMax) {
    const minute = state.twinMinutes.firstGroup();
    if (minute === undefined) return;
    count(state, 'twins', 'forgotten', state.twinMinutes.group(minute).size);
    forgetMinute(state, minute);
  }
}

function forgetMinute(state: FlowState, minute: string): void {
  for (const [event, identity] of state.twinMinutes.group(minute)) state.twins.delete(identity, event);
  state.twinMinutes.deleteGroup(minute);
  state.unjudged.deleteGroup(minute);
}
