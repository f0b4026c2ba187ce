/**
 * Tokens of endpoints in plain, for who tells a provider a URL. Hookwatch keeps hashes alone, so they come from where people have
 * kept them: `token` (demo) and `tokenFile` of hookwatch.yaml, the file of --tokens, and what the provider shows itself.
 * None is taken that is not the endpoint's.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigError } from '../../config.ts';
import { type KnownEndpoint, ownerOf, placeOf } from './targets.ts';

export interface KnownTokens {
  /** The token of an endpoint that has no end. */
  of(known: KnownEndpoint): string | undefined;
  /** Makes a token known. Returns false where it is the lasting token of no endpoint. */
  add(token: string): boolean;
}

export function createKnownTokens(known: readonly KnownEndpoint[], nowMs: number): KnownTokens {
  const tokens = new Map<string, string>();
  return {
    of: (one) => tokens.get(placeOf(one)),
    add(token) {
      const owner = ownerOf(token, known, nowMs);
      if (!owner?.lasting) return false;
      tokens.set(placeOf(owner), token);
      return true;
    },
  };
}

/** Reads what hookwatch.yaml says of its tokens. @throws ConfigError where a file cannot be read */
export function addConfigured(tokens: KnownTokens, known: readonly KnownEndpoint[], configFolder: string): void {
  for (const { endpoint } of known) {
    const { token, tokenFile } = endpoint;
    // A token that was rotated since is none any more.
    if (token) tokens.add(token);
    if (tokenFile) tokens.add(readText(resolve(configFolder, tokenFile)).trim());
  }
}

/**
 * The value of --tokens: a file, `-`, or a folder with a file for each endpoint, of its name, that holds the token.
 * @throws ConfigError where something cannot be read or used. Never quotes a token.
 */
export function addGiven(tokens: KnownTokens, known: readonly KnownEndpoint[], place: string): void {
  if (place === '-' || !statSync(place, { throwIfNoEntry: false })?.isDirectory()) {
    addLines(tokens, known, readText(place), place);
    return;
  }
  const names = new Set(known.map(({ endpoint }) => endpoint.name));
  for (const name of readdirSync(place).filter((file) => names.has(file))) {
    const file = join(place, name);
    addLines(tokens, known, `${name} ${readText(file).trim()}`, file);
  }
}

/**
 * Lines `<endpoint> <token or URL>`, where the endpoint may be tenant/name; or what `hookwatch endpoints add --json` and
 * `rotate --json` print, one object a line.
 */
function addLines(tokens: KnownTokens, known: readonly KnownEndpoint[], text: string, place: string): void {
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const where = `${place}, line ${index + 1}`;
    const { name, token } = parseLine(trimmed, where);
    const named = known.filter((one) => name === one.endpoint.name || name === placeOf(one));
    if (named.length === 0) throw new ConfigError(`Cannot use ${where}: there is no endpoint ${name}`);
    const taken = tokens.add(token) && named.some((one) => tokens.of(one) === token);
    if (!taken) throw new ConfigError(`Cannot use ${where}: that is not the token of ${name} (rotated since?)`);
  }
}

function parseLine(line: string, where: string): { name: string; token: string } {
  if (line.startsWith('{')) return parseObject(line, where);
  const [name = '', value = '', ...more] = line.split(/\s+/);
  if (value === '' || more.length > 0)
    throw new ConfigError(`Cannot use ${where}: it must be <endpoint> <token or URL>`);
  return { name, token: tokenIn(value) };
}

function parseObject(line: string, where: string): { name: string; token: string } {
  try {
    const { tenant, name, endpoint, token } = JSON.parse(line);
    const short: unknown = name ?? endpoint;
    if (typeof short === 'string' && typeof token === 'string') {
      return { name: typeof tenant === 'string' ? `${tenant}/${short}` : short, token };
    }
  } catch {
    // Said below: the parser's own message quotes the text.
  }
  throw new ConfigError(`Cannot use ${where}: it must be a JSON object with tenant, name and token`);
}

function tokenIn(value: string): string {
  const found = /^https?:\/\/.*\/in\/([^/?#]+)\/?$/.exec(value)?.[1];
  return found === undefined ? value : decodeURIComponent(found);
}

/** `-` is standard input. @throws ConfigError */
function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new ConfigError(`Cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
}
