import { z } from 'zod';
import type { Control } from '../records/generated.ts';
import type { FlowState, Settings } from './state.ts';

const milliseconds = z.number().int().nonnegative();

/** What a lane may be told. Everything that the flow computes with is a bounded whole number. */
const settingsSchema = z.object({
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
});

export type ParsedSettings = { ok: true; settings: Omit<Settings, 'id'> } | { ok: false; problem: string };

/** Checks a settings document, wherever it comes from: an edge refuses what this refuses, and so does the flow. */
export function parseSettings(document: unknown): ParsedSettings {
  const parsed = settingsSchema.safeParse(document);
  if (parsed.success) return { ok: true, settings: parsed.data };
  const problem = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  return { ok: false, problem };
}

export function settingsOf(state: FlowState): Settings | undefined {
  return state.settings.get('', '');
}

/**
 * Takes a settings record. Each names the settings that it replaces; the first of a lane replaces none.
 * Returns why it was ignored, or an empty string.
 */
export function applySettings(state: FlowState, control: Control): string {
  const current = settingsOf(state);
  if (control.predecessor !== (current?.id ?? '')) {
    return `ignored: it replaces settings ${control.predecessor || 'of an empty lane'}, but ${current?.id ?? 'none'} are in force`;
  }
  const parsed = parseSettings(parseJson(control.document));
  if (!parsed.ok) return `ignored: ${parsed.problem}`;
  state.settings.set('', '', { ...parsed.settings, id: control.id });
  return '';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
