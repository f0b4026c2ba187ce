/** The endpoints of an edge, which may be replaced while it works. */
import type { KeyConfig, TenantConfig } from '../config.ts';
import { hashEndpoints } from '../endpoints-file.ts';
import type { EdgeMetrics } from '../telemetry.ts';
import type { EdgeClock } from './clock.ts';
import { type FindEndpoint, indexEndpoints } from './endpoints.ts';
import { createQuota, type Quota } from './quota.ts';

export interface EndpointSet {
  /** Finds among those that there are now. */
  find: FindEndpoint;
  listened(): Listened;
  /** Names what is listened to now. */
  hash(): string;
  /**
   * From here on requests find these; those that have found theirs go on with it. Throws where a key or a secret is unusable,
   * and nothing has changed then.
   */
  replace(listened: Listened): void;
}

/** What an edge listens to, and the keys that verify it. */
export interface Listened {
  tenants: readonly TenantConfig[];
  keys: readonly KeyConfig[];
}

export interface EndpointSetOptions extends Listened {
  demoKeyPem?: string | undefined;
  rejectedPerMinuteMax: number;
  clock: EdgeClock;
  metrics: EdgeMetrics;
}

/** Throws where a key or a secret is unusable. */
export function createEndpointSet({ tenants, keys, ...options }: EndpointSetOptions): EndpointSet {
  const { demoKeyPem, rejectedPerMinuteMax, clock, metrics } = options;
  let quotas = new Map<string, Quota>();
  let find: FindEndpoint;
  let current: Listened;
  let hash = '';
  replace({ tenants, keys });

  function replace(listened: Listened): void {
    const kept = new Map<string, Quota>();
    // What an endpoint has used up of its quota it does not get back by a reload.
    const quotaOf = (tenant: string, name: string) => {
      const key = `${tenant}/${name}`;
      const quota = quotas.get(key) ?? createQuota(rejectedPerMinuteMax, clock.monotonicMs);
      kept.set(key, quota);
      return quota;
    };
    find = indexEndpoints({ ...listened, demoKeyPem, quotaOf, nowMs: clock.stamp });
    quotas = kept;
    current = listened;
    hash = hashEndpoints(listened.tenants);
    metrics.endpointsInfo.reset();
    metrics.endpointsInfo.set({ hash }, 1);
    metrics.endpoints.set(listened.tenants.reduce((sum, tenant) => sum + tenant.endpoints.length, 0));
  }

  return { find: (...asked) => find(...asked), listened: () => current, hash: () => hash, replace };
}
