/** Signatures of Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md). */
import { createHmac, createPublicKey, createSecretKey, type KeyObject, timingSafeEqual, verify } from 'node:crypto';
import type { SignatureVerdict, SignedRequest, VerificationKey } from '../provider.ts';

const toleranceSeconds = 300;
/** Of the signatures in one header; the sender needs as many as it has keys at a time. */
const signaturesMax = 8;
/** SubjectPublicKeyInfo of an ed25519 key up to its 32 bytes (RFC 8410). */
const ed25519Prefix = Buffer.from('302a300506032b6570032100', 'hex');

/** `whsec_…`: a secret of 24 to 64 bytes. `whpk_…`: a public ed25519 key. Both in base64. @throws TypeError for all else. */
export function parseKey(id: string, text: string): VerificationKey {
  const [, kind, base64 = ''] = /^(whsec|whpk)_([A-Za-z0-9+/]+={0,2})$/.exec(text.trim()) ?? [];
  const bytes = Buffer.from(base64, 'base64');
  if (kind === 'whsec' && bytes.length >= 24 && bytes.length <= 64) return { id, key: createSecretKey(bytes) };
  if (kind !== 'whpk' || bytes.length !== 32)
    throw new TypeError('it is neither whsec_ nor whpk_ with a key in base64');
  return { id, key: createPublicKey({ key: Buffer.concat([ed25519Prefix, bytes]), format: 'der', type: 'spki' }) };
}

/** The id, the time and the body are signed, joined by full stops. One signature that one key made is enough. */
export function verifyStandardWebhooks(request: SignedRequest, keys: readonly VerificationKey[]): SignatureVerdict {
  const [id, time, header] = ['id', 'timestamp', 'signature'].map((name) => request.headers[`webhook-${name}`]);
  if (typeof id !== 'string' || typeof header !== 'string') return { verdict: 'rejected', reason: 'signature missing' };
  if (typeof time !== 'string' || !/^\d{1,11}$/.test(time)) return { verdict: 'rejected', reason: 'timestamp missing' };
  if (Math.abs(Math.floor(request.nowMs / 1000) - Number(time)) > toleranceSeconds) {
    return { verdict: 'rejected', reason: 'timestamp outside the window' };
  }
  const content = Buffer.concat([Buffer.from(`${id}.${time}.`, 'latin1'), request.body]);
  const signatures = header.split(' ', signaturesMax).map((signature) => signature.split(','));
  for (const key of keys) {
    for (const [version, base64 = ''] of signatures) {
      if (isMadeBy(key.key, version, Buffer.from(base64, 'base64'), content))
        return { verdict: 'verified', keyId: key.id };
    }
  }
  return { verdict: 'rejected', reason: 'signature mismatch' };
}

function isMadeBy(key: KeyObject, version: string | undefined, signature: Buffer, content: Buffer): boolean {
  if (key.type === 'public') return version === 'v1a' && verify(null, content, key, signature);
  const expected = createHmac('sha256', key).update(content).digest();
  return version === 'v1' && signature.length === expected.length && timingSafeEqual(signature, expected);
}
