import { hash } from 'node:crypto';
import type { KeyConfig, TenantConfig } from '../config.ts';
import type { Provider, VerificationKey } from '../core/providers/provider.ts';
import { providers } from '../core/providers/providers.ts';
import { createQuota, type Quota } from './quota.ts';

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

/** Finds the endpoint of a token, undefined when there is none. */
export type FindEndpoint = (token: string) => Endpoint | undefined;

export interface EndpointOptions {
  tenants: readonly TenantConfig[];
  keys: readonly KeyConfig[];
  /** Public key of the simulator: trusted by tenants with `demo: true`, and by no other. */
  demoKeyPem?: string | undefined;
  rejectedPerMinuteMax: number;
  monotonicMs: () => number;
}

/** Parses every key and lists every endpoint under the hash of its token. Throws when a key is none of its provider. */
export function indexEndpoints(options: EndpointOptions): FindEndpoint {
  const { tenants, demoKeyPem, rejectedPerMinuteMax, monotonicMs } = options;
  const keys = options.keys.map(({ id, provider, pem }) => ({
    provider,
    ...parseKey(providerNamed(provider), id, pem),
  }));
  const byHash = new Map<string, Endpoint>();
  for (const tenant of tenants) {
    for (const { name, provider: providerName, event, account, tokenSha256 } of tenant.endpoints) {
      const provider = providerNamed(providerName);
      const demoKey = tenant.demo && demoKeyPem !== undefined && provider.trust === 'public-key';
      byHash.set(tokenSha256, {
        tenant: tenant.name,
        name,
        provider,
        event,
        account: `${providerName}:${account}`,
        keys: [
          ...keys.filter((key) => key.provider === providerName),
          ...(demoKey ? [parseKey(provider, 'demo', demoKeyPem)] : []),
        ],
        rejectedQuota: createQuota(rejectedPerMinuteMax, monotonicMs),
      });
    }
  }
  // Tokens that were presented and are right: hashing one costs as much as its route. Never more than there are endpoints.
  const byToken = new Map<string, Endpoint>();
  return (token) => {
    const known = byToken.get(token);
    if (known) return known;
    const endpoint = byHash.get(hash('sha256', token));
    if (endpoint) byToken.set(token, endpoint);
    return endpoint;
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
