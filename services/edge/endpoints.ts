import { createPublicKey, hash } from 'node:crypto';
import type { EndpointConfig, KeyConfig, TenantConfig } from '../config.ts';
import type { VerificationKey } from '../core/providers/centurylink/verify.ts';
import { createQuota, type Quota } from './quota.ts';

/** An endpoint as the hot route needs it. */
export interface Endpoint {
  readonly tenant: string;
  readonly name: string;
  readonly provider: EndpointConfig['provider'];
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

/** Parses every key and lists every endpoint under the hash of its token. Throws when a key is no public RSA key. */
export function indexEndpoints(options: EndpointOptions): FindEndpoint {
  const { tenants, demoKeyPem, rejectedPerMinuteMax, monotonicMs } = options;
  const keys = options.keys.map(({ id, provider, pem }) => ({ provider, ...parseKey(id, pem) }));
  const demoKey = demoKeyPem === undefined ? [] : [parseKey('demo', demoKeyPem)];
  const byHash = new Map<string, Endpoint>();
  for (const tenant of tenants) {
    for (const { name, provider, event, account, tokenSha256 } of tenant.endpoints) {
      byHash.set(tokenSha256, {
        tenant: tenant.name,
        name,
        provider,
        event,
        account: `${provider}:${account}`,
        keys: [...keys.filter((key) => key.provider === provider), ...(tenant.demo ? demoKey : [])],
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

function parseKey(id: string, pem: string): VerificationKey {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'rsa') return { id, key };
    throw new TypeError(`its type is ${key.asymmetricKeyType}`);
  } catch (cause) {
    throw new Error(`Cannot read key ${id} as a public RSA key in PEM: ${(cause as Error).message}`, { cause });
  }
}
