/**
 * The internal port: controls that somebody asks for (settings, judgements, gaps, takeovers and so on) are journaled and
 * numbered like deliveries. It is for this machine's own tools: a browser is refused.
 */
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import { hasDocument, parseDocument } from '../core/flow/documents.ts';
import { encode } from '../core/records/codec.ts';
import { canonicalJson } from '../settings.ts';
import type { EdgeMetrics } from '../telemetry.ts';
import { refusals } from './answers.ts';
import { askedOnce, type Written } from './asked-once.ts';
import type { Journal } from './journal.ts';
import type { EdgeLimits } from './limits.ts';
import { controlRecord } from './producer.ts';

export interface ControlOptions {
  lanes: readonly string[];
  journal: Journal;
  metrics: EdgeMetrics;
  limits: EdgeLimits;
  /** Further routes of the port, behind the same guard. */
  routes?: readonly Hono[];
}

const requestSchema = z.strictObject({
  tenant: z.string(),
  kind: z.enum(['settings', 'judgement', 'suppress', 'erase', 'gap', 'takeover', 'reconciliation']),
  /** Asking twice with the same one writes it once. */
  idempotency_id: z.string().min(1).max(128),
  document: z.record(z.string(), z.unknown()),
  /** settings: id of the settings that these replace. */
  predecessor: z.string().max(128).default(''),
});

type ControlRequest = z.infer<typeof requestSchema>;

const loopbackHost = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;

export function createControlApp({ lanes, journal, metrics, limits, routes = [] }: ControlOptions): Hono {
  const once = askedOnce(limits.idempotencyIdsMax);
  const app = new Hono();
  app.use(async (c, next) => {
    const fromBrowser = c.req.header('origin') !== undefined || c.req.header('sec-fetch-site') !== undefined;
    if (fromBrowser || !loopbackHost.test(c.req.header('host') ?? '')) {
      return c.json({ error: 'forbidden', hint: 'This port is for tools on this machine, not for browsers.' }, 403);
    }
    return next();
  });
  app.post('/control', bodyLimit({ maxSize: limits.controlBytesMax }), async (c) => {
    const parsed = requestSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json({ error: 'not a control', hint: z.prettifyError(parsed.error) }, 400);
    if (!lanes.includes(parsed.data.tenant)) return c.json({ error: `unknown tenant ${parsed.data.tenant}` }, 404);
    // The flow would ignore them, but only after they were numbered, and nobody would be told.
    const { kind, document } = parsed.data;
    const checked = hasDocument(kind) ? parseDocument(kind, document) : undefined;
    if (checked?.ok === false) return c.json({ error: `not a document of ${kind}`, hint: checked.problem }, 400);
    const { tenant, idempotency_id } = parsed.data;
    const outcome = await once(canonicalJson([tenant, idempotency_id]), () => write(journal, metrics, parsed.data));
    if ('id' in outcome) return c.json(outcome, 202);
    const { status, text } = refusals[outcome.refused];
    return c.body(text, status as 503, { 'content-type': 'application/json', 'retry-after': '1' });
  });
  for (const further of routes) app.route('/', further);
  app.notFound((c) =>
    c.json(
      { error: 'not found', hint: 'Controls go to POST /control, recovered deliveries to POST /deliveries.' },
      404,
    ),
  );
  return app;
}

function write(journal: Journal, metrics: EdgeMetrics, request: ControlRequest): Promise<Written> {
  const { tenant, kind, idempotency_id, predecessor } = request;
  const document = canonicalJson(request.document);
  return new Promise((resolve) => {
    journal.submit({
      lane: tenant,
      bytes: document.length * 2,
      encode: (number, receivedAt) =>
        encode('control', controlRecord(tenant, number, receivedAt, kind, { document, idempotency_id, predecessor })),
      committed({ id }) {
        metrics.controls.inc({ kind });
        resolve({ id });
      },
      refused: (refused) => resolve({ refused }),
    });
  });
}
