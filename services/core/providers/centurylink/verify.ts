/**
 * CenturyLink Cloud's signature: the header `Tier3-RsaSha1` holds base64 of RSASSA-PKCS1-v1_5 with SHA-1 over the raw body.
 *
 * The signature covers neither the URL nor the time: it proves who wrote the bytes, not which event they are, nor that
 * they are new.
 */
import { createPublicKey, verify } from 'node:crypto';
import type { SignatureVerdict, VerificationKey } from '../provider.ts';

/** Where the signature is. */
export const signatureHeader = 'tier3-rsasha1';

/** Base64 of the signature of an 8192-bit key, the longest that is looked at. */
const signatureCharactersMax = 1368;

/** Tries every key. `header` is the signature header's value, undefined where the request had none. */
export function verifyCenturylink(
  body: Uint8Array,
  header: string | undefined,
  keys: readonly VerificationKey[],
): SignatureVerdict {
  if (!header) return { verdict: 'rejected', reason: 'signature missing' };
  const signature = decodeBase64(header);
  if (!signature) return { verdict: 'rejected', reason: 'signature malformed' };
  for (const { id, key } of keys) {
    if (verify('sha1', body, key, signature)) return { verdict: 'verified', keyId: id };
  }
  return { verdict: 'rejected', reason: 'signature mismatch' };
}

/** A public RSA key in PEM. Throws TypeError. */
export function parseKey(id: string, pem: string): VerificationKey {
  let type: string | undefined;
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'rsa') return { id, key };
    type = key.asymmetricKeyType;
  } catch (cause) {
    throw new TypeError(`it is no public key in PEM: ${(cause as Error).message}`, { cause });
  }
  throw new TypeError(`it is no public RSA key: its type is ${type}`);
}

/** Strict: node's own decoder skips whatever is not base64. */
function decodeBase64(text: string): Buffer | undefined {
  if (text.length > signatureCharactersMax) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 && bytes.toString('base64') === text ? bytes : undefined;
}
