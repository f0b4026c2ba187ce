/**
 * A cloud that changes while it is compared, and the lane that hears of it by webhooks, some of which are lost. Time is
 * logical: every call to the API takes a second, and other things happen meanwhile.
 *
 *   change ──▶ cloud            the API shows it at once
 *      └─ webhook ──lag──▶ lane's state, or lost
 */
import type { CenturylinkInventory, Group, Server } from '../../services/ports/provider-api/centurylink.ts';
import { ProviderApiError, type ProviderApiErrorCode } from '../../services/ports/provider-api/provider-api.ts';
import type { EntityTable } from '../../services/reconcile/estate.ts';
import type { Known, KnownEntity } from '../../services/reconcile/known.ts';
import type { ReconciledLane, RunDocument, ToldClaim } from '../../services/reconcile/lane.ts';
import { digestOf } from '../../services/snapshot-digest.ts';

export interface ModelServer {
  name: string;
  /** Second of its creation: tells one life of a name from the next. */
  created: number;
  modified: number;
  cpu: number;
  status: string;
  location: 'DE1' | 'WA1';
  /** The tree has three groups: its root, and one and two levels below. */
  depth: 0 | 1 | 2;
}

/** Draws whole numbers below `bound`. */
export type Draw = (bound: number) => number;

export class Killed extends Error {}

interface Webhook {
  at: number;
  /** `ACCOUNT/NAME/created/digest`, or `…/deleted`. */
  tells: string;
  apply(): void;
}

export interface World {
  readonly inventory: CenturylinkInventory;
  readonly known: Known;
  readonly lane: ReconciledLane;
  nowMs(): number;
  /** Epoch second. */
  now(): number;
  cloud: Map<string, Map<string, ModelServer>>;
  told: ToldClaim[];
  documents: RunDocument[];
  /** Everything the state knows and does not hold for deleted, as `ACCOUNT/NAME` → digest. */
  state(): Map<string, string>;
  /** What the API would show, likewise. */
  truth(): Map<string, string>;
  /** What webhooks on their way tell: `ACCOUNT/NAME/created/digest`, or `…/deleted`. */
  onTheirWay(): string[];
  /** The life of a name that the state knows of, by the second of its creation; undefined where no body said so. */
  lifeOf(account: string, name: string): number | undefined;
  /** The state holds it for deleted, and the API shows it: the webhook of its deletion came behind that of its next life. */
  contradicted(): string[];
  create(account: string, name: string, options?: ChangeOptions): void;
  change(account: string, name: string, fields: Partial<ModelServer>, options?: ChangeOptions): void;
  remove(account: string, name: string, options?: ChangeOptions): void;
  /** Webhooks that were sent have arrived. */
  quiet(): void;
  pass(seconds: number): void;
}

export interface ChangeOptions {
  /** Its webhook is lost. */
  lost?: boolean;
  /** Seconds until it arrives. */
  lag?: number;
  /** `modifiedDate` stays as it is. */
  untouched?: boolean;
}

export interface WorldOptions {
  accounts: readonly string[];
  /** Called before each answer of the API: changes things, or throws. */
  meanwhile?: (world: World, call: string) => void;
  /** Called before each claim is journaled. */
  beforeTell?: (claim: ToldClaim) => void;
}

const startS = 1_700_000_000;
/** Of a deletion, among what webhooks bring. */
export const deleted = 'deleted';

