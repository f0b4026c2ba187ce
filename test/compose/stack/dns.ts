/** A name server as a container engine has one: A records of names that come and go. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

const headerBytes = 12;
const noError = 0;
const noSuchName = 3;
const typeA = 1;
const typeAny = 255;
const classIn = 1;

/** Addresses of a name in lower case; undefined: there is no such name. */
export type Resolve = (name: string, asker: string) => readonly string[] | undefined;

export async function startNameServer(address: string, resolve: Resolve): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address: asker }) => {
    const answer = answerTo(query, (name) => resolve(name, asker));
    if (answer) socket.send(answer, port, asker);
  });
  socket.bind(53, address);
  await once(socket, 'listening');
  return socket;
}

/** RFC 1035, section 4: one question; undefined for what is none. */
export function answerTo(query: Buffer, resolve: (name: string) => ReturnType<Resolve>): Buffer | undefined {
  if (query.length < headerBytes || query.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let offset = headerBytes;
  for (let length = query[offset]; length; length = query[offset]) {
    labels.push(query.toString('latin1', offset + 1, offset + 1 + length));
    offset += 1 + length;
  }
  if (offset + 5 > query.length) return undefined;
  const type = query.readUInt16BE(offset + 1);
  const question = query.subarray(headerBytes, offset + 5);
  const found = resolve(labels.join('.').toLowerCase());
  const wanted = type === typeA || type === typeAny ? (found ?? []) : [];
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  // A response, authoritative, recursion as it was asked for and available.
  header.writeUInt16BE(0x8480 | (query.readUInt16BE(2) & 0x0100) | (found ? noError : noSuchName), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(wanted.length, 6);
  return Buffer.concat([header, question, ...wanted.map(record)]);
}

function record(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  // The question's name, by its place.
  bytes.writeUInt16BE(0xc000 | headerBytes, 0);
  bytes.writeUInt16BE(typeA, 2);
  bytes.writeUInt16BE(classIn, 4);
  // No one keeps it: TTL 0.
  bytes.writeUInt16BE(4, 10);
  bytes.set(address.split('.').map(Number), 12);
  return bytes;
}
