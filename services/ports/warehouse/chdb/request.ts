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
  /** Of ClickHouse's protocol, which the client reads FORMAT Native by; 0 where it names none. */
  revision: number;
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

/** Where an INSERT's data must have begun; the limit that ClickHouse has for a query's text. */
const insertHeadBytesMax = 256 * 1024;

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
  const query: EngineQuery = {
    rights,
    database: named.get('database') || headers['x-clickhouse-database']?.toString() || defaults.database,
    settings: pickSettings(parameters),
    parameters: pickParameters(parameters),
    id: randomUUID(),
  };
  // As in ClickHouse, the parameter `query` and the body are one text.
  const content = form ? Buffer.alloc(0) : decoded;
  const asked = named.get('query');
  const prefix = Buffer.from(asked === undefined ? '' : content.length > 0 ? `${asked}\n` : asked);
  const insert = findInsert(prefix, content);
  const revision = Number(named.get('client_protocol_version') || 0);
  if (insert) return { query, format: insert.statement.format, revision, sql: '', insert };
  const text = Buffer.concat([prefix, content]);
  const byDefault = named.get('default_format') || headers['x-clickhouse-format']?.toString() || 'TabSeparated';
  return { query, format: formatClause(text.toString('latin1')) ?? byDefault, revision, sql: text.toString() };
}

/** An INSERT whose data need not be text: one character per byte, and no copy of what comes behind its beginning. */
function findInsert(prefix: Buffer, content: Buffer): Work['insert'] {
  const head = Buffer.concat([prefix, content.subarray(0, insertHeadBytesMax)]).toString('latin1');
  const found = splitInsert(head);
  if (!found) return undefined;
  const inContent = found.dataOffset - prefix.length;
  // Data that begins in the parameter goes on in the body.
  const data = inContent >= 0 ? content.subarray(inContent) : Buffer.concat([prefix.subarray(inContent), content]);
  const decode = (part: string) => Buffer.from(part, 'latin1').toString();
  return { statement: { ...found, target: decode(found.target), settings: decode(found.settings) }, data };
}

function refuseUnsupported(parameters: Parameters): void {
  for (const [name, value] of parameters) {
    if (name === 'client_protocol_version' && !/^\d{1,9}$/.test(value)) {
      throw refuse('BAD_ARGUMENTS', `client_protocol_version ${value} is not a number`);
    }
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
