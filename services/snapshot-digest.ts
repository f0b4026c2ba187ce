import { createHash } from 'node:crypto';
import { parseJsonObject } from './core/providers/json.ts';
import { providers } from './core/providers/providers.ts';
import { digestOfSnapshot } from './core/providers/snapshot.ts';

/**
 * Names what a snapshot says of what webhooks tell of: the digest that is part of a fact's `snapshot`. `text` that is no
 * JSON object is named by its bytes.
 */
export function digestOf(provider: string, text: string): string {
  const parsed = parseJsonObject(Buffer.from(text));
  if (!parsed.ok) return createHash('sha256').update(text).digest('hex').slice(0, 32);
  return digestOfSnapshot(providers.get(provider)?.told?.(parsed.object) ?? parsed.object);
}
