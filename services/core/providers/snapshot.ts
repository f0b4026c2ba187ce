import { hash } from 'node:crypto';
import type { JsonObject, JsonValue } from './json.ts';

/**
 * Names what a snapshot says, in 32 hex digits: equal ones have equal digests, however they are spaced and sorted. A
 * provider's own `modifiedDate` is not enough: recorded servers of CenturyLink Cloud were archived, and lost addresses,
 * without a new one.
 */
export function digestOfSnapshot(snapshot: JsonObject): string {
  return hash('sha256', canonical(snapshot)).slice(0, 32);
}

/** One text for each value, whatever the order of members. */
function canonical(value: JsonValue): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return String(value);
  let text = '';
  if (Array.isArray(value)) {
    for (const element of value) text += `${canonical(element)},`;
    return `[${text}]`;
  }
  for (const key of Object.keys(value).sort()) text += `${JSON.stringify(key)}:${canonical(value[key]!)},`;
  return `{${text}}`;
}
