/** The writer's thread behind `createThreadedSqliteLog`. */
import { parentPort, workerData } from 'node:worker_threads';
import { openSqliteWriter, type SqliteLogOptions } from './sqlite-writer.ts';
import type { WriterReply, WriterRequest } from './threaded.ts';

const port = parentPort!;
const writer = openSqliteWriter(workerData as SqliteLogOptions);

function work(request: WriterRequest): number {
  if (request.name === 'append') return writer.append(new Uint8Array(request.packed), request.count);
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
