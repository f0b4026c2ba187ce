/**
 * Every field that CenturyLink Cloud's Webhooks FAQ (13 October 2014) gives the four bodies, with its type.
 *
 * What is sent besides is kept and named: real servers have `os`, `details.hostName`, `details.secondaryIPAddresses` and
 * more (recorded in 2015). `customFields[].id` is a number in the FAQ and a text in what is sent.
 */
import type { Notes } from '../fields.ts';
import { instantOf } from '../fields.ts';
import { isObject, type JsonObject, type JsonValue } from '../json.ts';

/** `id`: text or number. `any`: an object whose members are nobody's promise. */
type Scalar = 'text' | 'id' | 'integer' | 'number' | 'boolean' | 'instant' | 'any';
type Type = Scalar | Shape | List;

/** An object of these members. */
export interface Shape {
  /** Without a prototype: a body's names are its sender's. */
  readonly members: Readonly<Record<string, Type>>;
}
interface List {
  readonly each: Type;
}

function shape(members: Readonly<Record<string, Type>>): Shape {
  return { members: Object.assign(Object.create(null), members) };
}

const links: List = { each: shape({ rel: 'text', href: 'text', id: 'text', verbs: { each: 'text' } }) };

export const accountBody = shape({
  addressLine1: 'text',
  addressLine2: 'text',
  city: 'text',
  stateProvince: 'text',
  country: 'text',
  postalCode: 'text',
  telephone: 'text',
  status: 'text',
  isManaged: 'boolean',
  links,
  accountAlias: 'id',
  businessName: 'text',
  parentAlias: 'id',
  primaryDataCenter: 'text',
});

export const userBody = shape({
  uri: 'text',
  accountUri: 'text',
  accountAlias: 'id',
  userName: 'id',
  emailAddress: 'text',
  firstName: 'text',
  lastName: 'text',
  status: 'text',
});

const serverDetails = shape({
  ipAddresses: { each: shape({ internal: 'text', public: 'text' }) },
  alertPolicies: { each: shape({ id: 'text', name: 'text', links }) },
  cpu: 'integer',
  diskCount: 'integer',
  inMaintenanceMode: 'boolean',
  memoryMB: 'integer',
  powerState: 'text',
  storageGB: 'integer',
  disks: { each: shape({ id: 'text', sizeGB: 'integer', partitionPaths: { each: 'text' } }) },
  partitions: { each: shape({ sizeGB: 'number', path: 'text' }) },
  snapshots: { each: shape({ name: 'text', links }) },
  customFields: { each: shape({ id: 'id', name: 'text', value: 'text', displayValue: 'text' }) },
});

export const serverBody = shape({
  id: 'id',
  name: 'id',
  description: 'text',
  groupId: 'text',
  isTemplate: 'boolean',
  locationId: 'text',
  osType: 'text',
  status: 'text',
  details: serverDetails,
  type: 'text',
  storageType: 'text',
  changeInfo: shape({ createdBy: 'text', createdDate: 'instant', modifiedBy: 'text', modifiedDate: 'instant' }),
  links,
  // Of deletions, which have nothing else but the name.
  accountAlias: 'id',
});

export const alertBody = shape({
  accountAlias: 'id',
  serverName: 'id',
  triggers: {
    each: shape({
      data: 'any',
      duration: 'text',
      metric: 'text',
      stateStartTime: 'instant',
      stateEndTime: 'instant',
      state: 'text',
    }),
  },
});

const nameCharactersMax = 128;

/**
 * Notes what a body has in another type than documented, and what it has besides. Null counts as absent. It looks at every
 * field of every body, so paths are made only where there is something to note.
 */
export function inspect(object: JsonObject, { members }: Shape, notes: Notes, path = ''): void {
  for (const name in object) {
    const type = members[name];
    const value = object[name]!;
    if (type === undefined) notes.unknown.push(path + name.slice(0, nameCharactersMax).toWellFormed());
    else if (type !== 'text') inspectValue(value, type, notes, path, name);
    else if (typeof value !== 'string' && value !== null) notes.wrongTypes.push(path + name);
  }
}

function inspectValue(value: JsonValue, type: Type, notes: Notes, path: string, name: string): void {
  if (value === null) return;
  if (typeof type === 'string') {
    if (!isOf(value, type)) notes.wrongTypes.push(path + name);
  } else if ('members' in type) {
    if (isObject(value)) inspect(value, type, notes, `${path}${name}.`);
    else notes.wrongTypes.push(path + name);
  } else if (Array.isArray(value)) {
    const element = `${name}[]`;
    for (const inner of value) inspectValue(inner, type.each, notes, path, element);
  } else notes.wrongTypes.push(path + name);
}

function isOf(value: JsonValue, type: Scalar): boolean {
  switch (type) {
    case 'text':
      return typeof value === 'string';
    case 'id':
      return typeof value === 'string' || typeof value === 'number';
    case 'integer':
      return Number.isSafeInteger(value);
    case 'instant':
      return typeof value === 'string' && instantOf(value) !== undefined;
    case 'any':
      return isObject(value);
    default:
      return typeof value === type;
  }
}
