/**
 * Deliveries that nobody sent: what a comparison with a provider's API has found to be missing. They enter by the internal
 * port, and are journaled and numbered like any other, with the origin `reconcile`.
 *
 * No signature vouches for their body, but the TLS connection and the login by which it was fetched: `key_id` names the
 * host. The flow drops the second of two with the same `hookwatch-id`, whatever edges they came by.
 */
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import { decoders } from '../core/providers/providers.ts';
import { encode } from '../core/records/codec.ts';
import { canonicalJson } from '../settings.ts';
import type { EdgeMetrics } from '../telemetry.ts';
import { refusals } from './answers.ts';
import { askedOnce, type Written } from './asked-once.ts';
import type { EdgeClock } from './clock.ts';
import type { Journal } from './journal.ts';
import type { EdgeLimits } from './limits.ts';
import type { Readiness } from './readiness.ts';
import type { Ticker } from './ticker.ts';

export interface RecoveredOptions {
  lanes: readonly string[];
  journal: Journal;
  clock: Pick<EdgeClock, 'suspect'>;
  readiness: Pick<Readiness, 'refusal'>;
  ticker: Pick<Ticker, 'used'>;
  metrics: EdgeMetrics;
  limits: EdgeLimits;
}

const requestSchema = z.strictObject({
  tenant: z.string(),
  provider: z.string(),
  event_name: z.string().max(64),
  /** provider:account. */
  account: z.string().min(3).max(128),
  /** Host that was asked. */
  host: z.string().regex(/^[\w.:[\]-]{1,255}$/, 'must be a host name'),
  /** Names what is told: the same fact has the same one, in whatever run it is found. */
  id: z.string().regex(/^[\w.-]{1,128}$/, 'must be 1 to 128 letters, digits, dots, dashes or underscores'),
  /** Of the comparison that has found it. */
  run: z.string().regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores'),
  /** Found by the first comparison of its account: nothing of it is news. */
  bootstrap: z.boolean().default(false),
  /** As a webhook would have brought it. */
  body: z.string(),
});

type Recovered = z.infer<typeof requestSchema>;

/** Escapes of a body in JSON are longer than what they stand for. */
const escapedMax = 6;
/** About what a frame has beyond its body. */
const frameBytes = 512;

/** The route POST /deliveries. Whoever mounts it refuses browsers. */
export function createRecoveredRoute(options: RecoveredOptions): Hono {
  const { lanes, readiness, limits } = options;
  const once = askedOnce(limits.idempotencyIdsMax);
  const app = new Hono();
  app.post('/deliveries', bodyLimit({ maxSize: limits.bodyBytesMax * escapedMax + 4096 }), async (c) => {
    const parsed = requestSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success) return c.json({ error: 'not a delivery', hint: z.prettifyError(parsed.error) }, 400);
    const { tenant, provider, account, id } = parsed.data;
    if (!lanes.includes(tenant)) return c.json({ error: `unknown tenant ${tenant}` }, 404);
    if (!decoders.has(provider)) return c.json({ error: `unknown provider ${provider}` }, 400);
    if (!account.startsWith(`${provider}:`)) return c.json({ error: `${account} is no account of ${provider}` }, 400);
    const body = Buffer.from(parsed.data.body);
    if (body.length > limits.bodyBytesMax) return answer(c.body, refusals.body_too_large);
    const refusal = readiness.refusal();
    if (refusal) return answer(c.body, refusals[refusal]);
    const outcome = await once(canonicalJson([tenant, id]), () => write(options, parsed.data, body));
    if ('id' in outcome) return c.json(outcome, 202);
    return answer(c.body, refusals[outcome.refused]);
  });
  return app;
}

type AnswerBody = (text: string, status: 503, headers: Record<string, string>) => Response;

function answer(respond: AnswerBody, { status, text }: { status: number; text: string }): Response {
  return respond(text, status as 503, {
    'content-type': 'application/json',
    ...(status === 503 && { 'retry-after': '1' }),
  });
}

function write(
  { journal, clock, ticker, metrics }: RecoveredOptions,
  recovered: Recovered,
  body: Buffer,
): Promise<Written> {
  const { tenant, provider, event_name, account } = recovered;
  return new Promise((resolve) => {
    journal.submit({
      lane: tenant,
      bytes: body.length + frameBytes,
      encode: ({ boot, seq, id }, receivedAt) =>
        encode('delivery', {
          tenant,
          boot,
          seq,
          position: -1,
          id,
          received_at: receivedAt,
          endpoint: 'reconcile',
          provider,
          event_name,
          account,
          origin: 'reconcile',
          verdict: 'verified',
          verdict_reason: '',
          key_id: `reconcile:${recovered.host}`,
          headers: headersOf(recovered),
          body,
          flags: clock.suspect() ? ['clock_suspect'] : [],
          version: 0,
          withdrawn: false,
        }),
      committed({ id }) {
        metrics.recovered.inc({ provider, event: event_name });
        resolve({ id });
      },
      refused: (refused) => resolve({ refused }),
    });
    ticker.used(tenant);
  });
}

function headersOf({ id, run, bootstrap }: Recovered): Record<string, string> {
  return {
    'content-type': 'application/json',
    'hookwatch-id': id,
    'hookwatch-run': run,
    ...(bootstrap && { 'hookwatch-bootstrap': 'true' }),
  };
}
