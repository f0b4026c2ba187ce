import type { RecordKind } from '../../../services/core/records/codec.ts';
import { type RecordTypes, schemas } from '../../../services/core/records/generated.ts';

type AvroType =
  | string
  | AvroType[]
  | { type: AvroType; symbols?: string[]; items?: AvroType; values?: AvroType; logicalType?: string };

/** Near now, so that no row is older than the tables keep it. */
const now = Math.floor(Date.now() / 1000) * 1000;

const sampleTexts = { 'content-type': 'application/json', 'tier3-rsasha1': 'c2ln' };
const sampleCounts = { 'server-created': 3, 'server-updated': 0 };

/** A record with a value other than the default in every field; `changes` are what a test is about. */
export function fixture<K extends RecordKind>(kind: K, changes: Partial<RecordTypes[K]>): RecordTypes[K] {
  const { schema } = schemas.findLast((version) => version.kind === kind)!;
  const { fields } = schema as { fields: { name: string; type: AvroType }[] };
  const sample = Object.fromEntries(fields.map(({ name, type }, index) => [name, sampleOf(type, name, index)]));
  return { ...sample, withdrawn: false, version: 1, ...changes } as unknown as RecordTypes[K];
}

function sampleOf(type: AvroType, name: string, index: number): unknown {
  if (Array.isArray(type)) return sampleOf(type.find((member) => member !== 'null')!, name, index);
  if (typeof type === 'object') {
    if (type.logicalType === 'timestamp-millis') return now - index * 1001;
    if (type.type === 'enum') return type.symbols!.at(-1);
    if (type.type === 'array') return [`${name}-1`, `${name}-2`];
    if (type.type === 'map') return type.values === 'long' ? sampleCounts : sampleTexts;
    return sampleOf(type.type, name, index);
  }
  if (type === 'bytes') return Buffer.from(`{"body":${index}}`);
  if (type === 'boolean') return true;
  return type === 'string' ? `${name}-value` : 1000 + index;
}
