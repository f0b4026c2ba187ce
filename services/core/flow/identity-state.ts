/** What the flow keeps to know whose a delivery is, and which deliveries are one event. */
import type { Delivery, Novelty, Origin, TimeBasis } from '../records/generated.ts';

/** An event that said what is directly above an account. */
export interface ParentSeen {
  /** When it happened, epoch milliseconds. */
  time: number;
  /** Empty where the account was deleted. */
  parent: string;
  event: string;
  receivedAt: number;
}

/** From when until when an account was directly below another one: a row. */
export interface ParentSpan {
  id: string;
  firstReceivedAt: number;
  revision: number;
  parent: string;
  from: number;
  to: number | null;
  /** Id of the event that it begins with. */
  event: string;
}

/** What is known of the accounts above one. */
export interface Parentage {
  /** In order of time. */
  seen: ParentSeen[];
  spans: ParentSpan[];
  /** Spans that there ever were. */
  made: number;
  /** A reconciliation found the account where only the tenant's are. */
  confirmed: boolean;
}

/** A delivery whose account is not known to be the tenant's. */
export interface Waiting {
  /** The body in base64. */
  delivery: Omit<Delivery, 'body'> & { body: string };
  claim: { provider: string; account: string; parent: string; time: number };
  /** Account of which something must become known. */
  awaited: string;
  /** It was refused for having waited too long, and is kept in case that its account becomes known after all. */
  foreign: boolean;
  /** Hour in which it is refused or forgotten. */
  ends: string;
}

/** What is remembered of an event so that its row can be made again when a copy of it comes. */
export interface EventMemory {
  event: string;
  /** received_at of the delivery that it came by first. */
  firstReceivedAt: number;
  time: number;
  basis: TimeBasis;
  action: string;
  novelty: Novelty;
  flags: string[];
  /** The first ones. */
  deliveries: string[];
  endpoints: string[];
  origin: Origin;
  revision: number;
}

/** An event that copies may still come of: no two deliveries of it are of endpoints of one account. */
export interface TwinGroup extends EventMemory {
  account: string;
  /** Of two that began at the same time, the one that the lane told of first is lower. */
  order: number;
  /** Owners of the endpoints that it came to. */
  owners: string[];
  /** Endpoints that should all be told, one of each account, where there are several: [name, owner]. */
  expected: [string, string][];
  /** It has counted as lost or not lost. */
  judged: boolean;
}

/** A snapshot of an entity that an event told of. */
export interface SnapshotState {
  /** Empty where a webhook told it first: it is that of the entity's data then, or of its deletion. */
  snapshot: string;
  event: string;
  action: string;
  firstReceivedAt: number;
  /** No webhook has told it: a reconciliation did. */
  recovered: boolean;
  /** Where the memory of the event is: the identity of a group of twins, or here. */
  identity: string;
  memory: EventMemory | null;
}

/** Events of an hour that two endpoints should both have been told of. */
export interface LossState {
  endpoint: string;
  other: string;
  /** Owner of the endpoint. */
  account: string;
  both: number;
  alone: number;
  revision: number;
}
