/** The schema files and their lock: what may be changed in them and what may not. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type AvroType = string | AvroType[] | { type: string; name?: string; doc?: string; [key: string]: unknown };
export interface AvroField {
  name: string;
  type: AvroType;
  doc: string;
  default?: unknown;
}
export interface AvroRecord {
  name: string;
  doc: string;
  fields: AvroField[];
}
/** One schema file: `{ schema: 'delivery', version: 1, text }`. */
export interface SchemaFile {
  schema: string;
  version: number;
  text: string;
}
/** One line of the lock file: an id, once given, belongs to that text of that schema for ever. */
export interface LockEntry {
  id: number;
  schema: string;
  version: number;
  sha256: string;
}

const schemaFolder = fileURLToPath(new URL('../schemas/avro/', import.meta.url));
export const lockFile = join(schemaFolder, 'lock.json');

export function readLock(): LockEntry[] {
  return JSON.parse(readFileSync(lockFile, 'utf8'));
}

/** Every schema file, by name, oldest version first. */
export function readSchemaFiles(): SchemaFile[] {
  return readdirSync(schemaFolder)
    .filter((file) => file.endsWith('.avsc'))
    .map((file) => {
      const match = /^([a-z]+)\.v(\d+)\.avsc$/.exec(file);
      if (!match) throw new Error(`Cannot read ${file} as a schema: its name is not <schema>.v<version>.avsc`);
      return { schema: match[1]!, version: Number(match[2]), text: readFileSync(join(schemaFolder, file), 'utf8') };
    })
    .sort((a, b) => a.schema.localeCompare(b.schema) || a.version - b.version);
}

/** The lock with an entry, and the next free id, for every file that has none yet. Entries are never changed. */
export function extendLock(files: readonly SchemaFile[], lock: readonly LockEntry[]): LockEntry[] {
  const extended = [...lock];
  for (const { schema, version, text } of files) {
    if (extended.some((entry) => entry.schema === schema && entry.version === version)) continue;
    const id = Math.max(0, ...extended.map((entry) => entry.id)) + 1;
    extended.push({ id, schema, version, sha256: sha256(text) });
  }
  return extended;
}

/** Where the files and the lock contradict each other; empty when all is well. */
export function findLockProblems(files: readonly SchemaFile[], lock: readonly LockEntry[]): string[] {
  const problems: string[] = [];
  const ids = lock.map(({ id }) => id);
  for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) {
    problems.push(`lock.json gives the id ${id} more than once`);
  }
  for (const { schema, version } of lock) {
    if (files.some((file) => file.schema === schema && file.version === version)) continue;
    problems.push(`${schema}.v${version}.avsc is gone: frames may exist that need it; restore it`);
  }
  for (const { schema, version, text } of files) {
    const name = `${schema}.v${version}`;
    const entries = lock.filter((entry) => entry.schema === schema && entry.version === version);
    if (entries.length !== 1) problems.push(`${name} has ${entries.length} ids in lock.json: run \`npm run generate\``);
    else if (entries[0]!.sha256 !== sha256(text)) {
      const newest = Math.max(...files.filter((file) => file.schema === schema).map((file) => file.version));
      problems.push(`${name}.avsc differs from lock.json: restore it and add ${schema}.v${newest + 1}.avsc instead`);
    }
  }
  return problems;
}

/** What a reader of another version would stumble over, and what nobody explained; empty when all is well. */
export function findSchemaProblems(files: readonly SchemaFile[]): string[] {
  return files.flatMap((file) => {
    const record = JSON.parse(file.text) as AvroRecord;
    const name = `${file.schema}.v${file.version}`;
    const problems = record.doc ? [] : [`${name} has no doc`];
    const older = files.filter(({ schema, version }) => schema === file.schema && version < file.version);
    const known = new Set(
      older.flatMap(({ text }) => (JSON.parse(text) as AvroRecord).fields.map((field) => field.name)),
    );
    for (const field of record.fields) {
      const place = `${name}: field ${field.name}`;
      if (!field.doc) problems.push(`${place} has no doc`);
      if (older.length > 0 && !known.has(field.name) && field.default === undefined) {
        problems.push(`${place} is new in this version and has no default`);
      }
      problems.push(...enumProblems(place, field.type));
    }
    return problems;
  });
}

function enumProblems(place: string, type: AvroType): string[] {
  if (Array.isArray(type)) return type.flatMap((branch) => enumProblems(place, branch));
  if (typeof type === 'string') return [];
  if (type.type === 'array') return enumProblems(place, type.items as AvroType);
  if (type.type === 'map') return enumProblems(place, type.values as AvroType);
  if (type.type !== 'enum') return [];
  const problems = type.default === undefined ? [`${place}: enum ${type.name} has no default`] : [];
  return type.doc ? problems : [...problems, `${place}: enum ${type.name} has no doc`];
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
