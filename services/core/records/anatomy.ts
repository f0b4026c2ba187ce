/**
 * Whether a frame is whole, told by going along its schema. Unlike `decode` it may be given anything: a damaged count
 * costs no more than the frame has bytes.
 */
import { FrameError, schemaIdOf } from './codec.ts';
import { type Cursor, openFrame, readLong, readString, skipBytes } from './cursor.ts';
import { schemas } from './generated.ts';

type AvroType = string | AvroType[] | AvroComplexType;

interface AvroComplexType {
  type: AvroType;
  name?: string;
  fields?: { name: string; type: AvroType }[];
  items?: AvroType;
  values?: AvroType;
  symbols?: string[];
}

export interface Anatomy {
  /** The field `id`, as far as it can be read; else empty. */
  id: string;
  /** What is wrong; empty where the body is of its schema from its first to its last byte. */
  damage: string;
}

export function examine(frame: Uint8Array): Anatomy {
  let id = '';
  try {
    const schemaId = schemaIdOf(frame);
    const version = schemas.find((known) => known.id === schemaId);
    if (!version) throw new FrameError(`Cannot read frame: schema id ${schemaId} is not in lock.json`);
    const { fields = [] } = version.schema as AvroComplexType;
    const cursor = openFrame(frame);
    const skip = createSkip();
    for (const { name, type } of fields) {
      if (name === 'id' && type === 'string') id = readString(cursor);
      else skip(type, cursor);
    }
    const { bytes, offset } = cursor;
    if (offset < bytes.length) throw new FrameError(`Cannot read frame: ${bytes.length} bytes, body ends at ${offset}`);
    return { id, damage: '' };
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    return { id, damage: error.message };
  }
}

/** Moves a cursor over a value. Types that were defined before are known by their name. */
function createSkip(): (type: AvroType, cursor: Cursor) => void {
  const named = new Map<string, AvroComplexType>();

  function skip(type: AvroType, cursor: Cursor): void {
    if (Array.isArray(type)) return skip(pick(type, readLong(cursor)), cursor);
    if (typeof type === 'string') return skipNamed(type, cursor);
    if (type.name) named.set(type.name, type);
    switch (type.type) {
      case 'record':
        for (const field of type.fields!) skip(field.type, cursor);
        return;
      case 'enum':
        pick(type.symbols!, readLong(cursor));
        return;
      case 'array':
        return skipBlocks(cursor, () => skip(type.items!, cursor));
      case 'map':
        return skipBlocks(cursor, () => {
          skipBytes(cursor, readLong(cursor));
          skip(type.values!, cursor);
        });
      default:
        skip(type.type, cursor);
    }
  }

  function skipNamed(type: string, cursor: Cursor): void {
    if (type === 'null') return;
    if (type === 'boolean') return void pick([0, 1], cursor.bytes[cursor.offset++] ?? -1);
    if (type === 'int' || type === 'long') return skipLong(cursor);
    if (type === 'string' || type === 'bytes') return skipBytes(cursor, readLong(cursor));
    if (type === 'float') return skipBytes(cursor, 4);
    if (type === 'double') return skipBytes(cursor, 8);
    const known = named.get(type);
    if (!known) throw new Error(`Schemas hold no type ${type}`);
    skip(known, cursor);
  }

  return skip;
}

/** Blocks of a count and so many items, up to an empty one; behind a negative count stands a size. */
function skipBlocks(cursor: Cursor, skipItem: () => void): void {
  for (let count = readLong(cursor); count !== 0; count = readLong(cursor)) {
    if (count < 0) readLong(cursor);
    for (let item = 0; item < Math.abs(count); item++) {
      const { offset } = cursor;
      skipItem();
      if (cursor.offset === offset) throw new FrameError('Cannot read frame: a list of nothing');
    }
  }
}

function skipLong(cursor: Cursor): void {
  const end = cursor.offset + 10;
  while (cursor.offset < end) if (cursor.bytes[cursor.offset++]! < 0x80) return;
  throw new FrameError('Cannot read frame: a number does not end');
}

function pick<T>(choices: readonly T[], index: number): T {
  const choice = choices[index];
  if (choice === undefined) throw new FrameError(`Cannot read frame: choice ${index} of ${choices.length}`);
  return choice;
}
