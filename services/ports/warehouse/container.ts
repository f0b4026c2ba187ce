/**
 * Avro object container files (Avro 1.11 specification, "Object Container Files"), made of records that are already
 * encoded: the header names the writer's schema, and one block holds the bodies as they are. ClickHouse reads it as
 * FORMAT Avro, so rows travel from the log to the table without being decoded here.
 */

const magic = Buffer.from('Obj\x01', 'latin1');
/** Separates blocks. Any 16 bytes will do where there is one block, so they need not differ between files. */
const syncMarker = Buffer.alloc(16, 0x48);

/** The file's parts, to be sent one after the other. `schema` is the writer's, as JSON. */
export function containerParts(schema: object, bodies: readonly Uint8Array[]): Uint8Array[] {
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
  const metadata = Buffer.concat([
    encodeLong(2),
    encodeBytes(Buffer.from('avro.schema')),
    encodeBytes(Buffer.from(JSON.stringify(schema))),
    encodeBytes(Buffer.from('avro.codec')),
    encodeBytes(Buffer.from('null')),
    encodeLong(0),
  ]);
  const header = Buffer.concat([magic, metadata, syncMarker, encodeLong(bodies.length), encodeLong(bytes)]);
  return [header, ...bodies, syncMarker];
}

/** A long as Avro writes it: zigzag, seven bits a byte. Not negative here. */
function encodeLong(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value * 2;
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

function encodeBytes(bytes: Buffer): Buffer {
  return Buffer.concat([encodeLong(bytes.length), bytes]);
}
