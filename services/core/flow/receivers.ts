/** Which endpoints should be told of an event: what the settings and the hierarchy of accounts say of them. */
import { chainOf } from './hierarchy.ts';
import type { FlowState, Settings } from './state.ts';

export type Endpoint = Settings['endpoints'][number];

/** An event as far as it decides who is told of it. */
export interface Told {
  provider: string;
  /** Name that endpoints are registered for. */
  eventName: string;
  /** provider:account. */
  account: string;
  /** Epoch milliseconds. */
  time: number;
}

interface Lookup {
  homes: Homes;
  /** Endpoints by provider and event. */
  endpoints: Map<string, Endpoint[]>;
  /** Their owners by provider and what the event is about: `Server` for `Server.Created`. */
  owners: Map<string, readonly string[]>;
}

/** Accounts that are the tenant's by its settings, in upper case, and the providers that have a root among them. */
export interface Homes {
  accounts: ReadonlySet<string>;
  roots: ReadonlySet<string>;
  providers: ReadonlySet<string>;
}

/** Made once for settings, which are never changed in place. */
const lookups = new WeakMap<Settings, Lookup>();

function lookupOf(settings: Settings): Lookup {
  let lookup = lookups.get(settings);
  if (!lookup) {
    const roots = settings.roots.map((name) => name.toUpperCase());
    const named = [...settings.accounts, ...settings.endpoints.map(ownerOf)].map((name) => name.toUpperCase());
    lookup = {
      homes: {
        accounts: new Set([...roots, ...named]),
        roots: new Set(roots),
        providers: new Set(settings.roots.map((name) => name.slice(0, name.indexOf(':')))),
      },
      endpoints: Map.groupBy(settings.endpoints, ({ provider, event }) => `${provider}|${event}`),
      owners: ownersByEvent(settings.endpoints),
    };
    lookups.set(settings, lookup);
  }
  return lookup;
}

function ownersByEvent(endpoints: readonly Endpoint[]): Map<string, readonly string[]> {
  const byEvent = Map.groupBy(endpoints, ({ provider, event }) => `${provider}|${aboutOf(event)}`);
  return new Map([...byEvent].map(([event, list]) => [event, [...new Set(list.map(ownerOf))]]));
}

/** Whoever has an endpoint of its own is the tenant's too. */
export function homesOf(settings: Settings): Homes {
  return lookupOf(settings).homes;
}

/** Owner of an endpoint as provider:account. */
export function ownerOf({ provider, account }: Endpoint): string {
  return `${provider}:${account}`;
}

/** Endpoints that the provider should call for an event: its account's own ones, and recursive ones of accounts above. */
export function receiversOf(state: FlowState, settings: Settings, told: Told): Endpoint[] {
  const candidates = candidatesFor(settings, told);
  if (candidates.length === 0) return [];
  const { chain } = chainOf(state, told.account, told.time, (name) => isRoot(settings, name));
  return candidates.filter((endpoint) => {
    const level = chain.findIndex((name) => isSame(name, ownerOf(endpoint)));
    return level === 0 || (level > 0 && endpoint.recursive);
  });
}

/**
 * Whether an endpoint of another account than `owner` may be told of an event as well. What is not known may be: an
 * endpoint can be recursive at the provider without being so in the settings.
 */
export function mayHaveTwin(state: FlowState, settings: Settings, told: Told, owner: string): boolean {
  if (settings.endpoints.length === 0) return true;
  const owners = lookupOf(settings).owners.get(`${told.provider}|${aboutOf(told.eventName)}`) ?? [];
  const others = owners.filter((other) => !isSame(other, owner));
  if (others.length === 0) return false;
  const { chain, complete } = chainOf(state, told.account, told.time, (name) => isRoot(settings, name));
  return !complete || others.some((other) => chain.some((name) => isSame(name, other)));
}

export function isRoot(settings: Settings, account: string): boolean {
  return homesOf(settings).roots.has(account.toUpperCase());
}

/** Endpoints of the event; where URLs tell only what it is about, `Server` stands for `Server.Created` and the others. */
function candidatesFor(settings: Settings, { provider, eventName }: Told): readonly Endpoint[] {
  const { endpoints } = lookupOf(settings);
  const exact = endpoints.get(`${provider}|${eventName}`) ?? [];
  const about = aboutOf(eventName);
  const wide = about === eventName ? undefined : endpoints.get(`${provider}|${about}`);
  return wide ? [...exact, ...wide] : exact;
}

function aboutOf(eventName: string): string {
  const dot = eventName.indexOf('.');
  return dot < 0 ? eventName : eventName.slice(0, dot);
}

function isSame(one: string, other: string): boolean {
  return one === other || one.toUpperCase() === other.toUpperCase();
}
