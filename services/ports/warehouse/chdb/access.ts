import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { refuse } from './exception.ts';

/** Who may use the front. */
export interface EngineUser {
  name: string;
  password: string;
  /** analyst: only reads, under the engine's `readonly=1`; writer: everything. */
  rights: 'analyst' | 'writer';
}

/**
 * Who asks, by Basic auth, by the headers X-ClickHouse-User and X-ClickHouse-Key, or by the parameters `user` and
 * `password`, in that order. `default` without a password is an analyst if `open`, which is meant for loopback: then
 * the Host header must be a loopback's too, so that a web page cannot read through a name that it made point here.
 * @throws ClickHouseException AUTHENTICATION_FAILED
 */
export function authenticate(
  request: IncomingMessage,
  parameters: URLSearchParams,
  users: readonly EngineUser[],
  open: boolean,
): { name: string; rights: EngineUser['rights'] } {
  const { name, password } = credentials(request, parameters);
  if (name === 'default' && password === '' && open && isLoopbackHost(request.headers.host)) {
    return { name, rights: 'analyst' };
  }
  const user = users.find((candidate) => candidate.name === name);
  // An unknown user takes as long as a wrong password.
  const right = equalInConstantTime(password, user?.password ?? '');
  if (!user || user.password === '' || !right) {
    throw refuse(
      'AUTHENTICATION_FAILED',
      `${name}: Authentication failed: password is incorrect, or there is no user with such name.`,
    );
  }
  return { name, rights: user.rights };
}

function credentials(request: IncomingMessage, parameters: URLSearchParams): { name: string; password: string } {
  const basic = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (basic !== undefined) {
    const text = Buffer.from(basic, 'base64').toString();
    const colon = text.indexOf(':');
    return colon < 0
      ? { name: text, password: '' }
      : { name: text.slice(0, colon) || 'default', password: text.slice(colon + 1) };
  }
  const header = (name: string) => request.headers[name]?.toString();
  if (header('x-clickhouse-user') !== undefined) {
    return { name: header('x-clickhouse-user') || 'default', password: header('x-clickhouse-key') ?? '' };
  }
  return { name: parameters.get('user') || 'default', password: parameters.get('password') ?? '' };
}

function equalInConstantTime(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

function isLoopbackHost(host: string | undefined): boolean {
  const name = (host ?? '').replace(/:\d+$/, '').toLowerCase();
  return name === 'localhost' || isLoopbackAddress(name);
}

/** Whether only this machine can reach an address that one binds. */
export function isLoopbackAddress(address: string): boolean {
  return address === 'localhost' || /^127(?:\.\d{1,3}){3}$/.test(address) || ['::1', '[::1]'].includes(address);
}
