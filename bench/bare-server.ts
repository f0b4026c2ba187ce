/** What the edge is held against: reads a body, verifies its signature, answers. `bare-server.ts <public key file>` */
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const key = createPublicKey(readFileSync(process.argv[2]!));
const answer = JSON.stringify({ id: '019c0000abcd-0123456789abcdef-100000' });

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const signature = Buffer.from(String(request.headers['tier3-rsasha1']), 'base64');
    const status = verify('sha1', Buffer.concat(chunks), key, signature) ? 202 : 401;
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': answer.length });
    response.end(answer);
  });
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
