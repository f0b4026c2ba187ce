import type { MiddlewareHandler } from 'hono';

/** Names under which a browser reaches a page of its own machine. */
export const loopbackHosts: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

const securityHeaders: Record<string, string> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

/**
 * Refuses requests under a host name that is not expected: a page elsewhere whose name was rebound to this address
 * would otherwise read everything with the visitor's own browser. Puts the security headers on every answer.
 */
export function guard(hosts: readonly string[]): MiddlewareHandler {
  const allowed = new Set(hosts.map((host) => host.toLowerCase()));
  return async (context, next) => {
    const host = (context.req.header('Host') ?? '').toLowerCase().replace(/:\d+$/, '');
    if (allowed.has(host)) await next();
    else
      context.res = context.text(
        `The console does not answer as "${host.slice(0, 100)}": allowed are ${[...allowed].join(', ')}\n`,
        421,
      );
    for (const [name, value] of Object.entries(securityHeaders)) context.res.headers.set(name, value);
  };
}
