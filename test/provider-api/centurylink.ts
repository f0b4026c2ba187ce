/** A stand-in of CenturyLink Cloud's API v2, with the answers that were recorded of the real one. */
import { readFileSync } from 'node:fs';
import { centurylinkEvents } from '../../services/core/providers/centurylink/event-names.ts';
import { type Answer, type Asked, type StandIn, startStandIn } from './stand-in.ts';

type Json = Record<string, unknown>;

export interface ModelServer extends Json {
  /** Lower case. */
  id: string;
  name: string;
  groupId: string;
  locationId: string;
}

export interface ModelGroup {
  id: string;
  name: string;
  groups: ModelGroup[];
}

export interface ModelAccount {
  account: Json;
  /** Root group by data center. */
  dataCenters: Map<string, ModelGroup>;
  /** By id in lower case; each lies in the group of its `groupId`. */
  servers: Map<string, ModelServer>;
  /** By event. */
  webhooks: Map<string, { recursive: boolean; targetUris: string[] }>;
}

/** Accounts by alias in upper case. Whoever holds it may change it at any time, also while it is being walked. */
export type Cloud = Map<string, ModelAccount>;

export interface CenturylinkStandIn extends StandIn {
  cloud: Cloud;
  username: string;
  password: string;
  /** Tokens that are taken, and how many were given in all. */
  tokens: { valid: Set<string>; given: number };
}

export async function startCenturylink(cloud: Cloud = recordedCloud()): Promise<CenturylinkStandIn> {
  const tokens = { valid: new Set<string>(), given: 0 };
  const user = { username: 'operator@example.com', password: 'correct-horse-battery' };
  const standIn = await startStandIn((asked) => {
    const [path = '', query = ''] = asked.path.split('?');
    if (path === '/v2/authentication/login') return logIn(asked, user, tokens);
    const bearer = String(asked.headers.authorization ?? '').replace('Bearer ', '');
    if (!tokens.valid.has(bearer)) return { status: 401, json: { message: 'Authorization has been denied.' } };
    const segments = path.split('/').slice(2).map(decodeURIComponent);
    return route(cloud, asked, segments, new URLSearchParams(query));
  });
  return { ...standIn, url: `${standIn.url}/v2`, cloud, ...user, tokens };
}

export function newAccount(accountAlias: string, fields: Json = {}): ModelAccount {
  const account = { accountAlias, businessName: `${accountAlias} Inc.`, status: 'Active', ...fields };
  return { account, dataCenters: new Map(), servers: new Map(), webhooks: new Map() };
}

/** Account ALTD with its recorded group tree, the servers that were seen in it, and each recorded server's last state. */
export function recordedCloud(): Cloud {
  const altd = newAccount('ALTD', { parentAlias: 'T3N' });
  const groups = Object.values(readRecorded('clc-groups.json')) as (ModelGroup & { servers: ModelServer[] })[];
  for (const [index, { servers, ...group }] of groups.entries()) {
    altd.dataCenters.set('DE1', { id: `root-de1-${index}`, name: 'DE1 Hardware', groups: [group] });
    for (const server of servers) altd.servers.set(server.id.toLowerCase(), server);
  }
  for (const snapshots of Object.values(readRecorded('clc-servers.json')) as ModelServer[][]) {
    const server = snapshots.at(-1)!;
    altd.servers.set(server.id.toLowerCase(), server);
    const dataCenter = String(server.locationId);
    const root = altd.dataCenters.get(dataCenter) ?? { id: `root-${dataCenter.toLowerCase()}`, name: '', groups: [] };
    altd.dataCenters.set(dataCenter, root);
    if (!groupsIn(root).some(({ id }) => id === server.groupId)) {
      root.groups.push({ id: server.groupId, name: 'Default Group', groups: [] });
    }
  }
  return new Map([['ALTD', altd]]);
}

function readRecorded(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(`../recorded/${name}`, import.meta.url), 'utf8'));
}

function groupsIn(group: ModelGroup): ModelGroup[] {
  return [group, ...group.groups.flatMap(groupsIn)];
}

