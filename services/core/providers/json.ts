/** JSON as providers send it: bounded in depth, with integers that a double cannot hold kept as text. */
import { isUtf8 } from 'node:buffer';

export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

export const jsonDepthMax = 32;

export type ParsedJson =
  | { ok: true; text: string; object: JsonObject }
  | { ok: false; reason: 'not UTF-8' | 'not JSON' | 'not an object' | 'too deep'; detail: string };

/**
 * Parses a body that must be one JSON object. Of a name that comes twice the last value holds, as JSON.parse has it;
 * `__proto__` becomes a property like any other.
 */
export function parseJsonObject(body: Uint8Array): ParsedJson {
  if (!isUtf8(body)) return { ok: false, reason: 'not UTF-8', detail: 'the body is not valid UTF-8' };
  const text = textOfBody(body);
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { ok: false, reason: 'not JSON', detail: describeSyntaxError(error as SyntaxError, text) };
  }
  if (!isObject(value)) return { ok: false, reason: 'not an object', detail: `the body is ${describeType(value)}` };
  const care = inspect(value, jsonDepthMax);
  if (care === tooDeep) {
    return { ok: false, reason: 'too deep', detail: `the body is nested deeper than ${jsonDepthMax} levels` };
  }
  return { ok: true, text, object: care === longNumbers ? JSON.parse(text, keepLongIntegers) : value };
}

/** Without the byte order mark that some senders put first. */
function textOfBody(body: Uint8Array): string {
  // Making a view costs as much as much else that is done with a delivery: mostly there is one already.
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const text = bytes.toString('utf8');
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/*
 * Names are the decoders' own and none that objects inherit, so a plain look finds what the body says or nothing.
 */

/** A text property; an identifier that was sent as a number is given as it was written. Undefined for all else. */
export function textOf(object: JsonObject, name: string): string | undefined {
  const value = object[name];
  if (typeof value === 'string') return value.trim() === '' ? undefined : value;
  return typeof value === 'number' ? String(value) : undefined;
}

/** An object property, or undefined. */
export function objectOf(object: JsonObject, name: string): JsonObject | undefined {
  const value = object[name];
  return isObject(value) ? value : undefined;
}

/** The objects in an array property; empty where it is absent or no array. */
export function objectsOf(object: JsonObject, name: string): JsonObject[] {
  const value = object[name];
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function keepLongIntegers(_key: string, value: JsonValue, context?: { source?: string }): JsonValue {
  const source = context?.source;
  if (typeof value !== 'number' || source === undefined) return value;
  return /^-?\d+$/.test(source) && !Number.isSafeInteger(value) ? source : value;
}

/** How much care a value needs, the least first. Long numbers are rare; keeping them makes parsing several times slower. */
const plain = 0;
const longNumbers = 1;
const tooDeep = 2;

function inspect(value: JsonValue, levels: number): number {
  if (typeof value === 'number') return Math.abs(value) > Number.MAX_SAFE_INTEGER ? longNumbers : plain;
  if (typeof value !== 'object' || value === null) return plain;
  if (levels === 0) return tooDeep;
  let care = plain;
  if (Array.isArray(value)) for (const element of value) care = Math.max(care, inspect(element, levels - 1));
  else for (const key in value) care = Math.max(care, inspect(value[key]!, levels - 1));
  return care;
}

function describeType(value: JsonValue): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

/** Where it is, and none of the excerpt of the body that the parser quotes. */
function describeSyntaxError(error: SyntaxError, text: string): string {
  if (error.message.startsWith('Unexpected end')) return 'the body ends too early';
  const position = /position (\d+)/.exec(error.message)?.[1] ?? findUnexpected(text);
  return `not valid JSON at character ${position}`;
}

/**
 * The parser gives no place to a character that cannot begin a value. It is the last of the shortest beginning of the text
 * that fails for such a character; every longer one fails for the same.
 */
function findUnexpected(text: string): number {
  let [fine, failing] = [0, text.length];
  while (failing - fine > 1) {
    const middle = (fine + failing) >>> 1;
    if (failsForToken(text.slice(0, middle))) failing = middle;
    else fine = middle;
  }
  return failing - 1;
}

function failsForToken(text: string): boolean {
  try {
    JSON.parse(text);
    return false;
  } catch (error) {
    return (error as SyntaxError).message.startsWith('Unexpected token');
  }
}
