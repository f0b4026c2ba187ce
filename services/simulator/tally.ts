import type { EventName, Item, Label } from './item.ts';
import type { Outcome } from './sender.ts';

/** The rule as it is set for the tenant. */
export interface Rule {
  servers: number;
  within_ms: number;
}

/** What one run did. Counts of facts take in only what was answered 202, of accounts that are known by then. */
export interface Counts {
  sent: number;
  accepted: number;
  /** Deliveries by what became of them: a status such as 202, or a code such as ECONNRESET. */
  outcomes: Map<string, number>;
  /** Items for which the tenant has no endpoint: the provider would not send them either. */
  unsubscribed: number;
  /** Accepted deliveries by event, each copy for itself. */
  deliveries: Map<EventName, number>;
  /** Copies count once. */
  events: Map<EventName, number>;
  /** Deliveries that were the second of two copies. */
  twins: number;
  /** Deliveries of accounts of which nothing says whose they are. */
  pending: number;
  /** Events that should be told twice, by event: what came at both endpoints, and at one alone. */
  copies: Map<EventName, Copies>;
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

export interface Copies {
  both: number;
  rootOnly: number;
  branchOnly: number;
}

export interface Tally {
  skip(): void;
  add(item: Item, outcome: Outcome): void;
  /** For progress: cheaper than `counts()`. */
  totals(): { sent: number; accepted: number };
  counts(): Counts;
}

/** What was said of one account. */
interface Told {
  /** Aliases that it was said to be below of. */
  parents: Set<string>;
  createdMs: number | undefined;
  deliveries: number;
  twins: number;
  events: Map<EventName, number>;
  copies: Map<EventName, Copies>;
  alerts: { opened: number; closed: number };
  labels: Set<Label>;
  /** Server → when its creation was told first. Answers come in any order: only times tell what was first. */
  serversCreatedMs: Map<string, number>;
}

/** `homes`: aliases of the accounts that are the tenant's by its settings. */
export function createTally(rule: Rule, homes: readonly string[]): Tally {
  const outcomes = new Map<string, number>();
  const deliveries = new Map<EventName, number>();
  const accounts = new Map<string, Told>();
  /** By unit: endpoints at which its copies were accepted so far. */
  const units = new Map<number, 'root' | 'branch'>();
  let [sent, accepted, unsubscribed] = [0, 0, 0];

  function toldOf(account: string): Told {
    const told = accounts.get(account) ?? nothingTold();
    accounts.set(account, told);
    return told;
  }

  function accept(item: Item): void {
    accepted += 1;
    // It is there in every run, and bears no name of this one.
    if (item.label === 'branch') return void toldOf(item.account).parents.add(item.parent ?? '');
    increment(deliveries, item.event);
    const told = toldOf(item.account);
    told.deliveries += 1;
    if (item.unit === undefined) return countFact(told, item);
    const way = item.to ?? 'root';
    const other = units.get(item.unit);
    const copies = told.copies.get(item.event) ?? { both: 0, rootOnly: 0, branchOnly: 0 };
    told.copies.set(item.event, copies);
    if (other === undefined) {
      units.set(item.unit, way);
      copies[`${way}Only`] += 1;
      return countFact(told, item);
    }
    copies[`${other}Only`] -= 1;
    copies.both += 1;
    told.twins += 1;
  }

  function isKnown(account: string, levels = 0): boolean {
    if (homes.includes(account)) return true;
    return levels < 32 && [...(accounts.get(account)?.parents ?? [])].some((parent) => isKnown(parent, levels + 1));
  }

  return {
    skip() {
      unsubscribed += 1;
    },
    add(item, outcome) {
      sent += 1;
      increment(outcomes, outcome.kind === 'answered' ? String(outcome.status) : outcome.code);
      if (outcome.kind === 'answered' && outcome.status === 202) accept(item);
    },
    totals: () => ({ sent, accepted }),
    counts() {
      const known = [...accounts].filter(([account, told]) => told.deliveries > 0 && isKnown(account));
      const strangers = [...accounts].filter(([account]) => !isKnown(account));
      return {
        ...{ sent, accepted, outcomes, unsubscribed, deliveries },
        ...sumUp(known.map(([, told]) => told)),
        pending: strangers.reduce((sum, [, told]) => sum + told.deliveries, 0),
        accounts: new Set(known.map(([account]) => account)),
        ...describeCast(known, rule),
      };
    },
  };
}

function nothingTold(): Told {
  return {
    parents: new Set(),
    createdMs: undefined,
    deliveries: 0,
    twins: 0,
    events: new Map(),
    copies: new Map(),
    alerts: { opened: 0, closed: 0 },
    labels: new Set(),
    serversCreatedMs: new Map(),
  };
}

function countFact(told: Told, { event, subject, label, atMs, parent }: Item): void {
  increment(told.events, event);
  if (parent !== undefined) told.parents.add(parent);
  if (label === 'fraud' || label?.startsWith('near-miss:')) told.labels.add(label);
  if (label === 'alert-opened' || label === 'alert-never-closed') told.alerts.opened += 1;
  if (label === 'alert-closed') told.alerts.closed += 1;
  if (event === 'Account.Created') told.createdMs = atMs;
  if (event !== 'Server.Created') return;
  told.serversCreatedMs.set(subject, Math.min(atMs, told.serversCreatedMs.get(subject) ?? atMs));
}

function sumUp(all: readonly Told[]): Pick<Counts, 'events' | 'twins' | 'copies' | 'serversCreated' | 'alerts'> {
  const events = new Map<EventName, number>();
  const copies = new Map<EventName, Copies>();
  const alerts = { opened: 0, closed: 0 };
  for (const told of all) {
    for (const [event, count] of told.events) increment(events, event, count);
    for (const [event, { both, rootOnly, branchOnly }] of told.copies) {
      const sum = copies.get(event) ?? { both: 0, rootOnly: 0, branchOnly: 0 };
      sum.both += both;
      sum.rootOnly += rootOnly;
      sum.branchOnly += branchOnly;
      copies.set(event, sum);
    }
    alerts.opened += told.alerts.opened;
    alerts.closed += told.alerts.closed;
  }
  const twins = all.reduce((sum, told) => sum + told.twins, 0);
  const serversCreated = new Set(all.flatMap(({ serversCreatedMs }) => [...serversCreatedMs.keys()]));
  return { events, twins, copies, serversCreated, alerts };
}

function describeCast(
  known: readonly [string, Told][],
  rule: Rule,
): Pick<Counts, 'fraud' | 'nearMisses' | 'detections'> {
  const labelled = new Map(
    known.flatMap(([account, { labels }]) => [...labels].map((label) => [label, account] as const)),
  );
  const grown = new Map(known.map(([account, told]) => [account, countServersAfterCreation(told, rule)]));
  const fraud = labelled.get('fraud');
  const newcomers = known.filter(([, { createdMs }]) => createdMs !== undefined).map(([account]) => account);
  const detections = newcomers.map((account) => [account, grown.get(account) ?? 0] as const);
  return {
    fraud: fraud === undefined ? undefined : { account: fraud, servers: grown.get(fraud) ?? 0 },
    nearMisses: new Map([...labelled].filter(([label]) => label !== 'fraud')),
    detections: new Map(detections.filter(([, servers]) => servers >= rule.servers)),
  };
}

function countServersAfterCreation({ createdMs, serversCreatedMs }: Told, rule: Rule): number {
  if (createdMs === undefined) return 0;
  const ages = [...serversCreatedMs.values()].map((atMs) => atMs - createdMs);
  return ages.filter((ageMs) => ageMs >= 0 && ageMs <= rule.within_ms).length;
}

function increment<K>(counts: Map<K, number>, key: K, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
