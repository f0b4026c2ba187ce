import fc from 'fast-check';
import { type RecordTypes, schemas } from '../../../services/core/records/generated.ts';

interface Schema {
  type: string | Schema | (string | Schema)[];
  fields?: { name: string; type: Schema['type'] }[];
  items?: Schema['type'];
  values?: Schema['type'];
  symbols?: string[];
}

/** The longs that the codec keeps exact. */
const [longMin, longMax] = [-(2 ** 52), 2 ** 53 - 2];
const text = fc.string({ unit: 'binary', maxLength: 40 });
const primitives: Record<string, fc.Arbitrary<unknown>> = {
  null: fc.constant(null),
  boolean: fc.boolean(),
  int: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  long: fc.integer({ min: longMin, max: longMax }),
  double: fc.double(),
  string: text,
  bytes: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
};

/** Any value of a kind of record, over the whole range of its newest schema. */
export function arbitraryRecord<K extends keyof RecordTypes>(kind: K): fc.Arbitrary<RecordTypes[K]> {
  return arbitraryOf<RecordTypes[K]>(schemas.findLast((row) => row.kind === kind)!.schema);
}

/** The same of a schema that need not be the newest. */
export function arbitraryOf<T>(schema: object): fc.Arbitrary<T> {
  return arbitrary(schema as Schema) as fc.Arbitrary<T>;
}

function arbitrary(type: Schema['type']): fc.Arbitrary<unknown> {
  if (Array.isArray(type)) return fc.oneof(...type.map(arbitrary));
  if (typeof type === 'string') {
    const primitive = primitives[type];
    if (!primitive) throw new Error(`Cannot make values of the Avro type ${type}`);
    return primitive;
  }
  switch (type.type) {
    case 'record':
      return fc.record(Object.fromEntries(type.fields!.map((field) => [field.name, arbitrary(field.type)])));
    case 'enum':
      return fc.constantFrom(...type.symbols!);
    case 'array':
      return fc.array(arbitrary(type.items!), { maxLength: 5 });
    case 'map':
      // avsc drops a key `__proto__`; no map has keys from outside but for names in snake_case and of endpoints.
      return fc.dictionary(
        text.filter((key) => key !== '__proto__'),
        arbitrary(type.values!),
        { maxKeys: 5, noNullPrototype: true },
      );
    default:
      return arbitrary(type.type);
  }
}
