/**
 * The latest snapshot of every account, user and server, and whether an event is news: a creation counts once, however
 * often and in whatever order its deliveries come.
 *
 * A name can be used again after a deletion. Bodies that say when their entity was created tell one life from the next;
 * account and user bodies do not, so for them a creation after a deletion begins a new life.
 */

import type { Fact } from '../providers/provider.ts';
import type { Novelty } from '../records/generated.ts';
import type { Occurrence, StepContext } from './context.ts';
import { planExpiry } from './expiry.ts';
import type { EntityState, FlowState } from './state.ts';

export interface Observation {
  novelty: Novelty;
  flags: string[];
  /** True when this event is the creation of its entity, to be counted. */
  creation: boolean;
}

type EntityTable = 'accounts' | 'users' | 'servers';
const tables: ReadonlyMap<string, EntityTable> = new Map([
  ['account', 'accounts'],
  ['user', 'users'],
  ['server', 'servers'],
]);

/** Notes an account, user or server event in the state. `stale`: its own time was too far from received_at to count. */
export function observeEntity(context: StepContext, occurrence: Occurrence, stale: boolean): Observation {
  const { fact, delivery } = occurrence;
  const table = tables.get(fact.entity);
  if (table === undefined) return observed('known', false);
  const { state, settings } = context;
  const met = state[table].get(fact.account, fact.key);
  const known = met && !beginsNewLife(fact, met) ? met : undefined;
  const overtaken = !stale && delivery.received_at - (known?.firstReceivedAt ?? 0) <= settings.lateness_ms;
  const observation = known ? judgeKnown(fact, known, overtaken) : judgeNew(fact, met);
  const entity = renew(fact, known ?? newEntity(fact, delivery.received_at), observation, delivery.received_at);
  state[table].set(fact.account, fact.key, entity);
  if (entity.deleted) planExpiry(state, settings, { table, group: fact.account, key: fact.key });
  return observation;
}

/** Whether the entity of a fact was met before, in the life that the fact is of. */
export function isKnown(state: FlowState, fact: Fact): boolean {
  const met = entityOf(state, fact);
  return met !== undefined && !beginsNewLife(fact, met);
}

/** The latest snapshot of what a fact is about; undefined where nothing is known of it, or it is nothing of the kind. */
export function entityOf(state: FlowState, fact: Fact): EntityState | undefined {
  const table = tables.get(fact.entity);
  return table && state[table].get(fact.account, fact.key);
}

function observed(novelty: Novelty, creation: boolean, flag?: string): Observation {
  return { novelty, creation, flags: flag === undefined ? [] : [flag] };
}

function beginsNewLife(fact: Fact, met: EntityState): boolean {
  if (fact.createdAt !== undefined && met.createdAt !== null) return fact.createdAt > met.createdAt;
  return fact.action === 'created' && met.deleted && met.created;
}

function judgeNew(fact: Fact, met: EntityState | undefined): Observation {
  const flag = met && !met.deleted ? 'deletion_missing' : undefined;
  return fact.action === 'created' ? observed('created', true, flag) : observed('seen', false, flag);
}

/** `overtaken`: a creation that comes after an update or deletion of the same life may still be counted. */
function judgeKnown(fact: Fact, known: EntityState, overtaken: boolean): Observation {
  if (fact.action === 'created') {
    return known.created || !overtaken ? observed('known', false, 'repeat') : observed('created', true);
  }
  if (fact.action === 'updated' && known.deleted) return observed('known', false, 'after_deletion');
  return observed('known', false, isOlderSnapshot(fact, known) ? 'older_snapshot' : undefined);
}

function isOlderSnapshot(fact: Fact, known: EntityState): boolean {
  return fact.modifiedAt !== undefined && known.modifiedAt !== null && fact.modifiedAt < known.modifiedAt;
}

function newEntity(fact: Fact, receivedAt: number): EntityState {
  return {
    subject: fact.subject,
    data: '',
    modifiedAt: null,
    createdAt: null,
    created: false,
    deleted: false,
    firstReceivedAt: receivedAt,
    lastReceivedAt: receivedAt,
  };
}

function renew(fact: Fact, known: EntityState, observation: Observation, receivedAt: number): EntityState {
  // A deletion says nothing but the name; the snapshot before it is worth more.
  const tellsNews = fact.action !== 'deleted' && !known.deleted && !isOlderSnapshot(fact, known);
  const newest = tellsNews || known.data === '';
  return {
    subject: newest ? fact.subject : known.subject,
    data: newest ? fact.data : known.data,
    modifiedAt: newest ? (fact.modifiedAt ?? known.modifiedAt) : known.modifiedAt,
    createdAt: known.createdAt ?? fact.createdAt ?? null,
    created: known.created || observation.creation,
    deleted: known.deleted || fact.action === 'deleted',
    firstReceivedAt: known.firstReceivedAt,
    lastReceivedAt: receivedAt,
  };
}
