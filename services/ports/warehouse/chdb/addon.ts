import type { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** One connection to the engine, opaque; every connection has its own settings, role, database and parameters. */
export type Connection = { readonly connection: unique symbol };

/** What the engine's own parser says of a text: how many statements, and how far the most powerful one reaches. */
export interface Classification {
  statementCount: number;
  /** 0 only reads; 1 and 2 change data or access; 3 SET, USE, SYSTEM, INTO OUTFILE and the like; 4 did not parse. */
  queryClass: 0 | 1 | 2 | 3 | 4;
}

/** The part of chdb's native addon that is used here. Calls run on libuv's thread pool, one thread each. */
export interface Addon {
  CreateConnection(path: string, args: readonly string[]): Connection;
  /** Never while a call on the connection is under way: that aborts the engine. */
  CloseConnection(connection: Connection): void;
  QueryAsyncConnection(
    connection: Connection,
    sql: string,
    format: string,
  ): Promise<{ bytes: Buffer; elapsed: number; rowsRead: number; bytesRead: number }>;
  /** Runs an INSERT; `data` is glued to its text, so binary data cannot come this way: a double newline ends it. */
  InsertRawAsyncConnection(
    connection: Connection,
    sql: string,
    data: Buffer,
    countLines: boolean,
  ): Promise<{ elapsed: number; rowsWritten: number; bytesWritten: number }>;
  DurableClassifyAsync(connection: Connection, sql: string, database: string): Promise<Classification>;
}

/** The engine cannot be used on this machine. A retry does not help. */
export class EngineUnavailableError extends Error {
  readonly code = 'ENGINE_UNAVAILABLE';
}

const used = [
  'CreateConnection',
  'CloseConnection',
  'QueryAsyncConnection',
  'InsertRawAsyncConnection',
  'DurableClassifyAsync',
] as const;

/**
 * Loads the engine's addon. The wrapper around it is passed by: its parameter binding runs one query of the process
 * at a time, and it offers neither the parser's classification nor the count of rows written.
 * @throws EngineUnavailableError where the optional package chdb is not installed or does not fit the machine.
 */
export function loadAddon(packageName = 'chdb'): Addon {
  const require = createRequire(import.meta.url);
  let addon: Record<string, unknown>;
  try {
    addon = require(join(dirname(require.resolve(packageName)), 'dist/loader.js')).loadNative();
  } catch (error) {
    throw unavailable((error as Error).message.split('\n')[0]!, error);
  }
  const missing = used.filter((name) => typeof addon[name] !== 'function');
  if (missing.length > 0) throw unavailable(`its addon lacks ${missing.join(', ')}`);
  return addon as unknown as Addon;
}

function unavailable(reason: string, cause?: unknown): EngineUnavailableError {
  return new EngineUnavailableError(
    `Cannot load the embedded ClickHouse engine (package chdb) on ${process.platform}-${process.arch}: ${reason}. ` +
      'Set CLICKHOUSE_URL to use a server, or run npm ci on a supported platform (Linux with glibc or macOS, x64 or arm64).',
    { cause },
  );
}
