import { createHash } from 'node:crypto';
import { canonicalJson } from './settings.ts';

/**
 * Names what a snapshot says: equal bodies have equal digests, however they are spaced and sorted. Links are left out, for
 * they say how a resource is called and not what it is. A provider's own `modifiedDate` is not enough: the recorded servers
 * were archived, and lost addresses, without a new one.
 *
 * `text` that is no JSON object is named by its bytes.
 */
export function digestOf(text: string): string {
  return createHash('sha256').update(canonicalSnapshot(text)).digest('hex').slice(0, 32);
}

function canonicalSnapshot(text: string): string {
  try {
    const { links: _, ...rest } = JSON.parse(text);
    return canonicalJson(rest);
  } catch {
    return text;
  }
}
