import { hash } from 'node:crypto';
import type { KeyConfig, TenantConfig } from '../config.ts';
import type { Provider, VerificationKey } from '../core/providers/provider.ts';
import { providers } from '../core/providers/providers.ts';
import type { Quota } from './quota.ts';

/** An endpoint as the hot route needs it. */
export interface Endpoint {
  readonly tenant: string;
  readonly name: string;
  readonly provider: Provider;
  readonly event: string;
  /** provider:account */
  readonly account: string;
  readonly keys: readonly VerificationKey[];
  /** Of rejected deliveries that are journaled. */
  readonly rejectedQuota: Quota;
}

/**
 * Finds the endpoint of a token, undefined when there is none. `sample`: the request came to that URL of a sample listener,
 * whose endpoint it must be; that may be open, and then the token is whatever it is.
 */
export type FindEndpoint = (token: string, sample?: string) => Endpoint | undefined;

export interface EndpointOptions {
  tenants: readonly TenantConfig[];
  keys: readonly KeyConfig[];
  /** Public key of the simulator: trusted by tenants with `demo: true`, and by no other. */
  demoKeyPem?: string | undefined;
  /** Of the rejected deliveries of an endpoint that are journaled. */
  quotaOf: (tenant: string, name: string) => Quota;
  /** By which tokens end; epoch milliseconds. */
  nowMs: () => number;
}

/** What a token leads to, and until when. */
interface Held {
  endpoint: Endpoint;
  endsAtMs: number;
}

/** Parses every key and lists every endpoint under the hash of its token. Throws when a key is none of its provider. */
export function indexEndpoints(options: EndpointOptions): FindEndpoint {
  const { tenants, demoKeyPem, quotaOf, nowMs } = options;
  const keys = options.keys.map(({ id, provider, pem }) => ({
    provider,
    ...parseKey(providerNamed(provider), id, pem),
  }));
  const byHash = new Map<string, Held>();
  const bySample = new Map<string, { endpoint: Endpoint; open: boolean }>();
  for (const tenant of tenants) {
    for (const configured of tenant.endpoints) {
      const { name, event, account, tokenSha256, otherTokens = [], secrets = [], sample, open = false } = configured;
      const provider = providerNamed(configured.provider);
      const demoKey = tenant.demo && demoKeyPem !== undefined && provider.trust === 'public-key';
      const endpoint: Endpoint = {
        tenant: tenant.name,
        name,
        provider,
        event,
        account: `${provider.name}:${account}`,
        keys: [
          ...keys.filter((key) => key.provider === provider.name),
          ...(demoKey ? [parseKey(provider, 'demo', demoKeyPem)] : []),
          ...secrets.map(({ id, reveal }) => parseKey(provider, id, reveal())),
        ],
        rejectedQuota: quotaOf(tenant.name, name),
      };
      if (sample) bySample.set(event.toLowerCase(), { endpoint, open });
      for (const { sha256, endsAtMs = Number.POSITIVE_INFINITY } of otherTokens) {
        byHash.set(sha256, { endpoint, endsAtMs });
      }
      if (tokenSha256 !== '') byHash.set(tokenSha256, { endpoint, endsAtMs: Number.POSITIVE_INFINITY });
    }
  }
  // Tokens that were presented and are right: hashing one costs as much as its route. Never more than there are tokens.
  const byToken = new Map<string, Held>();
  function find(token: string): Endpoint | undefined {
    let held = byToken.get(token);
    if (!held) {
      held = byHash.get(hash('sha256', token));
      if (!held) return undefined;
      byToken.set(token, held);
    }
    return held.endsAtMs === Number.POSITIVE_INFINITY || nowMs() < held.endsAtMs ? held.endpoint : undefined;
  }
  return (token, sample) => {
    if (sample === undefined) return find(token);
    const listener = bySample.get(sample);
    return listener && (listener.open || find(token) === listener.endpoint) ? listener.endpoint : undefined;
  };
}

function providerNamed(name: string): Provider {
  const provider = providers.get(name);
  if (!provider) throw new Error(`Cannot verify deliveries of ${name}: there is no such provider`);
  return provider;
}

function parseKey(provider: Provider, id: string, text: string): VerificationKey {
  try {
    return provider.parseKey(id, text);
  } catch (cause) {
    throw new Error(`Cannot read key ${id} of ${provider.name}: ${(cause as Error).message}`, { cause });
  }
}
