import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Addon, type Classification, type Connection, loadAddon } from './addon.ts';
import { prepareFolders } from './configuration.ts';
import { type ClickHouseException, fromEngine, refuse } from './exception.ts';
import { quoteLiteral, quoteName, type Settings } from './settings.ts';
import { type InsertStatement, namesIn } from './statement.ts';

/**
 * analyst: reads the database and ClickHouse's public system tables, one statement that only reads at a time, under
 * the engine's `readonly=1`. reader: a writer's GET, under `readonly=2`. writer: everything.
 */
export type Rights = 'analyst' | 'reader' | 'writer';

/** One query with all that belongs to it; nothing of it outlives it. */
export interface EngineQuery {
  rights: Rights;
  database: string;
  settings: Settings;
  /** Values of `{name:Type}`, escaped as in a TabSeparated file. */
  parameters: Record<string, string>;
  /** Marks the query for `kill`. */
  id: string;
}

export interface EngineResult {
  bytes: Buffer;
  rowsRead: number;
  bytesRead: number;
  rowsWritten: number;
  bytesWritten: number;
  elapsedSeconds: number;
}

export interface EngineLimits {
  /** Seconds that a query may run. */
  executionSecondsMax: number;
  /** Bytes of a result, in memory and before its format. */
  resultBytesMax: number;
  /** Bytes of memory that a query of an analyst may take. */
  memoryBytesMax: number;
}

/**
 * The engine in this process. Each query gets a connection of its own (opening one takes a fraction of a millisecond):
 * connections share nothing but the data, so database, role, settings and parameters cannot leak into the next query,
 * and queries run side by side, as many as libuv's pool has threads. Errors are ClickHouseExceptions.
 */
export interface Engine {
  readonly version: string;
  /** Runs one statement and resolves with its whole result. */
  query(sql: string, format: string, query: EngineQuery): Promise<EngineResult>;
  /** Runs an INSERT on data in any format. */
  insert(statement: InsertStatement, data: Buffer, query: EngineQuery): Promise<EngineResult>;
  /** The bytes behind a compression that Node lacks. */
  decompress(data: Buffer, method: 'lz4', bytesMax: number): Promise<Buffer>;
  /** Ends a query under way, if it has begun and can be ended. */
  kill(id: string): Promise<void>;
  close(): Promise<void>;
}

/** The engine did not keep a promise that its users' rights rest on. A retry does not help. */
export class EngineUnsafeError extends Error {
  readonly code = 'ENGINE_UNSAFE';
}

export interface EngineOptions {
  dataFolder: string;
  /** What analysts may read, and where queries start; created if absent. */
  database: string;
  limits: EngineLimits;
}

const noResult = { bytes: Buffer.alloc(0), rowsRead: 0, bytesRead: 0, rowsWritten: 0, bytesWritten: 0 };

