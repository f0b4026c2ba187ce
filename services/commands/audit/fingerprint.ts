/**
 * Fingerprints of rows that ClickHouse and this code work out alike: the first eight bytes of an MD5 over a row's
 * fields as text, each behind its length in bytes and a colon. They guard against mishaps, not against malice.
 */
import { createHash } from 'node:crypto';
import { type OutputKind, outputKinds } from '../../core/records/codec.ts';
import { type RecordTypes, schemas } from '../../core/records/generated.ts';

/** identity: id, version and whether it was withdrawn; values: every field. */
export type Depth = 'identity' | 'values';

type Form = 'text' | 'bytes' | 'number' | 'time' | 'boolean' | 'texts' | 'map';

export interface Field {
  name: string;
  form: Form;
  nullable: boolean;
}

type AvroType = string | AvroType[] | { type: string; logicalType?: string };

const identity = ['id', 'version', 'withdrawn'];
const fields: ReadonlyMap<OutputKind, readonly Field[]> = new Map(outputKinds.map((kind) => [kind, readFields(kind)]));

/** Fields in the order of the schema. */
export function fieldsOf(kind: OutputKind, depth: Depth): readonly Field[] {
  const all = fields.get(kind)!;
  return depth === 'values' ? all : all.filter(({ name }) => identity.includes(name));
}

/** The fingerprint of a row as the flow made it. */
export function fingerprintOf<K extends OutputKind>(kind: K, value: RecordTypes[K], depth: Depth): bigint {
  const digest = createHash('md5');
  for (const field of fieldsOf(kind, depth)) {
    const text = fieldText(field, value[field.name as keyof RecordTypes[K]]);
    digest.update(`${Buffer.byteLength(text)}:`).update(text);
  }
  return digest.digest().readBigUInt64BE(0);
}

/** The same as a ClickHouse expression over the columns of the kind's table: a UInt64. */
export function fingerprintSql(kind: OutputKind, depth: Depth): string {
  const texts = fieldsOf(kind, depth).map(textSql);
  return `halfMD5(arrayStringConcat(arrayMap(x -> ${framedSql('x')}, [${texts.join(', ')}])))`;
}

/** A field's value as text; the bytes themselves where it is bytes. */
export function fieldText({ form }: Field, value: unknown): string | Buffer {
  if (value === null) return '';
  if (form === 'bytes') return value as Buffer;
  if (form === 'boolean') return value ? '1' : '0';
  if (form === 'texts') return (value as string[]).map(framed).join('');
  if (form === 'map') {
    const entries = Object.entries(value as Record<string, string | number>);
    entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return entries.map(([key, held]) => framed(key) + framed(String(held))).join('');
  }
  return String(value);
}

function textSql({ name, form, nullable }: Field): string {
  const column = `\`${name}\``;
  const sql = {
    text: `toString(${column})`,
    bytes: column,
    number: `toString(${column})`,
    time: `toString(toUnixTimestamp64Milli(${column}))`,
    boolean: `toString(toUInt8(${column}))`,
    texts: `arrayStringConcat(arrayMap(t -> ${framedSql('t')}, ${column}))`,
    map: `arrayStringConcat(arrayMap(k -> concat(${framedSql('k')}, ${framedSql(`toString(${column}[k])`)}), arraySort(mapKeys(${column}))))`,
  }[form];
  return nullable ? `ifNull(${sql}, '')` : sql;
}

function framed(text: string): string {
  return `${Buffer.byteLength(text)}:${text}`;
}

function framedSql(expression: string): string {
  return `concat(toString(length(${expression})), ':', ${expression})`;
}

function readFields(kind: OutputKind): Field[] {
  const { schema } = schemas.findLast((version) => version.kind === kind)!;
  return (schema as { fields: { name: string; type: AvroType }[] }).fields.map(({ name, type }) => {
    const nullable = Array.isArray(type);
    return { name, form: formOf(nullable ? type.find((member) => member !== 'null')! : type), nullable };
  });
}

function formOf(type: AvroType): Form {
  const name = typeof type === 'string' ? type : Array.isArray(type) ? 'union' : (type.logicalType ?? type.type);
  const forms: Record<string, Form> = {
    string: 'text',
    enum: 'text',
    bytes: 'bytes',
    int: 'number',
    long: 'number',
    'timestamp-millis': 'time',
    boolean: 'boolean',
    array: 'texts',
    map: 'map',
  };
  const form = forms[name];
  if (!form) throw new Error(`Cannot compare fields of type ${name}`);
  return form;
}