function logIn(asked: Asked, user: { username: string; password: string }, tokens: CenturylinkStandIn['tokens']) {
  const { username, password } = JSON.parse(asked.body);
  if (username !== user.username || password !== user.password) {
    return { status: 400, json: { message: `We didn't recognize the username or password you entered: ${password}` } };
  }
  const bearerToken = `bearer-token-${++tokens.given}-of-the-stand-in`;
  tokens.valid.add(bearerToken);
  const json = { userName: username, accountAlias: 'ALTD', locationAlias: 'DE1', roles: ['AccountAdmin'], bearerToken };
  return { status: 200, json };
}

const notFound = (what: string): Answer => ({ status: 404, json: { message: `${what} does not exist.` } });

function route(cloud: Cloud, asked: Asked, segments: string[], query: URLSearchParams): Answer {
  const [resource = '', alias = '', id = ''] = segments;
  const found = cloud.get(alias.toUpperCase());
  if (!found) return notFound(`Account ${alias}`);
  if (resource === 'webhooks') return routeWebhooks(found, asked, segments, query);
  if (resource === 'accounts') return { status: 200, json: found.account };
  if (resource === 'servers') {
    const server = found.servers.get(id.toLowerCase());
    return server ? { status: 200, json: server } : notFound(`Server ${id}`);
  }
  if (resource === 'datacenters' && id === '') {
    const json = [...found.dataCenters.keys()].map((dataCenter) => ({
      id: dataCenter.toLowerCase(),
      name: dataCenter,
    }));
    return { status: 200, json };
  }
  if (resource === 'datacenters') {
    const root = found.dataCenters.get(id.toUpperCase());
    const links = [{ rel: 'self', href: asked.path }, ...(root ? [{ rel: 'group', id: root.id }] : [])];
    return root ? { status: 200, json: { id, name: id, links } } : notFound(`Data center ${id}`);
  }
  const group = [...found.dataCenters.values()].flatMap(groupsIn).find((one) => one.id === id);
  return resource === 'groups' && group ? { status: 200, json: shown(group, found) } : notFound(`Group ${id}`);
}

function shown(group: ModelGroup, account: ModelAccount): Json {
  const servers = [...account.servers.values()].filter(({ groupId }) => groupId === group.id);
  return { ...group, serversCount: servers.length, servers, groups: group.groups.map((one) => shown(one, account)) };
}

function routeWebhooks({ webhooks }: ModelAccount, asked: Asked, segments: string[], query: URLSearchParams): Answer {
  const [, alias, event = '', , part] = segments;
  if (event === '') {
    const items = centurylinkEvents.map((name) => {
      const { recursive, targetUris } = webhooks.get(name) ?? {};
      const links = [{ rel: 'configuration', href: `/v2/webhooks/${alias}/${name}/configuration` }];
      if (!targetUris) return { name, links };
      return { name, configuration: { recursive, targetUris: targetUris.map((targetUri) => ({ targetUri })) }, links };
    });
    return { status: 200, json: { items, links: [{ rel: 'self', href: `/v2/webhooks/${alias}` }] } };
  }
  if (!(centurylinkEvents as readonly string[]).includes(event)) return notFound(`Event ${event}`);
  const before = webhooks.get(event) ?? { recursive: false, targetUris: [] };
  const body = asked.body === '' ? {} : JSON.parse(asked.body);
  if (asked.method === 'PUT') {
    const targetUris = (body.targetUris ?? []).map((one: { targetUri: string }) => one.targetUri);
    webhooks.set(event, { recursive: body.recursive, targetUris });
  } else if (asked.method === 'POST') {
    webhooks.set(event, { ...before, targetUris: [...before.targetUris, body.targetUri] });
  } else if (part === 'targetUris') {
    const targetUris = before.targetUris.filter((uri) => uri !== query.get('targetUri'));
    webhooks.set(event, { ...before, targetUris });
  } else {
    webhooks.delete(event);
  }
  return { status: 204 };
}
