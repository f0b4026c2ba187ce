/**
 * CenturyLink Cloud's estate: data centers → groups → servers, and accounts.
 *
 * The API has no list of sub-accounts: which there are is known from the lane. A group tree comes in one answer; what its
 * own links and counts say to be in it must be in it, else it is asked for again, server by server.
 */
import type { CenturylinkInventory, Found, Group, Server } from '../ports/provider-api/centurylink.ts';
import { digestOf } from '../snapshot-digest.ts';
import { type Estate, nameOf, type Sighting, WalkError } from './estate.ts';

const provider = 'centurylink';

export function createCenturylinkEstate(inventory: CenturylinkInventory, host: string): Estate {
  /** Ids are shown in either case, and a 404 must not come of how one is spelled. */
  async function server(account: string, id: string): Promise<Sighting | undefined> {
    for (const spelling of new Set([id, id.toLowerCase(), id.toUpperCase()])) {
      const found = await inventory.server(nameOf(account), spelling);
      if (found) return sightingOf(account, found.value, found.raw.toString());
    }
    return undefined;
  }

  return {
    provider,
    host,
    server,
    async account(account) {
      const found = await inventory.account(nameOf(account));
      if (!found) return undefined;
      const { accountAlias, parentAlias } = found.value;
      if (accountAlias.toUpperCase() !== nameOf(account)) {
        throw new WalkError(`asked for the account ${nameOf(account)}, the API answered with ${accountAlias}`);
      }
      const body = found.raw.toString();
      return {
        table: 'accounts',
        account,
        key: nameOf(account),
        id: accountAlias,
        body,
        digest: digestOf(provider, body),
        createdAt: undefined,
        modifiedAt: undefined,
        parent: parentAlias ? `${provider}:${parentAlias.toUpperCase()}` : '',
      };
    },
    async servers(account) {
      const found = new Map<string, Sighting>();
      for (const { id } of await inventory.dataCenters(nameOf(account))) {
        const root = await inventory.rootGroup(nameOf(account), id);
        // An account has no groups in a data center that it never used.
        if (root === undefined) continue;
        for (const sighting of await walkTree(account, root)) found.set(sighting.key, sighting);
      }
      return [...found.values()];
    },
  };

  async function walkTree(account: string, root: string): Promise<Sighting[]> {
    const tree = await inventory.group(nameOf(account), root);
    // It is not that there are no servers.
    if (!tree) throw new WalkError(`the group ${root}, which holds the others of its data center, is not found`);
    const found = new Map<string, Sighting>();
    for (const value of serversIn(tree.value)) {
      const sighting = sightingOf(account, value, JSON.stringify(value));
      found.set(sighting.key, sighting);
    }
    for (const id of linkedServers(tree.value)) {
      if (found.has(id.toUpperCase())) continue;
      const linked = await server(account, id);
      if (linked) found.set(linked.key, linked);
    }
    checkCounts(tree, found.size);
    return [...found.values()];
  }
}

function* groupsIn(group: Group): Generator<Group> {
  yield group;
  for (const inner of group.groups) yield* groupsIn(inner);
}

function* serversIn(group: Group): Generator<Server> {
  for (const each of groupsIn(group)) yield* each.servers;
}

/** Servers that the links of a tree name: all of them, where servers do not stand in it themselves. */
function* linkedServers(group: Group): Generator<string> {
  for (const { links } of groupsIn(group)) {
    for (const { rel, id } of links) if (rel === 'server' && id !== undefined) yield id;
  }
}

/**
 * Whether a group's count includes the groups below it no page says. So the largest one is what there must be at least;
 * a server that is moved or deleted between the count and the list makes the walk fail, and is met by the next one.
 */
function checkCounts({ value }: Found<Group>, found: number): void {
  const counts = [...groupsIn(value)].map(({ serversCount }) => (typeof serversCount === 'number' ? serversCount : 0));
  const least = Math.max(0, ...counts);
  if (found < least) throw new WalkError(`the group ${value.id} has ${least} servers, and ${found} were told`);
}

function sightingOf(account: string, { id, name, changeInfo }: Server, body: string): Sighting {
  return {
    table: 'servers',
    account,
    key: name.toUpperCase(),
    id,
    body,
    digest: digestOf(provider, body),
    createdAt: timeOf(changeInfo?.createdDate),
    modifiedAt: timeOf(changeInfo?.modifiedDate),
    parent: '',
  };
}

function timeOf(text: string | undefined): number | undefined {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? undefined : time;
}