/** Opens the engine on its data folder, which one process at a time may use. */
export async function openEngine({ dataFolder, database, limits }: EngineOptions): Promise<Engine> {
  const addon = loadAddon();
  const folders = prepareFolders(dataFolder, database);
  const open = () => addon.CreateConnection(folders.store, [`--config-file=${folders.configFile}`]);
  // Kept open: the engine stops with its last connection.
  const anchor = open();
  const running = new Set<Promise<unknown>>();
  let spooled = 0;
  let version = '';

  async function onConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = open();
    const done = work(connection).finally(() => addon.CloseConnection(connection));
    running.add(done);
    try {
      return await done;
    } catch (error) {
      throw 'exceptionCode' in (error as object) ? error : fromEngine(error, version);
    } finally {
      running.delete(done);
    }
  }

  async function spool<T>(data: Buffer, work: (file: string) => Promise<T>): Promise<T> {
    const file = join(folders.spool, `${spooled++}.bin`);
    try {
      await writeFile(file, data, { mode: 0o600 });
      return await work(file);
    } finally {
      await rm(file, { force: true });
    }
  }

  const engine: Engine = {
    get version() {
      return version;
    },
    query: (sql, format, query) =>
      onConnection(async (connection) => {
        await permit(addon, connection, sql, query);
        await addon.QueryAsyncConnection(connection, prelude(query, limits), 'Null');
        if (/^\s*INSERT\s/i.test(sql)) return runInsert(addon, connection, sql);
        const { elapsed, ...result } = await addon.QueryAsyncConnection(connection, sql, format);
        return { ...noResult, ...result, elapsedSeconds: elapsed };
      }),
    insert: (statement, data, query) =>
      onConnection(async (connection) => {
        // The engine would pass over a statement that comes after VALUES.
        const tail = statement.format === 'Values' ? `VALUES ${data}` : `FORMAT ${statement.format}`;
        await permit(addon, connection, `${statement.target} ${statement.settings} ${tail}`, query);
        await addon.QueryAsyncConnection(connection, prelude(query, limits), 'Null');
        return spool(data, (file) => {
          const source = `FROM INFILE ${quoteLiteral(file)} COMPRESSION 'none'`;
          const sql = `${statement.target} ${source} ${statement.settings} FORMAT ${statement.format}`;
          return runInsert(addon, connection, sql);
        });
      }),
    decompress: (data, method, bytesMax) =>
      onConnection((connection) =>
        spool(data, async (file) => {
          const source = `file(${quoteLiteral(file)}, 'RawBLOB', 'data String', ${quoteLiteral(method)})`;
          const sql = `SET max_result_bytes = ${bytesMax}; SELECT data FROM ${source}`;
          return (await addon.QueryAsyncConnection(connection, sql, 'RawBLOB')).bytes;
        }),
      ),
    async kill(id) {
      const sql = `KILL QUERY WHERE Settings['log_comment'] = ${quoteLiteral(id)} ASYNC`;
      await onConnection((connection) => addon.QueryAsyncConnection(connection, sql, 'Null'));
    },
    async close() {
      while (running.size > 0) await Promise.allSettled(running);
      addon.CloseConnection(anchor);
    },
  };
  const setUp = `CREATE DATABASE IF NOT EXISTS ${quoteName(database)} COMMENT 'What Hookwatch received and found'`;
  await addon.QueryAsyncConnection(anchor, setUp, 'Null');
  version = (await addon.QueryAsyncConnection(anchor, 'SELECT version()', 'TSVRaw')).bytes.toString().trim();
  await verifyRights(engine, database, folders.configFile);
  return engine;
}

async function runInsert(addon: Addon, connection: Connection, sql: string): Promise<EngineResult> {
  const { elapsed, ...result } = await addon.InsertRawAsyncConnection(connection, sql, Buffer.from(';'), false);
  return { ...noResult, ...result, elapsedSeconds: elapsed };
}

/**
 * Lets pass one statement that its user may run. The judgement is the engine's: its parser counts and classifies, its
 * formatter spells the names, so that no comment, quote or escape hides one.
 */
async function permit(addon: Addon, connection: Connection, sql: string, query: EngineQuery): Promise<void> {
  const { statementCount, queryClass } = await addon.DurableClassifyAsync(connection, sql, query.database);
  if (statementCount > 1) {
    throw refuse('SYNTAX_ERROR', `Syntax error (Multi-statements are not allowed): ${statementCount} statements`);
  }
  if (query.rights === 'analyst' || queryClass === 4) {
    const names = namesIn(await formatQuery(addon, connection, sql));
    const forbidden = outsideNames.find((name) => query.rights === 'analyst' && names.has(name));
    if (forbidden) {
      throw refuse(
        'ACCESS_DENIED',
        `The name ${forbidden} cannot be used here: in the embedded engine it reaches beyond the database`,
      );
    }
  }
  if (statementCount === 0) throw refuse('SYNTAX_ERROR', 'Syntax error: Empty query');
  if (!mayRun(query.rights, queryClass)) {
    const hint = query.rights === 'reader' ? ' Over HTTP, GET implies readonly: use POST.' : '';
    throw refuse('READONLY', `Cannot execute query in readonly mode.${hint}`);
  }
}

