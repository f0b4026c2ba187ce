/** What differs between two states of an object. */
import { isObject, type JsonObject, type JsonValue } from '../json.ts';
import type { FieldChange } from '../provider.ts';

export const changesMax = 200;
const pathCharactersMax = 512;

export interface Difference {
  changes: FieldChange[];
  /** There were more changes, or a longer path, than are kept. */
  truncated: boolean;
}

/** Objects are compared field by field, at any depth; lists and all else as a whole. Sorted by name on every level. */
export function differenceOf(before: JsonObject, after: JsonObject): Difference {
  const difference: Difference = { changes: [], truncated: false };
  compare(before, after, '', difference);
  return difference;
}

function compare(before: JsonObject, after: JsonObject, path: string, difference: Difference): void {
  for (const name of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
    const [old, young] = [ownOf(before, name), ownOf(after, name)];
    const field = path + segmentOf(name);
    if (isObject(old) && isObject(young)) compare(old, young, `${field}.`, difference);
    else if (!isSame(old, young)) note(difference, field, old, young);
    if (difference.changes.length === changesMax && difference.truncated) return;
  }
}

function note(
  difference: Difference,
  field: string,
  before: JsonValue | undefined,
  after: JsonValue | undefined,
): void {
  if (field.length > pathCharactersMax || difference.changes.length === changesMax) difference.truncated = true;
  if (difference.changes.length === changesMax) return;
  difference.changes.push({
    field: field.slice(0, pathCharactersMax).toWellFormed(),
    before: jsonOf(before),
    after: jsonOf(after),
  });
}

/** `__proto__` is a name like any other in what was parsed. */
function ownOf(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** In quotes where dots would not tell where the name ends. */
function segmentOf(name: string): string {
  return /^[\w-]+$/.test(name) ? name : JSON.stringify(name);
}

function jsonOf(value: JsonValue | undefined): string {
  return value === undefined ? '' : JSON.stringify(value);
}

/** The order of an object's fields says nothing. */
function isSame(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((element, index) => isSame(element, b[index]));
  }
  if (isObject(a) && isObject(b)) {
    const names = Object.keys(a);
    return (
      names.length === Object.keys(b).length &&
      names.every((name) => Object.hasOwn(b, name) && isSame(a[name], b[name]))
    );
  }
  return a === b;
}
