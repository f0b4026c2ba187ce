import { Worker } from 'node:worker_threads';
import type { Log } from './log.ts';
import { packBatch } from './packing.ts';
import { openSqliteReader } from './sqlite-reader.ts';
import type { SqliteLogOptions } from './sqlite-writer.ts';

/** A request to the writer's thread. `packed` holds a batch of `count` records. */
export type WriterRequest =
  | { call: number; name: 'append'; count: number; packed: ArrayBuffer }
  | { call: number; name: 'trim'; position: number }
  | { call: number; name: 'close' };

export type WriterReply = { call: number; position: number } | { call: number; error: Error };

export interface ThreadedSqliteLog extends Log {
  /**
   * Rejects when the writer's thread has died, never because of close(). Every append and trim rejects from then on: only
   * a new process helps.
   */
  readonly failed: Promise<never>;
}

type Body<T> = T extends unknown ? Omit<T, 'call'> : never;

/**
 * The log in SQLite files of a folder; commits on a thread of its own, so that a stalled disk does not stall the
 * caller's event loop. A batch crosses as one transferred buffer: handing over every record would cost more than
 * committing it.
 */
export function createThreadedSqliteLog(options: SqliteLogOptions): ThreadedSqliteLog {
  const reader = openSqliteReader(options.folder);
  const thread = new Worker(new URL('./writer-thread.ts', import.meta.url), { workerData: options });
  const waiting = new Map<number, { resolve(position: number): void; reject(error: Error): void }>();
  let calls = 0;
  let dead: Error | undefined;
  let closing = false;
  const failed = Promise.withResolvers<never>();
  // Whoever does not ask hears it from the next append.
  failed.promise.catch(() => {});

  function settle(call: number): { resolve(position: number): void; reject(error: Error): void } | undefined {
    const settled = waiting.get(call);
    waiting.delete(call);
    if (waiting.size === 0) thread.unref();
    return settled;
  }
  function fail(error: Error): void {
    dead = error;
    if (!closing) failed.reject(error);
    for (const call of [...waiting.keys()]) settle(call)?.reject(error);
  }
  thread.on('message', (reply: WriterReply) => {
    if ('error' in reply) settle(reply.call)?.reject(reply.error);
    else settle(reply.call)?.resolve(reply.position);
  });
  thread.on('error', (error) => fail(new Error('Cannot write to the log: its thread has died', { cause: error })));
  thread.on('exit', () => {
    const reason = closing ? 'it is closed' : 'its thread has ended';
    fail(dead ?? new Error(`Cannot write to the log: ${reason}`));
  });
  thread.unref();

  function send(body: Body<WriterRequest>, transfer: ArrayBuffer[] = []): Promise<number> {
    if (dead) return Promise.reject(dead);
    const call = calls++;
    return new Promise((resolve, reject) => {
      waiting.set(call, { resolve, reject });
      thread.ref();
      thread.postMessage({ call, ...body }, transfer);
    });
  }

  return {
    failed: failed.promise,
    append(batch) {
      const packed = packBatch(batch).buffer as ArrayBuffer;
      return send({ name: 'append', count: batch.length, packed }, [packed]);
    },
    read: async (from, limits) => reader.read(from, limits),
    bounds: async () => reader.bounds(),
    async trim(position) {
      await send({ name: 'trim', position });
      reader.refresh();
    },
    async close() {
      closing = true;
      reader.close();
      if (!dead) await send({ name: 'close' });
      await thread.terminate();
    },
  };
}