/**
 * Names that reach outside the database although neither `readonly` nor grants cover them. The function `file` reads
 * any file, which a server confines to a folder and the embedded engine does not; a function's name alone suffices
 * (`arrayMap(file, …)`, `* APPLY file`). `catboostEvaluate` and the table system.models start a program, and wait for
 * it, deaf to KILL; system.stack_trace interrupts every thread of the process.
 */
const outsideNames = ['file', 'catboostEvaluate', 'models', 'stack_trace'];

function mayRun(rights: Rights, queryClass: Classification['queryClass']): boolean {
  return rights === 'writer' ? queryClass !== 4 : queryClass === 0;
}

/** A statement as the engine itself writes it. Throws what is wrong with a text that does not parse. */
async function formatQuery(addon: Addon, connection: Connection, sql: string): Promise<string> {
  const text = quoteLiteral(escapeParameter(sql));
  const statements = `SET implicit_select = 0; SET param_sql = ${text}; SELECT formatQuerySingleLine({sql:String})`;
  try {
    return (await addon.QueryAsyncConnection(connection, statements, 'RawBLOB')).bytes.toString();
  } catch (error) {
    const message = (error as Error).message;
    throw new Error(message.replace(/: In scope SELECT formatQuerySingleLine\(.*(\. \([A-Z_]+\))$/s, '$1'));
  }
}

/** A value as a TabSeparated file holds it. */
function escapeParameter(text: string): string {
  const escapes: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r', '\0': '\\0' };
  return text.replace(/[\\\t\n\r\0]/g, (character) => escapes[character]!);
}

/** The statements before a query. What takes rights away comes before the first value that a stranger chose. */
function prelude(query: EngineQuery, limits: EngineLimits): string {
  const { analyst, reader } = { analyst: query.rights === 'analyst', reader: query.rights === 'reader' };
  const settings: Settings = {
    ...query.settings,
    // As a server has them, not as clickhouse-local, where `exit` means SELECT exit.
    implicit_select: '0',
    log_comment: query.id,
    max_execution_time: lower(query.settings.max_execution_time, limits.executionSecondsMax),
    max_result_bytes: lower(query.settings.max_result_bytes, limits.resultBytesMax),
    ...(analyst && { max_memory_usage: String(limits.memoryBytesMax) }),
  };
  const assignments = Object.entries(settings).map(([name, value]) => `${name} = ${quoteLiteral(value)}`);
  return [
    ...(analyst ? ['SET ROLE NONE'] : []),
    `SET ${assignments.join(', ')}`,
    ...(analyst ? ['SET readonly = 1'] : reader ? ['SET readonly = 2'] : []),
    `USE ${quoteName(query.database)}`,
    ...Object.entries(query.parameters).map(([name, value]) => `SET param_${name} = ${quoteLiteral(value)}`),
  ].join('; ');
}

/** The lower of what was asked for and what may be had; 0 asks for no limit. */
function lower(asked: string | undefined, limit: number): string {
  const value = Number(asked);
  return String(value > 0 ? Math.min(value, limit) : limit);
}

/**
 * Tries at every start what an analyst must and must not be able to do: the guard against an engine of another version
 * that reads its configuration differently.
 */
async function verifyRights(engine: Engine, database: string, configFile: string): Promise<void> {
  const query: EngineQuery = { rights: 'analyst', database, settings: {}, parameters: {}, id: 'self-test' };
  const rights = "SELECT getSetting('readonly') = 1 AND empty(currentRoles())";
  const { bytes } = await engine.query(rights, 'TSVRaw', query);
  const table = `file(${quoteLiteral(configFile)}, 'LineAsString')`;
  const permitted = bytes.toString() === '1\n' ? [] : [rights];
  for (const sql of [`SELECT * FROM ${table}`, `DESCRIBE ${table}`, `SELECT file('/')`, 'SET ROLE writer']) {
    const refused = await engine.query(sql, 'Null', query).then(
      () => false,
      ({ exceptionCode }: ClickHouseException) => exceptionCode === 497 || exceptionCode === 164,
    );
    if (!refused) permitted.push(sql);
  }
  if (permitted.length > 0) {
    throw new EngineUnsafeError(
      `Cannot serve analysts with ClickHouse ${engine.version}: it does not hold to ${permitted.join('; ')}`,
    );
  }
}
