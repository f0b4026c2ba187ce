/**
 * What controls say, as JSON. It is checked wherever it comes from: an edge refuses what the flow would ignore, for once
 * it is numbered nobody is told any more. Everything that the flow computes with is a bounded whole number.
 */
import { z } from 'zod';
import { settingsDefaults } from './state.ts';

const milliseconds = z.number().int().nonnegative();

const schemas = {
  /** What is listened to, and when rules fire. */
  settings: z.object({
    roots: z.array(z.string()),
    endpoints: z.array(
      z.object({
        name: z.string(),
        provider: z.string(),
        event: z.string(),
        account: z.string(),
        recursive: z.boolean(),
      }),
    ),
    rules: z.object({
      'account-created-then-servers': z.object({
        servers: z.number().int().min(1).max(100_000),
        within_ms: milliseconds.min(1_000).max(30 * 86_400_000),
      }),
    }),
    time: z.object({ past_ms: milliseconds.max(30 * 86_400_000), future_ms: milliseconds.max(86_400_000) }),
    slack_ms: milliseconds.max(3_600_000),
    lateness_ms: milliseconds.max(30 * 86_400_000),
    // Whoever wrote settings before there were these meant what is assumed here.
    accounts: z.array(z.string().max(255)).max(100_000).default(settingsDefaults.accounts),
    twin_ms: milliseconds.max(86_400_000).default(settingsDefaults.twin_ms),
    replay_ms: milliseconds.max(30 * 86_400_000).default(settingsDefaults.replay_ms),
    pending_max: z.number().int().nonnegative().max(1_000_000).default(settingsDefaults.pending_max),
  }),
  /** A start of an edge that will not come back. The edge's name is for people. */
  gap: z.strictObject({ boot: z.string().min(1).max(128), edge: z.string().max(128) }),
  /**
   * A comparison with a provider's API begins, has compared all that it was to, or ended without. Accounts, each with how
   * many of its servers were compared and whether all of it was walked, are listed at the end.
   */
  reconciliation: z.strictObject({
    run: z.string().min(1).max(64),
    provider: z.string().min(1).max(64),
    host: z.string().max(255),
    phase: z.enum(['begin', 'complete', 'failed']),
    bootstrap: z.boolean(),
    scope: z.enum(['all', 'some']),
    started_at: milliseconds.max(Number.MAX_SAFE_INTEGER / 2),
    reason: z.string().max(500),
    accounts: z
      .array(
        z.strictObject({
          account: z.string().min(1).max(255),
          servers: z.number().int().nonnegative().max(10_000_000),
          complete: z.boolean(),
        }),
      )
      .max(20_000),
  }),
  /** From here on another flow works on the lane. Flows are named by their hash; previous: empty where none is known. */
  takeover: z.strictObject({
    // Versions of rows begin with the epoch: beyond this they were no exact numbers.
    epoch: z.number().int().min(2).max(1_000_000),
    flow: z.string().min(1).max(128),
    previous: z.string().max(128),
  }),
};

/** Kinds of controls that have a document of a known shape. */
export type DocumentKind = keyof typeof schemas;
export type Document<K extends DocumentKind> = z.infer<(typeof schemas)[K]>;
export type Parsed<T> = { ok: true; value: T } | { ok: false; problem: string };

export function hasDocument(kind: string): kind is DocumentKind {
  return Object.hasOwn(schemas, kind);
}

/** Checks a document: an object, or the text that a record carries. */
export function parseDocument<K extends DocumentKind>(kind: K, document: unknown): Parsed<Document<K>> {
  const parsed = schemas[kind].safeParse(typeof document === 'string' ? parseJson(document) : document);
  if (parsed.success) return { ok: true, value: parsed.data as Document<K> };
  const problem = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  return { ok: false, problem };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
