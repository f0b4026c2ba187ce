/**
 * CenturyLink Cloud's four bodies: Account, User, Server, Alert (Webhooks FAQ, 13 October 2014).
 *
 * The event's name is not in the body: it is the endpoint's. Account aliases come in either case and are upper case
 * here. Deletions of servers carry only `accountAlias` and `name`.
 */
import type { Delivery } from '../../records/generated.ts';
import { isObject, type JsonObject, objectOf, objectsOf, parseJsonObject, textOf } from '../json.ts';
import { type AlertTrigger, type Decoded, type FactParts, fact } from '../provider.ts';

type Action = 'created' | 'updated' | 'deleted' | 'notified';

export function decodeCenturylink(delivery: Delivery): Decoded {
  const event = events.get(delivery.event_name);
  if (!event) {
    const detail = `the endpoint says ${delivery.event_name || 'no event'}, which CenturyLink Cloud does not send`;
    return { ok: false, reason: 'unknown event', detail };
  }
  const parsed = parseJsonObject(delivery.body);
  return parsed.ok ? event.decodeBody(parsed.object, event.action, parsed.text) : parsed;
}

type DecodeBody = (body: JsonObject, action: Action, data: string) => Decoded;

const events = new Map<string, { action: Action; decodeBody: DecodeBody }>([
  ...eventsOfLife('Account', decodeAccount),
  ...eventsOfLife('User', decodeUser),
  ...eventsOfLife('Server', decodeServer),
  ['Alert.Notification', { action: 'notified', decodeBody: decodeAlert }],
]);

function eventsOfLife(entity: string, decodeBody: DecodeBody) {
  return (['created', 'updated', 'deleted'] as const).map(
    (action) => [`${entity}.${action[0]!.toUpperCase()}${action.slice(1)}`, { action, decodeBody }] as const,
  );
}

function decodeAccount(body: JsonObject, action: Action, data: string): Decoded {
  const alias = textOf(body, 'accountAlias') ?? hrefSegment(body, 'self', 'accounts');
  if (alias === undefined) return accountMissing('accountAlias');
  const parent = textOf(body, 'parentAlias') ?? hrefSegment(body, 'parentAccount', 'accounts');
  return factOf({
    entity: 'account',
    action,
    alias,
    subject: alias,
    data,
    location: textOf(body, 'primaryDataCenter') ?? '',
    parentAccount: parent === undefined ? '' : accountName(parent),
  });
}

function decodeUser(body: JsonObject, action: Action, data: string): Decoded {
  const alias = textOf(body, 'accountAlias') ?? pathSegment(textOf(body, 'accountUri'), 'accounts');
  if (alias === undefined) return accountMissing('accountAlias or accountUri');
  const subject = textOf(body, 'userName') ?? pathSegment(textOf(body, 'uri'), 'users');
  if (subject === undefined) return subjectMissing('userName');
  return factOf({ entity: 'user', action, alias, subject, key: subject.toLowerCase(), data });
}

/** A Server body names its account in links only; the `id` of a link is not to be trusted (the FAQ's sample is wrong). */
function decodeServer(body: JsonObject, action: Action, data: string): Decoded {
  const alias =
    hrefSegment(body, 'account', 'accounts') ?? hrefSegment(body, 'self', 'servers') ?? textOf(body, 'accountAlias');
  if (alias === undefined) return accountMissing("the href of a link with rel 'account' or 'self', or accountAlias");
  const subject = textOf(body, 'name') ?? textOf(body, 'id')?.toUpperCase();
  if (subject === undefined) return subjectMissing('name');
  const changeInfo = objectOf(body, 'changeInfo') ?? {};
  const createdAt = timeOf(changeInfo, 'createdDate');
  const modifiedAt = timeOf(changeInfo, 'modifiedDate');
  return factOf({
    entity: 'server',
    action,
    alias,
    subject,
    data,
    location: textOf(body, 'locationId') ?? '',
    time: action === 'created' ? createdAt : modifiedAt,
    createdAt,
    modifiedAt,
  });
}

function decodeAlert(body: JsonObject, action: Action, data: string): Decoded {
  const alias = textOf(body, 'accountAlias');
  if (alias === undefined) return accountMissing('accountAlias');
  const subject = textOf(body, 'serverName');
  if (subject === undefined) return subjectMissing('serverName');
  const triggers = objectsOf(body, 'triggers').map(decodeTrigger);
  const times = triggers.map((trigger) => trigger.endedAt ?? trigger.startedAt).filter((time) => time !== undefined);
  return factOf({
    entity: 'alert',
    action,
    alias,
    subject,
    data,
    time: times.length === 0 ? undefined : Math.max(...times),
    triggers,
  });
}

function decodeTrigger(trigger: JsonObject): AlertTrigger {
  return {
    metric: textOf(trigger, 'metric') ?? 'unknown',
    state: textOf(trigger, 'state') ?? '',
    startedAt: timeOf(trigger, 'stateStartTime'),
    endedAt: timeOf(trigger, 'stateEndTime'),
    policyDuration: textOf(trigger, 'duration') ?? '',
  };
}

type Parts = Omit<FactParts, 'account'> & { alias: string };

function factOf({ alias, ...parts }: Parts): Decoded {
  return fact({ account: accountName(alias), ...parts });
}

function accountName(alias: string): string {
  return `centurylink:${alias.toUpperCase()}`;
}

function accountMissing(where: string): Decoded {
  return { ok: false, reason: 'account missing', detail: `the body names no account: looked for ${where}` };
}

function subjectMissing(where: string): Decoded {
  return {
    ok: false,
    reason: 'subject missing',
    detail: `the body does not say what it is about: looked for ${where}`,
  };
}

/** The path segment behind `collection` in the href of the first link with that rel. */
function hrefSegment(body: JsonObject, rel: string, collection: Collection): string | undefined {
  const links = Array.isArray(body.links) ? body.links : [];
  const link = links.find((candidate) => isObject(candidate) && candidate.rel === rel) as JsonObject | undefined;
  return link && pathSegment(textOf(link, 'href'), collection);
}

type Collection = 'accounts' | 'servers' | 'users';
const segmentBehind: Record<Collection, RegExp> = {
  accounts: /(?:^|\/)accounts\/([\w.@+-]{1,128})(?:\/|$)/,
  servers: /(?:^|\/)servers\/([\w.@+-]{1,128})(?:\/|$)/,
  users: /(?:^|\/)users\/([\w.@+-]{1,128})(?:\/|$)/,
};

/** `/v2/servers/ALTD/web01`, `servers` → `ALTD`. Undefined unless it looks like an alias or a user name. */
function pathSegment(path: string | undefined, collection: Collection): string | undefined {
  return path === undefined ? undefined : segmentBehind[collection].exec(path)?.[1];
}

/** Only instants that name their zone: another one would depend on where the flow runs. */
const instant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

function timeOf(object: JsonObject, name: string): number | undefined {
  const text = textOf(object, name);
  const time = text !== undefined && instant.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
