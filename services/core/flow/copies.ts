/** A delivery that tells of an event that is known: the twin of a webhook, or what a reconciliation told as well. */
import type { Fact } from '../providers/provider.ts';
import type { Delivery } from '../records/generated.ts';
import { identityOf } from './bodies.ts';
import type { StepContext } from './context.ts';
import type { EventMemory } from './identity-state.ts';
import { arrivedAfterAll } from './observers.ts';
import type { Told } from './receivers.ts';
import { findSnapshot, joinSnapshot, moveMemory, rememberSnapshot } from './snapshots.ts';
import { findTwin, joinTwin, rememberForTwins } from './twins.ts';

/** A fact and the delivery that states it. */
export interface Statement {
  fact: Fact;
  delivery: Delivery;
  bodyHash: string;
  /** As far as it decides who is told of it. */
  told: Told;
}

/** Links a delivery with the event that it tells of once more; undefined where the event is new. */
export function linkCopy(context: StepContext, statement: Statement): EventMemory | undefined {
  const { fact, delivery, bodyHash, told } = statement;
  const isWebhook = delivery.origin !== 'reconcile';
  const twin = isWebhook ? findTwin(context, delivery, fact, bodyHash) : undefined;
  if (twin) return joinTwin(context, twin, delivery);
  const found = findSnapshot(context, delivery, fact, bodyHash);
  if (!found) return undefined;
  const memory = joinSnapshot(context, found, fact, delivery);
  if (!isWebhook) return memory;
  arrivedAfterAll(context, memory.event);
  const identity = identityOf(fact, memory.action, bodyHash);
  const isKept = rememberForTwins(context, { memory, identity, told, owner: delivery.account, measured: true });
  if (isKept) moveMemory(context, fact, memory.event, identity);
  return memory;
}

/** Remembers an event for the copies that may come of it. */
export function rememberEvent(
  context: StepContext,
  memory: EventMemory,
  { fact, delivery, bodyHash, told }: Statement,
  tooLate: boolean,
): void {
  const identity = identityOf(fact, memory.action, bodyHash);
  const isKept =
    delivery.origin !== 'reconcile' &&
    rememberForTwins(context, { memory, identity, told, owner: delivery.account, measured: !tooLate });
  rememberSnapshot(context, { memory, fact, delivery, identity: isKept ? identity : '', bodyHash });
}
