/** What a provider is to the rest of Hookwatch: the edge, the settings and the flow know providers only by this. */
import type { KeyObject } from 'node:crypto';
import type { Delivery } from '../records/generated.ts';
import type { JsonObject } from './json.ts';

/** A provider: who calls endpoints, how that is verified, and what the bodies say. Stateless and pure. */
export interface Provider {
  /** As settings, deliveries and accounts have it: a-z, 0-9 and `-`. */
  readonly name: string;
  /** Events that an endpoint is registered for, one each. Empty where the body says what it is: then endpoints name none. */
  readonly events: readonly string[];
  /**
   * What an endpoint may name instead where the URL tells what a body is about but not what happened to it. Such an
   * endpoint may also be reached at `/webhook/<name in lower case>`. Empty where there is nothing of the kind.
   */
  readonly unnamedEvents: readonly string[];
  /** One published key signs for all customers: a genuine delivery may be a stranger's, so its account must belong to the tenant. */
  readonly signsForAll: boolean;
  /** What verifies deliveries: public keys from the top of the settings, secrets of the endpoint, or nothing but the endpoint's token. */
  readonly trust: 'public-key' | 'secret' | 'none';
  /** Public keys that the provider has published, in PEM: active where the settings list none. */
  readonly publishedKeys: readonly { readonly id: string; readonly pem: string }[];
  /** Headers kept as evidence beyond the common ones, in lower case. None of them may hold a secret. */
  readonly evidence: readonly string[];
  /** Headers that carry a shared secret, in lower case: what is journaled instead is the id of the key that it proved. */
  readonly secretHeaders: readonly string[];
  /** WWW-Authenticate of a 401; empty where nothing can be presented. */
  readonly challenge: string;
  /** What the sender of a rejected delivery is told to do. */
  readonly hint: string;
  /** An account's name without the provider. */
  readonly accountPattern: RegExp;
  /** The one spelling of an account's name, without the provider. */
  canonicalAccount(name: string): string;
  /** @throws TypeError where the text is no key of this provider. The message never quotes the text. */
  parseKey(id: string, text: string): VerificationKey;
  verify(request: SignedRequest, keys: readonly VerificationKey[]): SignatureVerdict;
  readonly decode: Decode;
  /** Of a snapshot, what webhooks tell the changes of; undefined: all of it. Snapshots that are alike in this are the same. */
  readonly told?: ((snapshot: JsonObject) => JsonObject) | undefined;
}

/** A public key, or a secret, that is active. Several may be, while one is changed for another. */
export interface VerificationKey {
  readonly id: string;
  /** Neither JSON nor a log shows what is in it. */
  readonly key: KeyObject;
}

/** What a verdict is given about. Header names in lower case. `nowMs`: when it was received, epoch milliseconds. */
export interface SignedRequest {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly nowMs: number;
}

export type SignatureVerdict =
  | { readonly verdict: 'verified' | 'shared_secret'; readonly keyId: string }
  | { readonly verdict: 'unauthenticated' }
  | { readonly verdict: 'rejected'; readonly reason: VerificationFailure };

/** Why a delivery was not verified. */
export type VerificationFailure =
  | 'signature missing'
  | 'signature malformed'
  | 'signature mismatch'
  | 'secret missing'
  | 'secret mismatch'
  | 'timestamp missing'
  | 'timestamp outside the window'
  | 'internal';

/** Why a delivery became a reject. A closed list: metrics and people count by it. */
export type RejectReason =
  | VerificationFailure
  | 'not UTF-8'
  | 'not JSON'
  | 'not an object'
  | 'too deep'
  | 'unknown provider'
  | 'unknown event'
  | 'account missing'
  | 'subject missing'
  | 'field invalid'
  | 'foreign account';

/** One trigger of an alert. Times in epoch milliseconds, as the provider wrote them. */
export interface AlertTrigger {
  metric: string;
  /** The provider's word: `triggered` opens, `notTriggered` closes, others are flagged. */
  state: string;
  startedAt: number | undefined;
  endedAt: number | undefined;
  policyDuration: string;
}

