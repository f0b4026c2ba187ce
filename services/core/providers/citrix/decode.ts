/**
 * Citrix Cloud's callback: one envelope for every event, with the state of an object before and after it.
 *
 *   { CustomerId, Type, ChangeType, TransactionId, Identity, BeforeChange, AfterChange, TimeStamp }
 *
 * `BeforeChange` and `AfterChange` are JSON inside strings; of most types no page says what is in them. `Type` and
 * `ChangeType` are open lists. Flags: `unknown_type`, `unknown_change_type`, `change_not_json`, `changes_truncated`,
 * `customer_differs`, `unknown_severity`, `unknown_priority`, `content_truncated`, `wrong_type`.
 */
import type { Delivery } from '../../records/generated.ts';
import { createNotes, Fields, type Notes, remarksOf } from '../fields.ts';
import { isObject, type JsonObject, parseJsonObject } from '../json.ts';
import { type Decoded, type FieldChange, fact, type RejectReason } from '../provider.ts';
import { ownEntity, snakeCase } from '../words.ts';
import { differenceOf } from './difference.ts';
import { notificationFields, present, type Reading, readNotification } from './notification.ts';
import { actions, entities, logonType } from './vocabulary.ts';

const envelopeFields = [
  ...['CustomerId', 'Type', 'ChangeType', 'TransactionId', 'Identity', 'BeforeChange', 'AfterChange', 'TimeStamp'],
];
const loginFields = ['CustomerId', 'LogonTime', 'OrgId', 'Principal'];

/** A customer's id. */
export const customerPattern = /^[\w.-]{1,64}$/;

export function decodeCitrix(delivery: Delivery): Decoded {
  const parsed = parseJsonObject(delivery.body);
  if (!parsed.ok) return parsed;
  const notes = createNotes();
  const envelope = new Fields(parsed.object, envelopeFields, notes);
  const customer = envelope.text('CustomerId');
  const type = envelope.text('Type');
  const changeType = envelope.text('ChangeType');
  if (customer === undefined) return rejected('account missing', 'CustomerId is no text');
  if (!customerPattern.test(customer)) return rejected('field invalid', `CustomerId does not match ${customerPattern}`);
  if (type === undefined) return rejected('unknown event', 'Type is no text');
  if (changeType === undefined) return rejected('unknown event', 'ChangeType is no text');

  const { entity, action, flags: unknownWords } = nameEvent(type, changeType);
  const time = envelope.instant('TimeStamp');
  const actor = envelope.text('Identity') ?? '';
  const correlation = envelope.text('TransactionId') ?? '';
  const before = readState(envelope, 'BeforeChange');
  const after = readState(envelope, 'AfterChange');
  const difference = compareStates(before.object, after.object);
  const reading = readObject({ entity, action, customer, notes }, before.object, after.object);
  const remarks = remarksOf(notes);
  const notJson = (before.text ?? after.text) !== undefined;
  return fact({
    entity,
    action,
    account: `citrix:${customer}`,
    subject: reading.subject,
    time,
    modifiedAt: time,
    actor,
    correlation,
    changes: difference.changes,
    attributes: {
      type,
      change_type: changeType,
      ...present({ before_change: before.text, after_change: after.text }),
      ...reading.attributes,
      ...remarks.attributes,
    },
    unknownFields: remarks.unknownFields,
    flags: [
      ...unknownWords,
      ...(notJson ? ['change_not_json'] : []),
      ...difference.flags,
      ...reading.flags,
      ...remarks.flags,
    ],
    data: parsed.text,
  });
}

function rejected(reason: RejectReason, detail: string): Decoded {
  return { ok: false, reason, detail };
}

function nameEvent(type: string, changeType: string) {
  if (type === logonType && changeType === 'Create') return { entity: 'administrator', action: 'logged_in', flags: [] };
  const entity = entities.get(type);
  const action = actions.get(changeType);
  return {
    entity: entity ?? ownEntity('citrix', snakeCase(type) || 'other'),
    action: action ?? (snakeCase(changeType) || 'other'),
    flags: [
      ...(entity === undefined ? ['unknown_type'] : []),
      ...(action === undefined ? ['unknown_change_type'] : []),
    ],
  };
}

/** A state as the pages have it, JSON in a string, or plainly an object. `text`: what is neither, as it was sent. */
interface State {
  object?: JsonObject;
  text?: string;
}

function readState(envelope: Fields, name: 'BeforeChange' | 'AfterChange'): State {
  const value = envelope.any(name);
  if (value === undefined || value === null || value === '') return {};
  if (isObject(value)) return { object: value };
  if (typeof value !== 'string') return { text: JSON.stringify(value) };
  const parsed = parseJsonObject(Buffer.from(value));
  if (parsed.ok) return { object: parsed.object };
  return value.trim() === 'null' ? {} : { text: value.toWellFormed() };
}

/** A creation and a deletion have one state only: nothing has changed from one to the other. */
function compareStates(before: JsonObject | undefined, after: JsonObject | undefined) {
  if (before === undefined || after === undefined) return { changes: [] as FieldChange[], flags: [] };
  const { changes, truncated } = differenceOf(before, after);
  return { changes, flags: truncated ? ['changes_truncated'] : [] };
}

interface Place {
  entity: string;
  action: string;
  customer: string;
  notes: Notes;
}

/** The object as it is after the change; as it was where there is no more. */
function readObject(place: Place, before: JsonObject | undefined, after: JsonObject | undefined): Reading {
  const object = after ?? before;
  if (object === undefined) return { subject: '', attributes: {}, flags: [] };
  const { entity, action, customer, notes } = place;
  const path = after ? 'AfterChange.' : 'BeforeChange.';
  if (entity === 'notification') return readNotification(new Fields(object, notificationFields, notes, path), customer);
  if (entity === 'administrator' && action === 'logged_in') {
    return readLogin(new Fields(object, loginFields, notes, path), customer);
  }
  // No page says what the object is like. Where Citrix Cloud's other calls show such objects, they have these.
  const plain = new Fields(object, [], createNotes());
  const subject = ['Id', 'id', 'Name', 'name'].map((name) => plain.identifier(name)).find((text) => text !== undefined);
  return { subject: subject ?? '', attributes: {}, flags: [] };
}

function readLogin(login: Fields, customer: string): Reading {
  const principal = login.identifier('Principal');
  const loggedInTo = login.text('CustomerId');
  return {
    subject: principal ?? '',
    attributes: present({ principal, org_id: login.text('OrgId'), logon_time: login.text('LogonTime') }),
    flags: loggedInTo === undefined || loggedInTo === customer ? [] : ['customer_differs'],
  };
}
