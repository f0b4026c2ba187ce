/** The writer's thread behind `createThreadedSqliteLog`. */
import { parentPort, workerData } from 'node:worker_threads';
import { openSqliteWriter, type SqliteLogOptions, type WriterBatch } from './sqlite-writer.ts';
import type { WriterReply, WriterRequest } from './threaded.ts';

const port = parentPort!;
const writer = openSqliteWriter(workerData as SqliteLogOptions);

function unpack(keys: string[], lengths: number[], buffer: ArrayBuffer): WriterBatch {
  let offset = 0;
  return lengths.map((length, index) => {
    const frame = new Uint8Array(buffer, offset, length);
    offset += length;
    return { key: keys[index]!, frame };
  });
}

function work(request: WriterRequest): number {
  if (request.name === 'append') return writer.append(unpack(request.keys, request.lengths, request.buffer));
  if (request.name === 'trim') writer.trim(request.position);
  else writer.close();
  return -1;
}

port.on('message', (request: WriterRequest) => {
  let reply: WriterReply;
  try {
    reply = { call: request.call, position: work(request) };
  } catch (error) {
    reply = { call: request.call, error: error as Error };
  }
  port.postMessage(reply);
});
