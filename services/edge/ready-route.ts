import { Hono } from 'hono';
import type { Listened } from './endpoint-set.ts';
import type { Readiness } from './readiness.ts';

export interface ReadyRouteOptions {
  readiness: Readiness;
  /** Names what is listened to: the same at every edge that listens to the same. */
  endpointsHash: () => string;
}

/** The route GET /readyz: whether deliveries are taken in, what is wrong besides, and which endpoints they are taken at. */
export function createReadyRoute({ readiness, endpointsHash }: ReadyRouteOptions): Hono {
  return new Hono().get('/readyz', (c) => {
    const reasons = readiness.reasons();
    const remarks = readiness.remarks();
    const further = { ...(remarks.length > 0 && { remarks }), endpoints: endpointsHash() };
    if (reasons.length > 0) return c.json({ status: 'not ready', reasons, ...further }, 503);
    return c.json({ status: 'ready', ...further });
  });
}

/** The route GET /endpoints: what is listened to, without tokens and their hashes. */
export function createEndpointsRoute(listened: () => Listened, hash: () => string): Hono {
  return new Hono().get('/endpoints', (c) =>
    c.json({
      hash: hash(),
      endpoints: listened().tenants.flatMap((tenant) =>
        tenant.endpoints.map(({ name, provider, event, account, recursive }) => ({
          tenant: tenant.name,
          name,
          provider,
          event,
          account,
          recursive,
        })),
      ),
    }),
  );
}
