/**
 * Citrix Cloud signs nothing. It calls with the `Authorization` that the subscription was given as `authHeaders`, or with
 * none: a secret that both sides know. Two may be active, while one is changed for the other.
 */
import { createHash, createSecretKey, timingSafeEqual } from 'node:crypto';
import type { SignatureVerdict, VerificationKey } from '../provider.ts';

/** What a header can carry, and enough of it not to be guessed. */
const secretPattern = /^[\x21-\x7e][\x20-\x7e]{6,4094}[\x21-\x7e]$/;

/**
 * The whole value of the header, as in `authHeaders`. Of the secret itself only its SHA-256 is kept.
 * @throws TypeError where no header can have it, or where it has less than 8 characters.
 */
export function parseKey(id: string, text: string): VerificationKey {
  const secret = text.trim();
  if (!secretPattern.test(secret)) {
    throw new TypeError(
      'it is no value of an Authorization header of 8 to 4096 printable ASCII characters on one line',
    );
  }
  return { id, key: createSecretKey(digestOf(secret)) };
}

/** Takes as long for a wrong secret as for the right one, whatever its length, and looks at every key. */
export function verifyCitrix(header: string | undefined, keys: readonly VerificationKey[]): SignatureVerdict {
  if (keys.length === 0) return { verdict: 'unauthenticated' };
  if (!header) return { verdict: 'rejected', reason: 'secret missing' };
  const presented = digestOf(header);
  const proved = keys.filter(({ key }) => timingSafeEqual(presented, key.export()));
  return proved[0]
    ? { verdict: 'shared_secret', keyId: proved[0].id }
    : { verdict: 'rejected', reason: 'secret mismatch' };
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
