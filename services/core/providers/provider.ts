/** What a provider's decoder makes of a delivery. The flow knows providers only by this. */
import type { Delivery } from '../records/generated.ts';

export type Entity = 'account' | 'user' | 'server' | 'alert';
export type Action = 'created' | 'updated' | 'deleted' | 'notified';

/** Why a delivery became a reject. A closed list: metrics and people count by it. */
export type RejectReason =
  | 'signature missing'
  | 'signature malformed'
  | 'signature mismatch'
  | 'not UTF-8'
  | 'not JSON'
  | 'not an object'
  | 'too deep'
  | 'unknown provider'
  | 'unknown event'
  | 'account missing'
  | 'subject missing'
  | 'internal';

/** One trigger of an alert. Times in epoch milliseconds, as the provider wrote them. */
export interface AlertTrigger {
  metric: string;
  /** The provider's word: `triggered` opens, `notTriggered` closes, others are flagged. */
  state: string;
  startedAt: number | undefined;
  endedAt: number | undefined;
  policyDuration: string;
}

/** The fact that a body states, before the flow relates it to what it knows. */
export interface Fact {
  entity: Entity;
  action: Action;
  /** provider:account. */
  account: string;
  parentAccount: string;
  /** As the provider spells it. */
  subject: string;
  /** The subject in the one spelling by which the flow recognises it. */
  key: string;
  location: string;
  /** The body's own time of the event, epoch milliseconds; undefined where it has none. */
  time: number | undefined;
  /** When the entity was created by its own word, epoch milliseconds. */
  createdAt: number | undefined;
  /** When the entity was last changed by its own word, epoch milliseconds; orders snapshots. */
  modifiedAt: number | undefined;
  triggers: readonly AlertTrigger[];
  /** The body's text. */
  data: string;
}

export type Decoded = { ok: true; fact: Fact } | { ok: false; reason: RejectReason; detail: string };

/** Turns a verified delivery into a fact. Pure; it may throw, and then the delivery is rejected as `internal`. */
export type Decode = (delivery: Delivery) => Decoded;
