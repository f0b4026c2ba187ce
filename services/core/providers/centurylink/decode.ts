/**
 * CenturyLink Cloud's four bodies: Account, User, Server, Alert (Webhooks FAQ, 13 October 2014).
 *
 * The event's name is not in the body: it is the endpoint's. At the URLs of the provider's sample listener it says only
 * what the body is about; then the body shows a deletion, or nothing. Account aliases come in either case and are upper
 * case here. Deletions of servers carry only `accountAlias` and `name`.
 */
import type { Delivery } from '../../records/generated.ts';
import { createNotes, instantOf, type Notes, remarksOf } from '../fields.ts';
import { type JsonObject, objectOf, objectsOf, parseJsonObject, textOf } from '../json.ts';
import { type AlertTrigger, type Decoded, type FactParts, fact } from '../provider.ts';
import { digestOfSnapshot } from '../snapshot.ts';
import { accountBody, alertBody, inspect, type Shape, serverBody, userBody } from './documented.ts';
import { hrefSegment, pathSegment } from './links.ts';
import { told } from './told.ts';

type Action = 'created' | 'updated' | 'deleted' | 'notified';

/** A body to be read, and what its URL says of it. */
interface Message {
  readonly body: JsonObject;
  /** Undefined where the URL does not say what happened. */
  readonly action: Action | undefined;
  readonly data: string;
  readonly notes: Notes;
}

interface EventKind {
  readonly action: Action | undefined;
  readonly documented: Shape;
  readonly decodeBody: (message: Message) => Decoded;
}

const events = new Map<string, EventKind>([
  ...eventsOfLife('Account', accountBody, decodeAccount),
  ...eventsOfLife('User', userBody, decodeUser),
  ...eventsOfLife('Server', serverBody, decodeServer),
  ['Alert.Notification', { action: 'notified', documented: alertBody, decodeBody: decodeAlert }],
  // All that is sent about alerts are notifications.
  ['Alert', { action: 'notified', documented: alertBody, decodeBody: decodeAlert }],
]);

function eventsOfLife(entity: string, documented: Shape, decodeBody: EventKind['decodeBody']): [string, EventKind][] {
  return [
    [`${entity}.Created`, { action: 'created', documented, decodeBody }],
    [`${entity}.Updated`, { action: 'updated', documented, decodeBody }],
    [`${entity}.Deleted`, { action: 'deleted', documented, decodeBody }],
    [entity, { action: undefined, documented, decodeBody }],
  ];
}

export function decodeCenturylink(delivery: Delivery): Decoded {
  const event = events.get(delivery.event_name);
  if (!event) {
    const detail = `the endpoint says ${delivery.event_name || 'no event'}, which CenturyLink Cloud does not send`;
    return { ok: false, reason: 'unknown event', detail };
  }
  const parsed = parseJsonObject(delivery.body);
  if (!parsed.ok) return parsed;
  const notes = createNotes();
  inspect(parsed.object, event.documented, notes);
  return event.decodeBody({ body: parsed.object, action: event.action, data: parsed.text, notes });
}

function decodeAccount(message: Message): Decoded {
  const { body } = message;
  const account = accountOf(message, textOf(body, 'accountAlias') ?? hrefSegment(body, 'self', 'accounts'), [
    'accountAlias',
  ]);
  if (!account.ok) return account;
  const parent = textOf(body, 'parentAlias') ?? hrefSegment(body, 'parentAccount', 'accounts');
  const parentAccount = parent !== undefined && aliasPattern.test(parent) ? accountName(parent) : '';
  return factOf(message, {
    entity: 'account',
    account: account.name,
    subject: account.alias,
    location: (textOf(body, 'primaryDataCenter') ?? '').toWellFormed(),
    parentAccount,
    attributes: attributesOf(body),
  });
}

function decodeUser(message: Message): Decoded {
  const { body } = message;
  const alias = textOf(body, 'accountAlias') ?? pathSegment(textOf(body, 'accountUri'), 'accounts');
  const account = accountOf(message, alias, ['accountAlias', 'accountUri']);
  if (!account.ok) return account;
  const name = textOf(body, 'userName') ?? pathSegment(textOf(body, 'uri'), 'users');
  const subject = subjectOf(message, name, ['userName']);
  if (!subject.ok) return subject;
  return factOf(message, {
    entity: 'user',
    account: account.name,
    subject: subject.name,
    key: subject.name.toLowerCase(),
    attributes: attributesOf(body),
  });
}

/** A Server body names its account in links only; the `id` of a link is not to be trusted (the FAQ's sample is wrong). */
function decodeServer(message: Message): Decoded {
  const { body, action } = message;
  const alias =
    hrefSegment(body, 'account', 'accounts') ?? hrefSegment(body, 'self', 'servers') ?? textOf(body, 'accountAlias');
  const account = accountOf(message, alias, ['links', 'accountAlias']);
  if (!account.ok) return account;
  const name = textOf(body, 'name') ?? textOf(body, 'id')?.toUpperCase();
  const subject = subjectOf(message, name, ['name', 'id']);
  if (!subject.ok) return subject;
  const changeInfo = objectOf(body, 'changeInfo') ?? {};
  const createdAt = timeOf(changeInfo, 'createdDate');
  const modifiedAt = timeOf(changeInfo, 'modifiedDate');
  const actor = textOf(changeInfo, action === 'created' ? 'createdBy' : 'modifiedBy');
  return factOf(message, {
    entity: 'server',
    account: account.name,
    subject: subject.name,
    location: (textOf(body, 'locationId') ?? '').toWellFormed(),
    time: action === 'created' ? createdAt : modifiedAt,
    createdAt,
    modifiedAt,
    actor: (actor ?? '').toWellFormed(),
    attributes: attributesOf(body, textOf(objectOf(body, 'details') ?? {}, 'powerState')),
  });
}

