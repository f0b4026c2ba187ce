/**
 * Reads the fields that a provider documents, and notes what the documentation did not promise: fields of another type
 * than documented, which then count as absent, and fields that no page lists. Nothing throws, nothing is lost: the body
 * is kept as it is.
 */
import { isObject, type JsonObject, type JsonValue } from './json.ts';

/** What was noted while a body was read. Paths are dotted: `details.cpu`, `triggers[].metric`. */
export interface Notes {
  /** Documented fields whose value has another type. */
  readonly wrongTypes: string[];
  /** Fields that no page lists. */
  readonly unknown: string[];
}

const fieldsNotedMax = 50;
const nameCharactersMax = 128;
const identifierCharactersMax = 512;

export function createNotes(): Notes {
  return { wrongTypes: [], unknown: [] };
}

/** What a fact says of the notes: its unknown fields, the flag `wrong_type`, and the attribute that names the fields. */
export function remarksOf({ wrongTypes, unknown }: Notes) {
  const wrong = namesOf(wrongTypes);
  return {
    unknownFields: namesOf(unknown),
    flags: wrong.length > 0 ? ['wrong_type'] : [],
    attributes: (wrong.length > 0 ? { wrong_type: wrong.join(' ') } : {}) as Record<string, string>,
  };
}

function namesOf(paths: readonly string[]): string[] {
  if (paths.length === 0) return [];
  return [...new Set(paths)].sort().slice(0, fieldsNotedMax);
}

/** One object of a body, read by documented names. Absent, null and blank are one: undefined. */
export class Fields {
  readonly #object: JsonObject;
  readonly #notes: Notes;
  readonly #path: string;

  /** `documented`: every name that the pages give this object. `path`: where it lies, with its dot. */
  constructor(object: JsonObject, documented: readonly string[], notes: Notes, path = '') {
    this.#object = object;
    this.#notes = notes;
    this.#path = path;
    for (const name of Object.keys(object)) {
      if (!documented.includes(name)) notes.unknown.push(path + name.slice(0, nameCharactersMax).toWellFormed());
    }
  }

  /**
   * Text. An identifier that was sent as a number is given as it was written. Half of a surrogate pair, which JSON can
   * say and no file can, is replaced: what is remembered must be what comes back from a file.
   */
  text(name: string): string | undefined {
    const value = this.#value(name);
    if (typeof value === 'string') return value.trim() === '' ? undefined : value.toWellFormed();
    if (typeof value === 'number') return String(value);
    return this.#wrong(name, value);
  }

  /** Text that names something, and so is of a length that names have. */
  identifier(name: string): string | undefined {
    const text = this.text(name);
    return text === undefined || text.length <= identifierCharactersMax ? text : this.#wrong(name, text);
  }

  /** An integer that a double holds. */
  integer(name: string): number | undefined {
    const value = this.#value(name);
    return Number.isSafeInteger(value) ? (value as number) : this.#wrong(name, value);
  }

  boolean(name: string): boolean | undefined {
    const value = this.#value(name);
    return typeof value === 'boolean' ? value : this.#wrong(name, value);
  }

  /** An instant in RFC 3339, in epoch milliseconds. */
  instant(name: string): number | undefined {
    const value = this.#value(name);
    return (typeof value === 'string' ? instantOf(value) : undefined) ?? this.#wrong(name, value);
  }

  object(name: string, documented: readonly string[]): Fields | undefined {
    const value = this.#value(name);
    if (isObject(value)) return new Fields(value, documented, this.#notes, `${this.#path}${name}.`);
    return this.#wrong(name, value);
  }

  /** The objects of a list; what is in it besides is noted. Empty where there is none. */
  objects(name: string, documented: readonly string[]): Fields[] {
    const value = this.#value(name);
    if (!Array.isArray(value)) return this.#wrong(name, value) ?? [];
    return value.flatMap((element) => {
      if (isObject(element)) return [new Fields(element, documented, this.#notes, `${this.#path}${name}[].`)];
      this.#notes.wrongTypes.push(`${this.#path}${name}[]`);
      return [];
    });
  }

  /** Whatever it is, as it was sent. */
  any(name: string): JsonValue | undefined {
    return this.#value(name);
  }

  #value(name: string): JsonValue | undefined {
    return Object.hasOwn(this.#object, name) ? this.#object[name] : undefined;
  }

  #wrong(name: string, value: JsonValue | undefined): undefined {
    if (value !== undefined && value !== null) this.#notes.wrongTypes.push(this.#path + name);
  }
}

/** With its zone: another one would depend on where the flow runs. */
const instant = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/;

/** An instant in RFC 3339, in epoch milliseconds; undefined where the text is none. */
export function instantOf(text: string): number | undefined {
  const time = instant.test(text) ? Date.parse(text.toUpperCase()) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