/** What a body says of a change that it tells of. */
export interface FieldChange {
  /** Dotted path. */
  field: string;
  /** JSON; empty where there is no value. */
  before: string;
  after: string;
}

/** What a backup policy did on a server. Times in epoch milliseconds. */
export interface BackupReport {
  server: string;
  policy: string;
  policyId: string;
  result: 'success' | 'partial_success' | 'failed' | 'missed';
  finishedAt?: number | undefined;
  expectedAt?: number | undefined;
  region: string;
}

/** The fact that a body states, before the flow relates it to what it knows. */
export interface Fact {
  /** What it is about, in snake_case: `account`, `user`, `server`, `alert`, `backup`, or a provider's own word. */
  entity: string;
  /** What happened, in snake_case: `created`, `updated`, `deleted`, `notified`, `logged_in`, `reported`, or a provider's own word. */
  action: string;
  /** `unnamed`: neither the URL nor the body names the action; it is the decoder's best, and the flow decides. */
  nature: 'named' | 'unnamed';
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
  /** Who did it, by the body's word; empty where it does not say. */
  actor: string;
  /** What the provider gives all events of one transaction; empty where there is none. */
  correlation: string;
  triggers: readonly AlertTrigger[];
  /** Typed facts by snake_case name. */
  attributes: Readonly<Record<string, string>>;
  /** Fields that no page of the provider lists: names, dotted within documented objects, sorted, at most 50. */
  unknownFields: readonly string[];
  /** What has changed, where the body itself says so. */
  changes: readonly FieldChange[];
  backup?: BackupReport | undefined;
  /** The decoder's remarks, from a closed list per provider. */
  flags: readonly string[];
  /**
   * Identity of the snapshot in the body: a reconciled copy has the same. `server|WEB01|<modifiedAt>`, or entity, key
   * and a digest of the content; empty where there is none. Computed when it is asked for, which takes longer than all the
   * rest of a decoder: ask only where there is something to compare it with.
   */
  readonly snapshot: string;
  /** The body's text. */
  data: string;
}

export type Decoded = { ok: true; fact: Fact } | { ok: false; reason: RejectReason; detail: string };

/** What every fact has. */
export type FactParts = Pick<Fact, 'entity' | 'action' | 'account' | 'subject' | 'data'> &
  Partial<Omit<Fact, 'snapshot'>> & { snapshotOf?: () => string };

/** A fact whose other members say nothing. Written out, for spreading costs as much as reading a body. */
export function fact(parts: FactParts): Decoded {
  const { snapshotOf } = parts;
  return {
    ok: true,
    fact: {
      entity: parts.entity,
      action: parts.action,
      nature: parts.nature ?? 'named',
      account: parts.account,
      parentAccount: parts.parentAccount ?? '',
      subject: parts.subject,
      key: parts.key ?? parts.subject.toUpperCase(),
      location: parts.location ?? '',
      time: parts.time,
      createdAt: parts.createdAt,
      modifiedAt: parts.modifiedAt,
      actor: parts.actor ?? '',
      correlation: parts.correlation ?? '',
      triggers: parts.triggers ?? none,
      attributes: parts.attributes ?? noAttributes,
      unknownFields: parts.unknownFields ?? none,
      changes: parts.changes ?? none,
      backup: parts.backup,
      flags: parts.flags ?? none,
      get snapshot() {
        return snapshotOf === undefined ? '' : snapshotOf();
      },
      data: parts.data,
    },
  };
}

const none: readonly never[] = Object.freeze([]);
const noAttributes: Readonly<Record<string, string>> = Object.freeze({});

/** Turns a verified delivery into a fact. Pure; it may throw, and then the delivery is rejected as `internal`. */
export type Decode = (delivery: Delivery) => Decoded;
