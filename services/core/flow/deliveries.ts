/** What becomes of a delivery: an event with all that follows from it, or a reject with its reason. */

import type { Decode, Fact, RejectReason } from '../providers/provider.ts';
import { decoders as allDecoders } from '../providers/providers.ts';
import type { Delivery } from '../records/generated.ts';
import { envelope, type Occurrence, type StepContext } from './context.ts';
import { observeEntity } from './entities.ts';
import { applyAlert, endOfAccount, endOfServer, flagsOf } from './episodes.ts';
import { eventId, outputId, versionOf } from './ids.ts';
import { addToPane } from './panes.ts';
import { accountCreated, accountDeleted, serverCreated } from './rules/account-created-then-servers.ts';
import { count, metaOf } from './state.ts';
import { eventTime } from './time.ts';

export type Decoders = ReadonlyMap<string, Decode>;

/** Works on a delivery that is next of its producer. */
export function workDelivery(context: StepContext, delivery: Delivery, decoders: Decoders = allDecoders): void {
  keepDelivery(context, delivery);
  if (delivery.verdict === 'rejected') {
    return reject(context, delivery, delivery.verdict_reason as RejectReason, 'the raw bytes were not verified');
  }
  const decode = decoders.get(delivery.provider);
  if (!decode) return reject(context, delivery, 'unknown provider', `no decoder for provider ${delivery.provider}`);
  const decoded = decode(delivery);
  if (!decoded.ok) return reject(context, delivery, decoded.reason, decoded.detail);
  workFact(context, delivery, decoded.fact);
}

/** The delivery itself as an output, with its place in the lane. */
export function keepDelivery(context: StepContext, delivery: Delivery): void {
  count(context.state, 'deliveries', `${delivery.provider}|${delivery.event_name}|${delivery.verdict}`);
  context.emit('delivery', {
    ...delivery,
    position: context.position,
    version: versionOf(context.epoch, 1),
  });
}

export function reject(context: StepContext, delivery: Delivery, reason: RejectReason, detail: string): void {
  count(context.state, 'rejects', reason);
  const id = outputId(delivery.received_at, 'reject', context.tenant, delivery.id);
  context.emit('reject', {
    ...envelope(context, id, 1, delivery.received_at),
    delivery: delivery.id,
    received_at: delivery.received_at,
    endpoint: delivery.endpoint,
    provider: delivery.provider,
    event_name: delivery.event_name,
    account: delivery.account,
    reason,
    detail,
  });
}

function workFact(context: StepContext, delivery: Delivery, fact: Fact): void {
  const { state, settings } = context;
  const { time, basis, flag } = eventTime(fact.time, delivery, settings.time);
  const event = eventId(context.tenant, delivery.id, delivery.received_at);
  const occurrence: Occurrence = { fact, delivery, event, time };
  const observation = observeEntity(context, occurrence, flag === 'stale');
  // Behind the lateness windows are closed: the event is kept and counted, and changes nothing that was said.
  const tooLate = time < metaOf(state).watermark - settings.lateness_ms;
  const flags = [
    ...delivery.flags,
    ...(flag ? [flag] : []),
    ...observation.flags,
    ...flagsOf(fact),
    ...(tooLate ? ['too_late'] : []),
  ];

  count(state, 'outcomes', 'events');
  context.emit('event', {
    ...envelope(context, event, 1, delivery.received_at),
    deliveries: [delivery.id],
    received_at: delivery.received_at,
    provider: delivery.provider,
    source: `/${delivery.provider}/${delivery.endpoint}`,
    type: `${delivery.provider}.${fact.entity}.${fact.action}`,
    subject: fact.subject,
    time,
    time_basis: basis,
    entity: fact.entity,
    action: fact.action,
    account: fact.account,
    parent_account: fact.parentAccount,
    novelty: observation.novelty,
    location: fact.location,
    flags,
    data: fact.data,
    origin: delivery.origin,
    actor: '',
    correlation: '',
    attributes: {},
    unknown_fields: [],
    endpoints: [delivery.endpoint],
  });
  if (!tooLate) relate(context, occurrence, observation.creation);
}

/** Relates an event to what the lane knows: episodes, panes, rules. */
function relate(context: StepContext, occurrence: Occurrence, creation: boolean): void {
  const { fact, time } = occurrence;
  if (fact.entity === 'alert') applyAlert(context, occurrence);
  if (fact.entity === 'server' && fact.action === 'deleted') endOfServer(context, occurrence);
  if (fact.entity === 'account' && fact.action === 'deleted') {
    endOfAccount(context, occurrence);
    accountDeleted(context, fact.account);
  }
  if (creation && fact.entity === 'account') accountCreated(context, occurrence);
  if (creation && fact.entity === 'server') {
    addToPane(context, fact.account, fact.key, time);
    serverCreated(context, occurrence);
  }
}
