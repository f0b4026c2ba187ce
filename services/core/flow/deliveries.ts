/**
 * What becomes of a delivery: an event with all that follows from it, a copy of one, a reject with its reason, or
 * something that waits for its account to be known.
 *
 *   decode → whose is it? → a copy? → what happened → entities → event → hierarchy → episodes, panes, rules
 */

import type { Fact, RejectReason } from '../providers/provider.ts';
import type { Delivery } from '../records/generated.ts';
import { awaitedBy, claimOf, mustBelong } from './belonging.ts';
import { hashBody, identityOf, noteBody } from './bodies.ts';
import type { Occurrence, StepContext } from './context.ts';
import { linkCopy, rememberEvent, type Statement } from './copies.ts';
import { observeEntity } from './entities.ts';
import { applyAlert, endOfAccount, endOfServer, flagsOf } from './episodes.ts';
import { emitEvent } from './events.ts';
import { confirmAccount, noteParent } from './hierarchy.ts';
import type { EventMemory } from './identity-state.ts';
import { eventId, versionOf } from './ids.ts';
import { named } from './naming.ts';
import { hear, observe } from './observers.ts';
import { addToPane } from './panes.ts';
import { free, keepWaiting, type Worked, waitingAccounts } from './pending.ts';
import { reject } from './rejects.ts';
import { accountCreated, accountDeleted, serverCreated } from './rules/account-created-then-servers.ts';
import { count, metaOf } from './state.ts';
import { type EventTime, eventTime } from './time.ts';

/** Works on a delivery that is next of its producer. */
export function workDelivery(context: StepContext, delivery: Delivery): void {
  keepDelivery(context, delivery);
  if (delivery.verdict === 'rejected') {
    return reject(context, delivery, delivery.verdict_reason as RejectReason, 'the raw bytes were not verified');
  }
  hear(context, delivery);
  const decode = context.decoders.get(delivery.provider);
  if (!decode) return reject(context, delivery, 'unknown provider', `no decoder for provider ${delivery.provider}`);
  const decoded = decode(delivery);
  if (!decoded.ok) return reject(context, delivery, decoded.reason, decoded.detail);
  const { fact } = decoded;
  const when = eventTime(fact.time, delivery, context.settings.time);
  if (mustBelong(context, delivery)) {
    const claim = claimOf(fact, delivery.provider, when.time);
    const awaited = awaitedBy(context, claim);
    if (awaited !== undefined) return keepWaiting(context, delivery, claim, awaited);
  }
  const { settled } = workFact(context, delivery, fact, when);
  freeFor(context, settled);
}

/** Other settings are in force: what waits may be known by them. */
export function reviewWaiting(context: StepContext): void {
  freeFor(context, waitingAccounts(context.state));
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

function freeFor(context: StepContext, accounts: readonly string[]): void {
  if (accounts.length === 0 || context.state.pending.size === 0) return;
  free(context, accounts, (delivery) => {
    const decoded = context.decoders.get(delivery.provider)?.(delivery);
    // It was understood when it came, by the same decoder.
    if (!decoded?.ok) throw new Error(decoded?.detail ?? 'its provider is gone');
    const when = eventTime(decoded.fact.time, delivery, context.settings.time);
    return workFact(context, delivery, decoded.fact, when, ['waited']);
  });
}

/** Works on what a delivery of the tenant states. */
function workFact(
  context: StepContext,
  delivery: Delivery,
  stated: Fact,
  when: EventTime,
  remarks: readonly string[] = none,
): Worked {
  const { state, settings } = context;
  const { time, basis, flag } = when;
  const confirmed = delivery.origin === 'reconcile' && confirmAccount(context, stated.account) ? [stated.account] : [];
  const told = { provider: delivery.provider, eventName: delivery.event_name, account: stated.account, time };
  const statement: Statement = { fact: stated, delivery, bodyHash: hashBody(delivery.body), told };
  const known = linkCopy(context, statement);
  if (known) {
    count(state, 'outcomes', 'twins');
    noteAgain(context, statement, known.action);
    emitEvent(context, known, stated, delivery);
    return { event: known.event, settled: confirmed };
  }

  const fact = named(state, settings, stated, delivery);
  const event = eventId(context.tenant, delivery.id, delivery.received_at);
  const occurrence: Occurrence = { fact, delivery, event, time };
  const observation = observeEntity(context, occurrence, flag === 'stale');
  // Behind the lateness windows are closed: the event is kept and counted, and changes nothing that was said.
  const tooLate = time < metaOf(state).watermark - settings.lateness_ms;
  const again = noteAgain(context, statement, fact.action);
  const flags = distinct(
    delivery.flags,
    flag ? [flag] : none,
    observation.flags,
    fact.flags,
    flagsOf(fact),
    again ? [again] : none,
    remarks,
    tooLate ? ['too_late'] : none,
  );
  const memory: EventMemory = {
    event,
    firstReceivedAt: delivery.received_at,
    time,
    basis,
    action: fact.action,
    novelty: observation.novelty,
    flags,
    deliveries: [delivery.id],
    endpoints: [delivery.endpoint],
    origin: delivery.origin,
    revision: 1,
  };
  count(state, 'outcomes', 'events');
  emitEvent(context, memory, fact, delivery);
  const settled = [...confirmed, ...noteAncestry(context, occurrence)];
  rememberEvent(context, memory, { ...statement, fact }, tooLate);
  observe(context, occurrence, observation, tooLate);
  if (!tooLate) relate(context, occurrence, observation.creation);
  return { event, settled };
}

const none: readonly string[] = [];

/** Mostly there are none, or those of one. */
function distinct(...lists: (readonly string[])[]): string[] {
  const all = lists.filter(({ length }) => length > 0);
  return all.length === 0 ? [] : [...new Set(all.flat())];
}

/** A body that came before, unless it was fetched: a comparison may tell the same every day. */
function noteAgain(context: StepContext, { fact, delivery, bodyHash }: Statement, action: string): string {
  if (delivery.origin === 'reconcile') return '';
  return noteBody(context, identityOf(fact, action, bodyHash), delivery.received_at);
}

/** Returns the accounts of which more is known by it: after a move, any of those of which something waits. */
function noteAncestry(context: StepContext, { fact, delivery, event, time }: Occurrence): readonly string[] {
  const { entity, action, account, parentAccount } = fact;
  if (entity !== 'account') return [];
  const seen = { account, time, event, receivedAt: delivery.received_at };
  const change = parentAccount === '' ? 'known' : noteParent(context, { ...seen, parent: parentAccount });
  if (action === 'deleted') noteParent(context, { ...seen, parent: '' });
  if (change === 'known') return [];
  return change === 'new' ? [account] : waitingAccounts(context.state);
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
