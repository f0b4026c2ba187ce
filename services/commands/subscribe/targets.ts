/**
 * The URLs that a provider is told to call, as its API shows them: which of them are ours, and of which endpoint.
 *
 * A provider shows URLs with their tokens, and we keep tokens hashed: the hash of what it shows says which endpoint it
 * is, so that nobody needs to know a token that is registered already. A URL with the token of an endpoint is ours
 * whatever host it names: it was registered before the public URL changed.
 */
import { createHash } from 'node:crypto';
import { type EndpointConfig, hashToken, type TenantConfig } from '../../config.ts';

export interface KnownEndpoint {
  tenant: string;
  endpoint: EndpointConfig;
}

export type Target =
  | { kind: 'theirs'; uri: string }
  /** Of the provider's sample listener: it says of all events of a kind where they go, and no token of an endpoint. */
  | { kind: 'sample'; uri: string }
  | { kind: 'ours'; uri: string; token: string; elsewhere: boolean; owner: Owner | undefined };

export interface Owner extends KnownEndpoint {
  /** The token is taken without an end. */
  lasting: boolean;
}

export function endpointsOf(tenants: readonly TenantConfig[], provider: string): KnownEndpoint[] {
  return tenants.flatMap(({ name, endpoints }) =>
    endpoints.filter((endpoint) => endpoint.provider === provider).map((endpoint) => ({ tenant: name, endpoint })),
  );
}

/** `known` are all endpoints of all tenants: a URL may be registered for the wrong one. */
export function readTarget(uri: string, publicUrl: string, known: readonly KnownEndpoint[], nowMs: number): Target {
  const base = new URL(publicUrl);
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (!url) return { kind: 'theirs', uri };
  const here = url.origin === base.origin && url.pathname.startsWith(base.pathname.replace(/\/$/, ''));
  if (here && /\/webhook\/(account|user|server|alert)$/.test(url.pathname)) return { kind: 'sample', uri };
  const token = /\/in\/([^/]+)\/?$/.exec(url.pathname)?.[1];
  if (token === undefined) return { kind: 'theirs', uri };
  const owner = ownerOf(decodeURIComponentOrNot(token), known, nowMs);
  if (!here && !owner) return { kind: 'theirs', uri };
  return { kind: 'ours', uri, token: decodeURIComponentOrNot(token), elsewhere: !here, owner };
}

function decodeURIComponentOrNot(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The endpoint that takes the token at this time. */
export function ownerOf(token: string, known: readonly KnownEndpoint[], nowMs: number): Owner | undefined {
  const sha256 = hashToken(token);
  for (const { tenant, endpoint } of known) {
    if (endpoint.tokenSha256 === sha256) return { tenant, endpoint, lasting: true };
    const other = endpoint.otherTokens?.find((one) => one.sha256 === sha256);
    if (other && (other.endsAtMs === undefined || other.endsAtMs > nowMs)) {
      return { tenant, endpoint, lasting: other.endsAtMs === undefined };
    }
  }
  return undefined;
}

export function urlOf(publicUrl: string, token: string): string {
  return `${publicUrl}/in/${encodeURIComponent(token)}`;
}

export function placeOf({ tenant, endpoint }: KnownEndpoint): string {
  return `${tenant}/${endpoint.name}`;
}

/** Shows a URL without what may be a secret in it; the hash tells two of them apart. */
export function maskUri(uri: string): string {
  const digest = createHash('sha256').update(uri).digest('hex').slice(0, 8);
  if (!URL.canParse(uri)) return `… #${digest}`;
  const { protocol, host, pathname } = new URL(uri);
  const [, first = ''] = /^(.*\/in)\/[^/]+\/?$/.exec(pathname) ?? [];
  return `${protocol}//${host}${first}/… #${digest}`;
}
