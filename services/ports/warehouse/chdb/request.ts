import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { decodeBody, readForm } from './body.ts';
import type { Engine, EngineQuery, Rights } from './engine.ts';
import { refuse } from './exception.ts';
import { pickSettings } from './settings.ts';
import { formatClause, type InsertStatement, splitInsert } from './statement.ts';

/** A request as the engine will see it. */
export interface Work {
  query: EngineQuery;
  /** Of the result. */
  format: string;
  sql: string;
  /** In place of `sql`: an INSERT that brought its data. */
  insert?: { statement: InsertStatement; data: Buffer };
}

export interface RequestParts {
  request: IncomingMessage;
  url: URLSearchParams;
  /** As it was sent. */
  body: Buffer;
  rights: Rights;
}

type Parameters = readonly (readonly [name: string, value: string])[];

/** What a request asks for; `defaults.database` is where a query starts that names none. */
export async function parseRequest(
  { request, url, body, rights }: RequestParts,
  engine: Engine,
  defaults: { database: string; bodyBytesMax: number },
): Promise<Work> {
  const { headers } = request;
  const decodeLz4 = (data: Buffer, bytesMax: number) => engine.decompress(data, 'lz4', bytesMax);
  const decoded = await decodeBody(body, headers['content-encoding'], defaults.bodyBytesMax, decodeLz4);
  const form = headers['content-type']?.startsWith('multipart/form-data') ? headers['content-type'] : undefined;
  const parameters: Parameters = [...url, ...(form ? await readForm(decoded, form) : [])];
  refuseUnsupported(parameters);
  const named = new Map(parameters);
  const text = joinText(named.get('query'), form ? Buffer.alloc(0) : decoded);
  const query: EngineQuery = {
    rights,
    database: named.get('database') || headers['x-clickhouse-database']?.toString() || defaults.database,
    settings: pickSettings(parameters),
    parameters: pickParameters(parameters),
    id: randomUUID(),
  };
  // One character per byte: the data behind an INSERT need not be text.
  const characters = text.toString('latin1');
  const insert = splitInsert(characters);
  if (insert) {
    const [target, settings] = [insert.target, insert.settings].map((part) => Buffer.from(part, 'latin1').toString());
    const statement = { ...insert, target: target!, settings: settings! };
    return { query, format: insert.format, sql: '', insert: { statement, data: text.subarray(insert.dataOffset) } };
  }
  const asked = named.get('default_format') || headers['x-clickhouse-format']?.toString() || 'TabSeparated';
  return { query, format: formatClause(characters) ?? asked, sql: text.toString() };
}

/** As in ClickHouse, the parameter `query` and the body are one text. */
function joinText(query: string | undefined, body: Buffer): Buffer {
  if (query === undefined) return body;
  return body.length > 0 ? Buffer.concat([Buffer.from(`${query}\n`), body]) : Buffer.from(query);
}

function refuseUnsupported(parameters: Parameters): void {
  for (const [name, value] of parameters) {
    if (name === 'role') throw refuse('SET_NON_GRANTED_ROLE', `Role ${value} should be granted to set as a current`);
    if ((name === 'compress' || name === 'decompress') && value !== '0' && value !== 'false') {
      throw refuse('NOT_IMPLEMENTED', `ClickHouse's block compression (${name}) is not supported here: use gzip`);
    }
  }
}

function pickParameters(parameters: Parameters): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const [name, value] of parameters) {
    if (!name.startsWith('param_')) continue;
    const key = name.slice('param_'.length);
    if (!/^[A-Za-z_]\w*$/.test(key)) throw refuse('BAD_ARGUMENTS', `Query parameter ${name} is not an identifier`);
    picked[key] = value;
  }
  return picked;
}
