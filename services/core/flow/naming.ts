/** What happened, where neither the URL nor the body says so: found by what the lane knows of the entity. */
import type { Fact } from '../providers/provider.ts';
import type { Delivery } from '../records/generated.ts';
import { hourMs } from './durations.ts';
import { isKnown } from './entities.ts';
import type { FlowState, Settings } from './state.ts';

/** An unknown entity that was created so short a time before it was heard of is a new one. */
const newMs = hourMs;

/**
 * The fact with its action.
 *
 *   the body shows a deletion        → deleted, by the decoder
 *   the entity is known              → updated
 *   unknown, created within the hour → created
 *   unknown otherwise                → updated, and the event is `seen`
 *
 * What a first reconciliation finds was there before: it says of nothing that it was created.
 */
export function named(state: FlowState, settings: Settings, fact: Fact, delivery: Delivery): Fact {
  if (fact.action === 'created' && isBootstrap(delivery)) return withAction(fact, 'updated');
  if (fact.nature === 'named' || (fact.action !== 'updated' && fact.action !== 'created')) return fact;
  const age = fact.createdAt === undefined ? Number.POSITIVE_INFINITY : delivery.received_at - fact.createdAt;
  const isNew = age <= newMs && age >= -settings.time.future_ms && !isKnown(state, fact);
  return withAction(fact, isNew ? 'created' : 'updated');
}

/** Its snapshot stays unread: that takes longer than all else. */
function withAction(fact: Fact, action: string): Fact {
  const given = { value: action, enumerable: true, writable: true, configurable: true };
  return Object.defineProperties({}, { ...Object.getOwnPropertyDescriptors(fact), action: given }) as Fact;
}

function isBootstrap({ origin, headers }: Delivery): boolean {
  return origin === 'reconcile' && headers['hookwatch-bootstrap'] === 'true';
}