export function createWorld({ accounts, meanwhile = () => {}, beforeTell = () => {} }: WorldOptions): World {
  let now = startS;
  const cloud = new Map(accounts.map((account) => [account, new Map<string, ModelServer>()]));
  const state = new Map<string, KnownEntity>();
  const accountsKnown = new Map<string, KnownEntity>();
  let onTheirWay: Webhook[] = [];
  const told: ToldClaim[] = [];
  const documents: RunDocument[] = [];

  function arrive(until: number): void {
    const due = onTheirWay.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
    onTheirWay = onTheirWay.filter(({ at }) => at > until);
    for (const { apply } of due) apply();
  }

  function pass(seconds: number): void {
    now += seconds;
    arrive(now);
  }

  function send(account: string, server: ModelServer, gone: boolean, { lost = false, lag = 3 }: ChangeOptions): void {
    if (lost) return;
    const body = bodyOf(account, server);
    const tells = `${account}/${server.name}/${server.created}/${gone ? deleted : digestOf('centurylink', body)}`;
    const apply = () => (gone ? forget(account, server.name) : learn(account, body));
    onTheirWay.push({ at: now + lag, tells, apply });
  }

  /** As the flow does it: by name; an older snapshot does not replace a newer one. */
  function learn(account: string, body: string): void {
    const { name, changeInfo } = JSON.parse(body);
    const at = `${account}/${name}`;
    const createdAt = Date.parse(changeInfo.createdDate);
    const modifiedAt = Date.parse(changeInfo.modifiedDate);
    const before = state.get(at);
    const another = before && before.createdAt !== null && createdAt > before.createdAt;
    if (before && !another && (before.deleted || modifiedAt < (before.modifiedAt ?? 0))) return;
    const digest = digestOf('centurylink', body);
    state.set(at, { key: name, subject: name, modifiedAt, createdAt, deleted: false, digest });
  }

  function forget(account: string, name: string): void {
    const at = `${account}/${name}`;
    const before = state.get(at);
    const unknown = { key: name, subject: name, modifiedAt: null, createdAt: null, digest: '' };
    state.set(at, { ...(before ?? unknown), deleted: true });
  }

  function answer<Value>(call: string, value: () => Value): Promise<Value> {
    pass(1);
    meanwhile(world, call);
    return Promise.resolve(structuredClone(value()));
  }

  const world: World = {
    cloud,
    told,
    documents,
    onTheirWay: () => onTheirWay.map(({ tells }) => tells),
    lifeOf(account, name) {
      const createdAt = state.get(`${account}/${name}`)?.createdAt ?? null;
      return createdAt === null ? undefined : createdAt / 1000;
    },
    contradicted: () =>
      [...world.truth().keys()].filter((at) => {
        const entity = state.get(at);
        return entity?.deleted && !(entity.createdAt !== null && entity.createdAt < createdAtOf(at));
      }),
    now: () => now,
    nowMs: () => now * 1000,
    inventory: inventoryOf(cloud, answer),
    known: {
      async accounts() {
        return { accounts: accounts.map((account) => `centurylink:${account}`), pending: [] };
      },
      all: async (table, account) => select(table, account),
      these: async (table, account, keys) => new Map([...select(table, account)].filter(([key]) => keys.includes(key))),
    },
    lane: {
      async reached(untilMs) {
        while (now * 1000 < untilMs) {
          pass(1);
          meanwhile(world, 'wait');
        }
      },
      async tell(claim) {
        beforeTell(claim);
        if (told.some(({ id }) => id === claim.id)) return;
        told.push(claim);
        const account = claim.account.split(':')[1]!;
        const { name } = JSON.parse(claim.body);
        if (claim.eventName === 'Server.Deleted') forget(account, name);
        else if (claim.eventName.startsWith('Server.')) learn(account, claim.body);
        else accountsKnown.set(account, knownAccount(account, claim.body));
      },
      async announce(document) {
        documents.push(document);
      },
    },
    state: () => new Map([...state].flatMap(([at, entity]) => (entity.deleted ? [] : [[at, entity.digest] as const]))),
    truth: () =>
      new Map(
        [...cloud].flatMap(([account, servers]) =>
          [...servers.values()].map(
            (server) => [`${account}/${server.name}`, digestOf('centurylink', bodyOf(account, server))] as const,
          ),
        ),
      ),
    create(account, name, options = {}) {
      const server: ModelServer = {
        name,
        created: now,
        modified: now,
        cpu: 1,
        status: 'active',
        location: 'DE1',
        depth: 0,
      };
      cloud.get(account)!.set(name, server);
      send(account, server, false, options);
    },
    change(account, name, fields, options = {}) {
      const server = cloud.get(account)!.get(name)!;
      Object.assign(server, fields, options.untouched ? {} : { modified: now });
      send(account, server, false, options);
    },
    remove(account, name, options = {}) {
      const server = cloud.get(account)!.get(name)!;
      cloud.get(account)!.delete(name);
      send(account, server, true, options);
    },
    quiet: () => pass(60),
    pass,
  };

  function createdAtOf(at: string): number {
    const [account = '', name = ''] = at.split('/');
    return cloud.get(account)!.get(name)!.created * 1000;
  }

  function select(table: EntityTable, account: string): Map<string, KnownEntity> {
    const name = account.split(':')[1]!;
    if (table === 'accounts') {
      const entity = accountsKnown.get(name);
      return new Map(entity ? [[name, entity]] : []);
    }
    const of = [...state].filter(([at]) => at.startsWith(`${name}/`));
    return new Map(of.map(([, entity]) => [entity.key, { ...entity }]));
  }
  return world;
}

