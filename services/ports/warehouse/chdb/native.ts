/**
 * FORMAT Native as a client of ClickHouse's protocol reads it. A client names its revision (`client_protocol_version`), and a
 * server then writes, for each block and column, what the embedded engine leaves out:
 *
 *   engine:                   columns rows { name type                 data }…
 *   from revision 54405 on:   01 00 02 ff ff ff ff 00   columns rows { name type                 data }…
 *   from revision 54454 on:   01 00 02 ff ff ff ff 00   columns rows { name type 00              data }…
 *
 * The eight bytes are the block's info (no overflow, no bucket), the zero says that the column is written as usual. To find
 * the next column its data must be measured, so every type is known here, or refused. Source: NativeWriter.cpp, BlockInfo.cpp
 * and the serializations of ClickHouse. clickhouse-go, by which Grafana asks, and clickhouse-connect read this.
 */
import { refuse } from './exception.ts';

/** The first revision whose blocks are as the engine writes them, but for the info: LowCardinality stands as it is. */
const revisionMin = 54405;
const revisionWithFlag = 54454;
const blockInfo = Buffer.from([1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0]);
const asUsual = Buffer.from([0]);

/**
 * A result in FORMAT Native as a client of this revision reads it; 0 is a client that names none.
 * @throws ClickHouseException NOT_IMPLEMENTED for a column of a type, or a revision, that is not known here.
 */
export function frameNative(bytes: Buffer, revision: number): Buffer {
  if (revision === 0) return bytes;
  if (revision < revisionMin) {
    throw refuse('NOT_IMPLEMENTED', `client_protocol_version ${revision} is not supported here: ${revisionMin} is`);
  }
  const pieces: Buffer[] = [];
  const cursor = new Cursor(bytes);
  let copied = 0;
  const insert = (piece: Buffer) => {
    pieces.push(bytes.subarray(copied, cursor.at), piece);
    copied = cursor.at;
  };
  while (cursor.at < bytes.length) {
    insert(blockInfo);
    const columns = cursor.number();
    const rows = cursor.number();
    for (let column = 0; column < columns; column++) {
      cursor.text();
      const layout = layoutOf(cursor.text());
      if (revision >= revisionWithFlag) insert(asUsual);
      if (rows === 0) continue;
      layout.passPrefix(cursor);
      layout.passData(cursor, rows);
    }
  }
  pieces.push(bytes.subarray(copied));
  return Buffer.concat(pieces);
}

class Cursor {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  pass(count: number): void {
    if (!(count >= 0) || this.at + count > this.#bytes.length) throw new Error(`Cannot pass over ${count} bytes`);
    this.at += count;
  }

  /** A number of variable length, seven bits in each byte, the least first. */
  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) throw new Error('Cannot read a number beyond the end');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  text(): string {
    const length = this.number();
    this.pass(length);
    return this.#bytes.toString('utf8', this.at - length, this.at);
  }

  /** Eight bytes, the least first. */
  long(): number {
    this.pass(8);
    return Number(this.#bytes.readBigUInt64LE(this.at - 8));
  }
}

/** How to pass over a column of a type: what stands in front of the whole of it, then so many values. */
interface Layout {
  passPrefix(cursor: Cursor): void;
  passData(cursor: Cursor, rows: number): void;
}

const fixed = (bytes: number): Layout => ({
  passPrefix() {},
  passData: (cursor, rows) => cursor.pass(bytes * rows),
});

const texts: Layout = {
  passPrefix() {},
  passData(cursor, rows) {
    for (let row = 0; row < rows; row++) cursor.pass(cursor.number());
  },
};

const bytesOf: Record<string, number> = {
  ...{ Bool: 1, UInt8: 1, Int8: 1, Enum8: 1, Nothing: 1, UInt16: 2, Int16: 2, Enum16: 2, BFloat16: 2, Date: 2 },
  ...{ UInt32: 4, Int32: 4, Float32: 4, Date32: 4, DateTime: 4, Time: 4, IPv4: 4, Decimal32: 4 },
  ...{ UInt64: 8, Int64: 8, Float64: 8, DateTime64: 8, Time64: 8, Decimal64: 8 },
  ...{ UInt128: 16, Int128: 16, UUID: 16, IPv6: 16, Decimal128: 16, UInt256: 32, Int256: 32, Decimal256: 32 },
};

const composed: Record<string, (args: string[]) => Layout> = {
  FixedString: ([length]) => fixed(Number(length)),
  Decimal: ([precision]) => fixed(bytesOfDecimal(Number(precision))),
  SimpleAggregateFunction: (args) => layoutOf(args.at(-1) ?? ''),
  Nullable: ([of = '']) => both(fixed(1), layoutOf(of)),
  LowCardinality: ([of = '']) => dictionary(layoutOf(/^Nullable\((.*)\)$/s.exec(of)?.[1] ?? of)),
  Array: ([of = '']) => list(layoutOf(of)),
  Map: (args) => list(both(...args.map(layoutOf))),
  Tuple: (args) => both(...args.map((arg) => layoutOf(typeOfElement(arg)))),
};

function layoutOf(type: string): Layout {
  const [, name = '', inner] = /^(\w+)(?:\((.*)\))?$/s.exec(type) ?? [];
  const bytes = bytesOf[name] ?? (name.startsWith('Interval') ? 8 : undefined);
  if (bytes !== undefined) return fixed(bytes);
  if (name === 'String') return texts;
  const compose = composed[name];
  if (compose) return compose(splitArguments(inner ?? ''));
  throw refuse('NOT_IMPLEMENTED', `A column of type ${type} cannot be sent in FORMAT Native here: cast it to String`);
}

const bytesOfDecimal = (precision: number) => (precision <= 9 ? 4 : precision <= 18 ? 8 : precision <= 38 ? 16 : 32);

/** Columns of the same length, one after the other. */
function both(...parts: Layout[]): Layout {
  return {
    passPrefix: (cursor) => parts.forEach((part) => void part.passPrefix(cursor)),
    passData: (cursor, rows) => parts.forEach((part) => void part.passData(cursor, rows)),
  };
}

/** Where each list ends, then the elements of all lists. */
function list(elements: Layout): Layout {
  return {
    passPrefix: (cursor) => elements.passPrefix(cursor),
    passData(cursor, rows) {
      if (rows === 0) return;
      cursor.pass(8 * (rows - 1));
      elements.passData(cursor, cursor.long());
    },
  };
}

/** A version in front; then flags, whose lowest byte tells the size of an index, the distinct values, and the indexes. */
function dictionary(values: Layout): Layout {
  return {
    passPrefix(cursor) {
      cursor.pass(8);
      values.passPrefix(cursor);
    },
    passData(cursor, rows) {
      if (rows === 0) return;
      const indexBytes = 2 ** (cursor.long() & 0xff);
      values.passData(cursor, cursor.long());
      cursor.pass(indexBytes * cursor.long());
    },
  };
}

/** The element of a named tuple without its name: `a String`, `` `b c` UInt8 ``. */
function typeOfElement(element: string): string {
  return element.replace(/^(?:`(?:[^`\\]|\\.)*`|[A-Za-z_]\w*) (?=\w)/s, '');
}

/** What stands between the commas, save those in quotes and parentheses. */
function splitArguments(text: string): string[] {
  const parts: string[] = [''];
  let depth = 0;
  for (const [token] of text.matchAll(/'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|[(),]|[^'`(),]+/gs)) {
    if (token === '(') depth++;
    if (token === ')') depth--;
    if (token === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += token;
  }
  return text === '' ? [] : parts.map((part) => part.trim());
}
