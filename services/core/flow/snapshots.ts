/**
 * The snapshot that a reconciliation fetched and the webhook that tells of it: one event, whichever comes first.
 *
 *   webhook S1 ──── webhook S2 ──── reconciled S2      S2 is known: linked, nothing was missed
 *   webhook S1 ──── reconciled S3 ──── webhook S3      S3 was recovered; its webhook was late, and is linked
 *
 * Bytes differ, so the decoder says what a snapshot is, which takes long: it is asked only where one of the two was
 * fetched. Where snapshots have no order of their own, only the newest one is meant: an account may be as it was before.
 */
import type { Fact } from '../providers/provider.ts';
import type { Delivery } from '../records/generated.ts';
import type { StepContext } from './context.ts';
import { entityOf } from './entities.ts';
import { withDelivery } from './events.ts';
import { planExpiry } from './expiry.ts';
import type { EventMemory, SnapshotState } from './identity-state.ts';
import type { FlowState } from './state.ts';

/** Of one entity: what was fetched of late, and what a webhook told last. */
const snapshotsMax = 4;

export interface FoundSnapshot {
  known: SnapshotState;
  memory: EventMemory;
}

/** The event that a delivery is another telling of: one of the two is reconciled. */
export function findSnapshot(
  context: StepContext,
  delivery: Delivery,
  fact: Fact,
  bodyHash: string,
): FoundSnapshot | undefined {
  const { state, settings } = context;
  const isFetched = delivery.origin === 'reconcile';
  const list = listOf(state, fact);
  const newest = list.at(-1);
  if (!newest || !(isFetched || list.some(({ recovered }) => recovered))) return undefined;
  const snapshot = snapshotOf(fact, delivery, bodyHash);
  const same = list.findLast((one) => one.snapshot === snapshot && (isFetched || one.recovered));
  const known = same ?? (isFetched && isTold(context, newest, fact, delivery) ? newest : undefined);
  if (!known || (fact.modifiedAt === undefined && known !== newest)) return undefined;
  if (Math.abs(delivery.received_at - known.firstReceivedAt) > settings.lateness_ms) return undefined;
  const memory = known.memory ?? state.twins.get(known.identity, known.event);
  return memory && { known, memory };
}

/** Links a delivery with it. The memory stays where it is. */
export function joinSnapshot(
  context: StepContext,
  { known, memory }: FoundSnapshot,
  fact: Fact,
  delivery: Delivery,
): EventMemory {
  const { state } = context;
  const joined = withDelivery(memory, delivery);
  if (!known.memory) {
    const group = state.twins.get(known.identity, known.event)!;
    state.twins.set(known.identity, known.event, { ...group, ...joined });
  }
  const recovered = known.recovered && delivery.origin === 'reconcile';
  replace(context, fact, known, { ...known, memory: known.memory && joined, recovered });
  return joined;
}

/** From here on the memory is that of a group of twins. */
export function moveMemory(context: StepContext, fact: Fact, event: string, identity: string): void {
  const known = listOf(context.state, fact).findLast((one) => one.event === event);
  if (known) replace(context, fact, known, { ...known, memory: null, identity });
}

/** Remembers what an event told of. `identity`: of the group of twins that remembers the event; empty where none does. */
export function rememberSnapshot(
  context: StepContext,
  told: { memory: EventMemory; fact: Fact; delivery: Delivery; identity: string; bodyHash: string },
): void {
  const { memory, fact, delivery, identity, bodyHash } = told;
  const recovered = delivery.origin === 'reconcile';
  const list = listOf(context.state, fact);
  // Nothing is fetched before a first comparison has begun, nor by a tenant that makes none.
  if (!recovered && list.length === 0 && context.state.comparisons.size === 0) return;
  if (!recovered && !isNewest(context.state, fact)) return;
  const one: SnapshotState = {
    snapshot: recovered ? snapshotOf(fact, delivery, bodyHash) : '',
    event: memory.event,
    action: memory.action,
    firstReceivedAt: memory.firstReceivedAt,
    recovered,
    identity,
    memory: identity === '' ? memory : null,
  };
  const fetched = list.filter(({ snapshot }) => snapshot !== '');
  save(context, fact, [...fetched, one].slice(-snapshotsMax));
}

/** What the webhook that told last says is what was fetched. */
function isTold({ state, decoders }: StepContext, newest: SnapshotState, fact: Fact, delivery: Delivery): boolean {
  if (newest.snapshot !== '') return false;
  if (fact.action === 'deleted' || newest.action === 'deleted') return fact.action === newest.action;
  const body = Buffer.from(entityOf(state, fact)?.data ?? '');
  const decoded = decoders.get(delivery.provider)?.({ ...delivery, body });
  return decoded?.ok === true && decoded.fact.snapshot !== '' && decoded.fact.snapshot === fact.snapshot;
}

/** The entity is as the fact says, and not as another one has said since. */
function isNewest(state: FlowState, fact: Fact): boolean {
  const entity = entityOf(state, fact);
  return entity !== undefined && (entity.deleted ? fact.action === 'deleted' : entity.data === fact.data);
}

function snapshotOf(fact: Fact, { origin }: Delivery, bodyHash: string): string {
  const { snapshot } = fact;
  return snapshot === '' && origin === 'reconcile' ? `body|${bodyHash}` : snapshot;
}

function listOf(state: FlowState, fact: Fact): readonly SnapshotState[] {
  return state.snapshots.get(fact.account, keyOf(fact)) ?? [];
}

function replace(context: StepContext, fact: Fact, before: SnapshotState, after: SnapshotState): void {
  save(
    context,
    fact,
    listOf(context.state, fact).map((one) => (one === before ? after : one)),
  );
}

function save({ state, settings }: StepContext, fact: Fact, list: SnapshotState[]): void {
  const key = keyOf(fact);
  const isPlanned = state.snapshots.get(fact.account, key) !== undefined;
  state.snapshots.set(fact.account, key, list);
  if (!isPlanned) planExpiry(state, settings, { table: 'snapshots', group: fact.account, key });
}

function keyOf({ entity, key }: Fact): string {
  return `${entity}|${key}`;
}