function knownAccount(account: string, body: string): KnownEntity {
  const digest = digestOf('centurylink', body);
  return { key: account, subject: account, modifiedAt: null, createdAt: null, deleted: false, digest };
}

export function failure(code: ProviderApiErrorCode): ProviderApiError {
  return new ProviderApiError({ code, message: `the API answered ${code}`, retryHelps: code !== 'FORBIDDEN' });
}

type AnswerCall = <Value>(call: string, value: () => Value) => Promise<Value>;

function inventoryOf(cloud: World['cloud'], answer: AnswerCall): CenturylinkInventory {
  const rootOf = (id: string) => `root-${id}`;
  return {
    dataCenters: (alias) => answer(`datacenters ${alias}`, () => ['DE1', 'WA1'].map((id) => ({ id, links: [] }))),
    rootGroup: (alias, id) => answer(`datacenter ${alias} ${id}`, () => rootOf(id)),
    group: (alias, id) =>
      answer(`group ${alias} ${id}`, () => {
        const servers = [...cloud.get(alias)!.values()].filter(({ location }) => rootOf(location) === id);
        const value = treeOf(alias, id, servers);
        return { value, raw: Buffer.from(JSON.stringify(value)) };
      }),
    server: (alias, id) =>
      answer(`server ${alias} ${id}`, () => {
        const server = cloud.get(alias)!.get(id.toUpperCase());
        if (!server) return undefined;
        const body = bodyOf(alias, server);
        return { value: JSON.parse(body) as Server, raw: body as unknown as Buffer };
      }).then((found) => found && { ...found, raw: Buffer.from(found.raw as unknown as string) }),
    account: (alias) =>
      answer(`account ${alias}`, () => {
        if (!cloud.has(alias)) return undefined;
        const value = { accountAlias: alias, parentAlias: alias === 'ROOT' ? null : 'ROOT', status: 'Active' };
        return { value, raw: JSON.stringify(value) };
      }).then((found) => found && { value: found.value, raw: Buffer.from(found.raw) }),
  };
}

function treeOf(alias: string, id: string, servers: readonly ModelServer[]): Group {
  const at = (depth: number) => servers.filter((server) => server.depth === depth);
  const shown = (depth: number) => at(depth).map((server) => JSON.parse(bodyOf(alias, server)) as Server);
  const inner = { id: `${id}-2`, servers: shown(2), serversCount: at(2).length, groups: [], links: [] };
  const middle = { id: `${id}-1`, servers: shown(1), serversCount: at(1).length, groups: [inner], links: [] };
  return { id, servers: shown(0), serversCount: at(0).length, groups: [middle], links: [] };
}

export function bodyOf(alias: string, { name, created, modified, cpu, status, depth, location }: ModelServer): string {
  const instant = (second: number) => new Date(second * 1000).toISOString().replace('.000', '');
  return JSON.stringify({
    id: name.toLowerCase(),
    name,
    groupId: `root-${location}-${depth}`,
    locationId: location,
    status,
    details: { cpu },
    changeInfo: { createdDate: instant(created), modifiedDate: instant(modified) },
    links: [{ rel: 'account', href: `/v2/accounts/${alias}` }],
  });
}
