import type { centurylinkEvents } from '../core/providers/centurylink/event-names.ts';

export type EventName = (typeof centurylinkEvents)[number];

/** What a delivery is known to be. Only the simulator knows it: it never leaves in a body. */
export type Label =
  /** A new account, then many servers: must be detected. */
  | 'fraud'
  /** A new account with too few servers. */
  | 'near-miss:few-servers'
  /** Many new servers in an account that is not new. */
  | 'near-miss:old-account'
  /** A new account with one server that changes many times. */
  | 'near-miss:one-server'
  /** A new account and one server whose creation is told many times, byte for byte the same. */
  | 'near-miss:repeats'
  /** A user's body once more, unchanged. */
  | 'password-change'
  | 'alert-opened'
  | 'alert-closed'
  /** An opening whose closing never comes. */
  | 'alert-never-closed'
  /** The sub-account that has endpoints of its own shows itself: it is there in every run. */
  | 'branch'
  /** Genuine, of an account that is nobody's here. */
  | 'stranger';

/** One delivery that the provider makes. */
export interface Item {
  /** Milliseconds after the start. */
  atMs: number;
  event: EventName;
  /** Alias of the account, upper case. */
  account: string;
  /** Server name, user name or account alias. */
  subject: string;
  body: Buffer;
  label?: Label;
  /** Of an account: alias of the account above it. */
  parent?: string;
  /** The sub-account's endpoint; unset: the root's. */
  to?: 'branch';
  /** What is told at both has the same number; unset: it is told at the root's endpoint alone. */
  unit?: number;
}

/** An item without its time: that is given when it is sent. */
export type Happening = Omit<Item, 'atMs'>;
