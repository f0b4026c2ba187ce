import avro from 'avsc';
import { describe, expect, test } from 'vitest';
import { isStale } from '../../../scripts/generate-records.ts';
import {
  extendLock,
  findLockProblems,
  findSchemaProblems,
  readLock,
  readSchemaFiles,
  type SchemaFile,
} from '../../../scripts/schemas.ts';
import { outputKinds } from '../../../services/core/records/codec.ts';

const files = readSchemaFiles();
const lock = readLock();
const kinds = [...outputKinds, 'checkpoint', 'progress', 'refusal'].sort();

/** A schema of two fields, each of which a test may replace. */
function schemaFile({ version = 1, doc = 'A thing.', fields = [text('a'), text('b')] } = {}): SchemaFile {
  return { schema: 'thing', version, text: JSON.stringify({ type: 'record', name: 'Thing', doc, fields }) };
}

function text(name: string, more: object = {}): object {
  return { name, type: 'string', doc: `The ${name}.`, ...more };
}

describe('the schemas of the project', () => {
  test('are there for every kind of record', () => {
    expect([...new Set(files.map(({ schema }) => schema))]).toEqual(kinds);
  });

  test('are what lock.json says', () => {
    expect(findLockProblems(files, lock)).toEqual([]);
  });

  test('are explained and can grow', () => {
    expect(findSchemaProblems(files)).toEqual([]);
  });

  test('are what generated.ts was made from', () => {
    expect(isStale(), 'generated.ts is stale: run `npm run generate`').toBe(false);
  });

  test.each(pairs(files))('$reader reads what $writer wrote', ({ readerText, writerText }) => {
    expect(resolve(readerText, writerText)).not.toThrow();
  });
});

describe('the rules for schemas', () => {
  const locked = extendLock([schemaFile()], []);

  test('a changed file is told to become a new version', () => {
    expect(findLockProblems([schemaFile({ doc: 'Another.' })], locked)).toEqual([
      'thing.v1.avsc differs from lock.json: restore it and add thing.v2.avsc instead',
    ]);
  });

  test.each([
    {
      fault: 'a file without an id',
      files: [schemaFile(), schemaFile({ version: 2 })],
      lock: locked,
      says: /v2 has 0 ids/,
    },
    {
      fault: 'two ids for a file',
      files: [schemaFile()],
      lock: [...locked, { ...locked[0]!, id: 2 }],
      says: /has 2 ids/,
    },
    {
      fault: 'an id given twice',
      files: [schemaFile(), schemaFile({ version: 2 })],
      lock: extendLock([schemaFile(), schemaFile({ version: 2 })], []).map((entry) => ({ ...entry, id: 1 })),
      says: /the id 1 more than once/,
    },
    { fault: 'a file that is gone', files: [], lock: locked, says: /thing\.v1\.avsc is gone/ },
  ])('$fault is a fault of the lock', ({ files, lock, says }) => {
    expect(findLockProblems(files, lock)).toEqual([expect.stringMatching(says)]);
  });

  test.each([
    { fault: 'a record without doc', file: schemaFile({ doc: '' }), says: /v1 has no doc/ },
    {
      fault: 'a field without doc',
      file: schemaFile({ fields: [text('a', { doc: '' })] }),
      says: /field a has no doc/,
    },
    {
      fault: 'an enum without default',
      file: schemaFile({ fields: [text('a', { type: { type: 'enum', name: 'E', doc: 'An E.', symbols: ['x'] } })] }),
      says: /enum E has no default/,
    },
    {
      fault: 'an enum without doc, inside of a list',
      file: schemaFile({
        fields: [
          text('a', { type: { type: 'array', items: { type: 'enum', name: 'E', symbols: ['x'], default: 'x' } } }),
        ],
      }),
      says: /enum E has no doc/,
    },
  ])('$fault is a fault of the schema', ({ file, says }) => {
    expect(findSchemaProblems([file])).toEqual([expect.stringMatching(says)]);
  });

  test('a field that a later version adds needs a default', () => {
    const added = (more: object) => schemaFile({ version: 2, fields: [text('a'), text('b'), text('c', more)] });
    expect(findSchemaProblems([schemaFile(), added({ default: '' })])).toEqual([]);
    expect(findSchemaProblems([schemaFile(), added({})])).toEqual([
      'thing.v2: field c is new in this version and has no default',
    ]);
  });

  test('versions that cannot read each other are found out, whichever is the reader', () => {
    const without = schemaFile();
    const withNew = schemaFile({ version: 2, fields: [text('a'), text('b'), text('c')] });
    const faults = pairs([without, withNew]).filter(({ readerText, writerText }) =>
      throws(resolve(readerText, writerText)),
    );
    expect(faults.map(({ reader, writer }) => [reader, writer])).toEqual([['thing.v2', 'thing.v1']]);
  });

  test('ids of a lock are never given again', () => {
    const grown = extendLock([schemaFile(), schemaFile({ version: 2 })], [{ ...locked[0]!, id: 41 }]);
    expect(grown.map(({ id, version }) => ({ id, version }))).toEqual([
      { id: 41, version: 1 },
      { id: 42, version: 2 },
    ]);
  });
});

/** Every version of a schema with every version of it, both ways and with itself. */
function pairs(files: readonly SchemaFile[]) {
  return files.flatMap((reader) =>
    files
      .filter((writer) => writer.schema === reader.schema)
      .map((writer) => ({
        reader: `${reader.schema}.v${reader.version}`,
        writer: `${writer.schema}.v${writer.version}`,
        readerText: reader.text,
        writerText: writer.text,
      })),
  );
}

function resolve(readerText: string, writerText: string): () => void {
  return () => {
    const [reader, writer] = [readerText, writerText].map((text) => avro.Type.forSchema(JSON.parse(text)));
    reader!.createResolver(writer!);
  };
}

function throws(action: () => void): boolean {
  try {
    action();
    return false;
  } catch {
    return true;
  }
}
