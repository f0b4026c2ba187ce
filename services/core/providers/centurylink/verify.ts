/**
 * CenturyLink Cloud's signature: the header `Tier3-RsaSha1` holds base64 of RSASSA-PKCS1-v1_5 with SHA-1 over the raw body.
 *
 * The signature covers neither the URL nor the time: it proves who wrote the bytes, not which event they are, nor that
 * they are new.
 */
import { type KeyObject, verify } from 'node:crypto';

/** A public RSA key that is active. Several may be, while the provider changes over. */
export interface VerificationKey {
  readonly id: string;
  readonly key: KeyObject;
}

export type SignatureVerdict =
  | { verdict: 'verified'; keyId: string }
  | { verdict: 'rejected'; reason: 'signature missing' | 'signature malformed' | 'signature mismatch' };

/** Base64 of the signature of an 8192-bit key, the longest that is looked at. */
const signatureCharactersMax = 1368;

/** Tries every key. `signatureHeader` is the header's value, undefined where the request had none. */
export function verifyCenturylink(
  body: Uint8Array,
  signatureHeader: string | undefined,
  keys: readonly VerificationKey[],
): SignatureVerdict {
  if (!signatureHeader) return { verdict: 'rejected', reason: 'signature missing' };
  const signature = decodeBase64(signatureHeader);
  if (!signature) return { verdict: 'rejected', reason: 'signature malformed' };
  for (const { id, key } of keys) {
    if (verify('sha1', body, key, signature)) return { verdict: 'verified', keyId: id };
  }
  return { verdict: 'rejected', reason: 'signature mismatch' };
}

/** Strict: node's own decoder skips whatever is not base64. */
function decodeBase64(text: string): Buffer | undefined {
  if (text.length > signatureCharactersMax) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 && bytes.toString('base64') === text ? bytes : undefined;
}