function decodeAlert(message: Message): Decoded {
  const { body, notes } = message;
  const account = accountOf(message, textOf(body, 'accountAlias'), ['accountAlias']);
  if (!account.ok) return account;
  const subject = subjectOf(message, textOf(body, 'serverName'), ['serverName']);
  if (!subject.ok) return subject;
  if (notes.wrongTypes.includes('triggers')) return fieldInvalid('triggers', 'it is no list');
  const triggers = objectsOf(body, 'triggers').map(decodeTrigger);
  const times = triggers.map((trigger) => trigger.endedAt ?? trigger.startedAt).filter((time) => time !== undefined);
  return factOf(message, {
    entity: 'alert',
    account: account.name,
    subject: subject.name,
    time: times.length === 0 ? undefined : Math.max(...times),
    triggers,
    ...(triggers.length === 0 && { flags: ['triggers_missing'] }),
  });
}

function decodeTrigger(trigger: JsonObject): AlertTrigger {
  return {
    metric: (textOf(trigger, 'metric') ?? 'unknown').toWellFormed(),
    state: (textOf(trigger, 'state') ?? '').toWellFormed(),
    startedAt: timeOf(trigger, 'stateStartTime'),
    endedAt: timeOf(trigger, 'stateEndTime'),
    policyDuration: (textOf(trigger, 'duration') ?? '').toWellFormed(),
  };
}

type Parts = Omit<FactParts, 'action' | 'data'>;

function factOf(message: Message, parts: Parts): Decoded {
  const { body, data, notes } = message;
  const action = message.action ?? (showsDeletion(body) ? 'deleted' : 'updated');
  const remarks = remarksOf(notes);
  return fact({
    ...parts,
    action,
    nature: message.action === undefined ? 'unnamed' : 'named',
    data,
    flags: parts.flags === undefined ? remarks.flags : [...parts.flags, ...remarks.flags],
    attributes: parts.attributes === undefined ? remarks.attributes : { ...parts.attributes, ...remarks.attributes },
    unknownFields: remarks.unknownFields,
    snapshotOf: () => (action === 'notified' ? '' : snapshotOf(body, action, parts)),
  });
}

/** A server that is gone has nothing but its account and name; the others say so in their status. */
function showsDeletion(body: JsonObject): boolean {
  if (textOf(body, 'status')?.toLowerCase() === 'deleted') return true;
  const names = Object.keys(body);
  return names.length === 2 && names.includes('accountAlias') && names.includes('name');
}

function snapshotOf(body: JsonObject, action: Action, { entity, subject, key, modifiedAt }: Parts): string {
  const state = action === 'deleted' ? 'deleted' : (modifiedAt?.toString() ?? '');
  return [entity, key ?? subject.toUpperCase(), state, digestOfSnapshot(told(body))].join('|');
}

function attributesOf(body: JsonObject, powerState?: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  const status = textOf(body, 'status');
  if (status !== undefined) attributes.status = status.toWellFormed();
  if (powerState !== undefined) attributes.power_state = powerState.toWellFormed();
  return attributes;
}

/** Wider than any alias that was ever seen, and nothing that a name could not be made of. */
const aliasPattern = /^[\w.@+-]{1,128}$/;
const subjectCharactersMax = 512;

type Reject = Extract<Decoded, { ok: false }>;

function accountName(alias: string): string {
  return `centurylink:${alias.toUpperCase()}`;
}

/** `fields`: where it was looked for. */
function accountOf(
  { notes }: Message,
  alias: string | undefined,
  fields: readonly string[],
): { ok: true; alias: string; name: string } | Reject {
  if (alias === undefined) {
    const wrong = wrongOf(notes, fields);
    if (wrong) return fieldInvalid(wrong, 'it names no account');
    const detail = `the body names no account: looked for ${described(fields)}`;
    return { ok: false, reason: 'account missing', detail };
  }
  if (!aliasPattern.test(alias)) return fieldInvalid(fields.at(-1)!, 'it is no account alias');
  return { ok: true, alias, name: accountName(alias) };
}

function subjectOf(
  { notes }: Message,
  name: string | undefined,
  fields: readonly string[],
): { ok: true; name: string } | Reject {
  if (name === undefined) {
    const wrong = wrongOf(notes, fields);
    if (wrong) return fieldInvalid(wrong, 'it is no name');
    const detail = `the body does not say what it is about: looked for ${described(fields)}`;
    return { ok: false, reason: 'subject missing', detail };
  }
  if (name.length > subjectCharactersMax || !name.isWellFormed()) {
    return fieldInvalid(fields[0]!, `it is no name of at most ${subjectCharactersMax} characters`);
  }
  return { ok: true, name };
}

/** The first of the fields, or of what is in them, that has another type than documented. */
function wrongOf({ wrongTypes }: Notes, fields: readonly string[]): string | undefined {
  return wrongTypes.find((path) => fields.some((field) => path === field || path.startsWith(`${field}[]`)));
}

function described(fields: readonly string[]): string {
  return fields
    .map((field) => (field === 'links' ? "the href of a link with rel 'account' or 'self'" : field))
    .join(' or ');
}

/** Never quotes the value. */
function fieldInvalid(field: string, problem: string): Reject {
  return { ok: false, reason: 'field invalid', detail: `${field}: ${problem}` };
}

/** Only instants that name their zone: another one would depend on where the flow runs. */
function timeOf(object: JsonObject, name: string): number | undefined {
  const value = object[name];
  return typeof value === 'string' ? instantOf(value) : undefined;
}
