import type { EventName, Item, Label } from './item.ts';
import type { Outcome } from './sender.ts';

/** The rule as it is set for the tenant. */
export interface Rule {
  servers: number;
  within_ms: number;
}

/** What one run did. Counts of facts take in only what was answered 202. */
export interface Counts {
  sent: number;
  accepted: number;
  /** Deliveries by what became of them: a status such as 202, or a code such as ECONNRESET. */
  outcomes: Map<string, number>;
  /** Items for which the tenant has no endpoint: the provider would not send them either. */
  unsubscribed: number;
  events: Map<EventName, number>;
  /** Accounts that anything was said of. */
  accounts: Set<string>;
  /** Names of servers whose creation was told. */
  serversCreated: Set<string>;
  alerts: { opened: number; closed: number };
  /** Account of the labelled fraud, with its distinct servers. */
  fraud: { account: string; servers: number } | undefined;
  /** Accounts that look alike but must not be detected, by label. */
  nearMisses: Map<Label, string>;
  /** Accounts in which the rule must fire, with their distinct servers within its window. */
  detections: Map<string, number>;
}

export interface Tally {
  skip(): void;
  add(item: Item, outcome: Outcome): void;
  /** For progress: cheaper than `counts()`. */
  totals(): { sent: number; accepted: number };
  counts(): Counts;
}

export function createTally(rule: Rule): Tally {
  const outcomes = new Map<string, number>();
  const events = new Map<EventName, number>();
  const accounts = new Set<string>();
  const serversCreated = new Set<string>();
  const alerts = { opened: 0, closed: 0 };
  const labels = new Map<Label, string>();
  const accountsCreatedMs = new Map<string, number>();
  /** Account → server → when its creation was told first. Answers come in any order: only times tell what was first. */
  const serversCreatedMs = new Map<string, Map<string, number>>();
  let [sent, accepted, unsubscribed] = [0, 0, 0];

  function countFact({ event, account, subject, label, atMs }: Item) {
    increment(events, event);
    accounts.add(account);
    if (label === 'fraud' || label?.startsWith('near-miss:')) labels.set(label, account);
    if (label === 'alert-opened' || label === 'alert-never-closed') alerts.opened += 1;
    if (label === 'alert-closed') alerts.closed += 1;
    if (event === 'Account.Created') accountsCreatedMs.set(account, atMs);
    if (event !== 'Server.Created') return;
    serversCreated.add(subject);
    const servers = serversCreatedMs.get(account) ?? new Map<string, number>();
    serversCreatedMs.set(account, servers.set(subject, Math.min(atMs, servers.get(subject) ?? atMs)));
  }

  function countServersAfterCreation(account: string): number {
    const createdMs = accountsCreatedMs.get(account);
    if (createdMs === undefined) return 0;
    const ages = [...(serversCreatedMs.get(account)?.values() ?? [])].map((atMs) => atMs - createdMs);
    return ages.filter((ageMs) => ageMs >= 0 && ageMs <= rule.within_ms).length;
  }

  return {
    skip() {
      unsubscribed += 1;
    },
    add(item, outcome) {
      sent += 1;
      increment(outcomes, outcome.kind === 'answered' ? String(outcome.status) : outcome.code);
      if (outcome.kind !== 'answered' || outcome.status !== 202) return;
      accepted += 1;
      countFact(item);
    },
    totals: () => ({ sent, accepted }),
    counts() {
      const fraud = labels.get('fraud');
      const newcomers = [...accountsCreatedMs.keys()].map(
        (account) => [account, countServersAfterCreation(account)] as const,
      );
      return {
        sent,
        accepted,
        outcomes,
        unsubscribed,
        events,
        accounts,
        serversCreated,
        alerts,
        fraud: fraud === undefined ? undefined : { account: fraud, servers: countServersAfterCreation(fraud) },
        nearMisses: new Map([...labels].filter(([label]) => label !== 'fraud')),
        detections: new Map(newcomers.filter(([, servers]) => servers >= rule.servers)),
      };
    },
  };
}

function increment<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
