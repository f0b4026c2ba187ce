import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import { providers } from '../core/providers/providers.ts';
import type { Registry } from '../telemetry.ts';
import type { Intake } from './intake.ts';
import type { Readiness } from './readiness.ts';

export type EdgeApp = Hono<{ Bindings: HttpBindings }>;

const prefix = '/in/';

/** Of providers' sample listeners: /webhook/server. */
const sampleEvents = new Set(
  [...providers.values()].flatMap(({ unnamedEvents }) => unnamedEvents.map((event) => event.toLowerCase())),
);

/** The routes of the public port. */
export function createApp(intake: Intake, readiness: Readiness, readyRoute: Hono, registry: Registry): EdgeApp {
  const app: EdgeApp = new Hono();
  app.all(`${prefix}*`, (c) => {
    intake(decodeToken(c.req.path.slice(prefix.length)), c.env.incoming, c.env.outgoing);
    return RESPONSE_ALREADY_SENT;
  });
  app.all('/webhook/:event', (c, next) => {
    const event = c.req.param('event');
    if (!sampleEvents.has(event)) return next();
    const bearer = /^Bearer +(\S+)$/i.exec(c.env.incoming.headers.authorization ?? '')?.[1];
    intake(c.req.query('token') ?? bearer ?? '', c.env.incoming, c.env.outgoing, event);
    return Promise.resolve(RESPONSE_ALREADY_SENT);
  });
  app.get('/healthz', (c) => c.json({ status: 'alive' }));
  app.route('/', readyRoute);
  app.get('/metrics', async (c) => {
    readiness.sample();
    return c.body(await registry.metrics(), 200, { 'content-type': registry.contentType });
  });
  app.notFound((c) => c.json({ error: 'not found', hint: 'Deliveries go to POST /in/<token>.' }, 404));
  return app;
}

function decodeToken(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
