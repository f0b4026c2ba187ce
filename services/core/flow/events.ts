/** The row of an event: made when its first delivery comes, and anew with each copy. */
import type { Fact } from '../providers/provider.ts';
import type { Delivery } from '../records/generated.ts';
import { envelope, type StepContext } from './context.ts';
import type { EventMemory } from './identity-state.ts';

/** Deliveries of one event that its row lists: further ones count, and the row says that there are more. */
const deliveriesMax = 64;

/** The memory with one more delivery. */
export function withDelivery<M extends EventMemory>(memory: M, { id, endpoint }: Delivery): M {
  const isFull = memory.deliveries.length >= deliveriesMax;
  const flags = isFull && !memory.flags.includes('deliveries_unlisted') ? ['deliveries_unlisted'] : [];
  return {
    ...memory,
    revision: memory.revision + 1,
    deliveries: isFull ? memory.deliveries : [...memory.deliveries, id],
    endpoints: isFull ? memory.endpoints : [...memory.endpoints, endpoint],
    flags: [...memory.flags, ...flags],
  };
}

/** `delivery`: the one that led to this version. `fact`: what it says, which is what the first one said. */
export function emitEvent(context: StepContext, memory: EventMemory, fact: Fact, delivery: Delivery): void {
  const { provider } = delivery;
  context.emit('event', {
    ...envelope(context, memory.event, memory.revision, memory.firstReceivedAt),
    deliveries: memory.deliveries,
    received_at: delivery.received_at,
    provider,
    source: `/${provider}/${memory.endpoints[0]}`,
    type: `${provider}.${fact.entity}.${memory.action}`,
    subject: fact.subject,
    time: memory.time,
    time_basis: memory.basis,
    entity: fact.entity,
    action: memory.action,
    account: fact.account,
    parent_account: fact.parentAccount,
    novelty: memory.novelty,
    location: fact.location,
    flags: memory.flags,
    data: fact.data,
    origin: memory.origin,
    actor: fact.actor,
    correlation: fact.correlation,
    attributes: fact.attributes,
    unknown_fields: [...fact.unknownFields],
    endpoints: memory.endpoints,
  });
}
