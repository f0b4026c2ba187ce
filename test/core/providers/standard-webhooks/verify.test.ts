import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import fc from 'fast-check';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import standardWebhooks from '../../../../services/core/providers/standard-webhooks/provider.ts';

const nowMs = Date.UTC(2026, 0, 5, 9);
const nowSeconds = nowMs / 1000;
const secretOf = (bytes: Uint8Array) => `whsec_${Buffer.from(bytes).toString('base64')}`;
const secret = secretOf(Buffer.from('a secret of twenty-four..'));
const older = secretOf(Buffer.alloc(64, 7));
const keys = [standardWebhooks.parseKey('newer', secret), standardWebhooks.parseKey('older', older)];
const payload = '{"type":"contact.created","timestamp":"2026-01-05T09:00:00Z","data":{"id":"1f81eb52"}}';

type Headers = Record<string, string | undefined>;
const verdictOf = (body: string | Buffer, headers: Headers, active = keys, at = nowMs) =>
  standardWebhooks.verify({ body: Buffer.from(body), headers, nowMs: at }, active);

/** As the reference library signs. */
function signed(body: string, { id = 'msg_1', seconds = nowSeconds, by = secret } = {}) {
  const signature = new Webhook(by).sign(id, new Date(seconds * 1000), body);
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': signature };
}
/** Whether the reference library verifies it. It reads the clock. */
function isVerifiedByReference(body: string, headers: Headers, by = secret): boolean {
  try {
    new Webhook(by).verify(body, headers as Record<string, string>, { jsonParse: false });
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

beforeEach(() => vi.useFakeTimers({ toFake: ['Date'], now: nowMs }));
afterEach(() => vi.useRealTimers());

describe('as the reference library', () => {
  const bytes = fc.uint8Array({ minLength: 24, maxLength: 64 });
  const body = fc.oneof(fc.json(), fc.string({ unit: 'grapheme' }));
  const id = fc.stringMatching(/^[\w-]{1,40}$/);

  test('what it signs verifies', () => {
    fc.assert(
      fc.property(bytes, body, id, fc.integer({ min: -300, max: 300 }), (key, text, messageId, age) => {
        const headers = signed(text, { id: messageId, seconds: nowSeconds + age, by: secretOf(key) });
        expect(verdictOf(text, headers, [standardWebhooks.parseKey('k', secretOf(key))])).toEqual({
          verdict: 'verified',
          keyId: 'k',
        });
      }),
    );
  });

  test('both verify the same, and turn the same away, whatever is changed', () => {
    const header = fc.constantFrom('webhook-id', 'webhook-timestamp', 'webhook-signature');
    const change = fc.oneof(
      fc.record({ header, value: fc.constantFrom(undefined, '', 'v1,', 'v1', 'v2,x', ',', '0', '-1', 'x') }),
      fc.record({ header, value: fc.stringMatching(/^[!-~]{1,20}$/) }),
      fc.constant(undefined),
    );
    fc.assert(
      fc.property(body, fc.integer({ min: -600, max: 600 }), change, fc.boolean(), (text, age, changed, other) => {
        const headers: Headers = signed(text, { seconds: nowSeconds + age });
        if (changed) headers[changed.header] = changed.value;
        const received = other ? `${text} ` : text;
        const isVerified = verdictOf(received, headers).verdict === 'verified';
        expect(isVerified).toBe(isVerifiedByReference(received, headers));
      }),
      { numRuns: 500 },
    );
  });

  test('of several signatures one is enough, in any place', () => {
    const by = (key: string) => signed(payload, { by: key })['webhook-signature'];
    const foreign = by(secretOf(Buffer.alloc(32, 1)));
    for (const signatures of [
      [foreign, by(secret)],
      [by(secret), foreign],
      ['v1a,AAAA', 'v9,x', by(secret)],
    ]) {
      const headers = { ...signed(payload), 'webhook-signature': signatures.join(' ') };
      expect(verdictOf(payload, headers)).toEqual({ verdict: 'verified', keyId: 'newer' });
      expect(isVerifiedByReference(payload, headers)).toBe(true);
    }
  });
});

test.each<[name: string, headers: Headers, verdict: object]>([
  ['by the older key', signed(payload, { by: older }), { verdict: 'verified', keyId: 'older' }],
  [
    'by a secret in the name of a key pair',
    { ...signed(payload), 'webhook-signature': signed(payload)['webhook-signature'].replace('v1', 'v1a') },
    { verdict: 'rejected', reason: 'signature mismatch' },
  ],
  [
    'by neither',
    signed(payload, { by: secretOf(Buffer.alloc(24)) }),
    { verdict: 'rejected', reason: 'signature mismatch' },
  ],
  ['nothing', {}, { verdict: 'rejected', reason: 'signature missing' }],
  ['no id', { ...signed(payload), 'webhook-id': undefined }, { verdict: 'rejected', reason: 'signature missing' }],
  [
    'no time',
    { ...signed(payload), 'webhook-timestamp': undefined },
    { verdict: 'rejected', reason: 'timestamp missing' },
  ],
  [
    'a date',
    { ...signed(payload), 'webhook-timestamp': '2026-01-05' },
    { verdict: 'rejected', reason: 'timestamp missing' },
  ],
  [
    '301 s ago',
    signed(payload, { seconds: nowSeconds - 301 }),
    { verdict: 'rejected', reason: 'timestamp outside the window' },
  ],
  [
    '301 s ahead',
    signed(payload, { seconds: nowSeconds + 301 }),
    { verdict: 'rejected', reason: 'timestamp outside the window' },
  ],
  ['300 s ago', signed(payload, { seconds: nowSeconds - 300 }), { verdict: 'verified', keyId: 'newer' }],
  [
    'the ninth signature',
    { ...signed(payload), 'webhook-signature': `${'v1,x '.repeat(8)}${signed(payload)['webhook-signature']}` },
    { verdict: 'rejected', reason: 'signature mismatch' },
  ],
])('signed: %s', (_name, headers, verdict) => {
  expect(verdictOf(payload, headers)).toEqual(verdict);
});

test('the body is signed as bytes, not as text', () => {
  const body = Buffer.from([0x7b, 0xff, 0xfe, 0x7d]);
  const headers = signed(body.toString('utf8'));
  expect(verdictOf(body, headers)).toMatchObject({ reason: 'signature mismatch' });
});

test('without a key nothing verifies', () => {
  expect(verdictOf(payload, signed(payload), [])).toMatchObject({ verdict: 'rejected' });
});

describe('ed25519', () => {
  const publicText = (key: KeyObject) =>
    `whpk_${key.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64')}`;
  const signedBy = (privateKey: KeyObject, body: string | Buffer) => {
    const content = Buffer.concat([Buffer.from(`msg_1.${nowSeconds}.`), Buffer.from(body)]);
    const signature = sign(null, content, privateKey).toString('base64');
    return { 'webhook-id': 'msg_1', 'webhook-timestamp': String(nowSeconds), 'webhook-signature': `v1a,${signature}` };
  };

  test('verifies by the public key alone, and beside secrets', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const active = [...keys, standardWebhooks.parseKey('ed', publicText(publicKey))];
    const headers = signedBy(privateKey, payload);
    expect(verdictOf(payload, headers, active)).toEqual({ verdict: 'verified', keyId: 'ed' });
    expect(verdictOf(`${payload} `, headers, active)).toMatchObject({ reason: 'signature mismatch' });
    expect(verdictOf(payload, headers, keys)).toMatchObject({ reason: 'signature mismatch' });
    const asOther = { ...headers, 'webhook-signature': headers['webhook-signature'].replace('v1a', 'v1') };
    expect(verdictOf(payload, asOther, active)).toMatchObject({ reason: 'signature mismatch' });
    expect(verdictOf(payload, signed(payload), active)).toEqual({ verdict: 'verified', keyId: 'newer' });
  });

  test('a key is its 32 bytes: the first vector of RFC 8032', () => {
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const point = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');
    const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
    const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    const key = standardWebhooks.parseKey('rfc', `whpk_${point.toString('base64')}`);
    const body = Buffer.from([0, 0xff, 0x7b]);
    expect(verdictOf(body, signedBy(privateKey, body), [key])).toEqual({ verdict: 'verified', keyId: 'rfc' });
  });
});

test.each([
  ['nothing', ''],
  ['no prefix', Buffer.alloc(32).toString('base64')],
  ['23 bytes', secretOf(Buffer.alloc(23))],
  ['65 bytes', secretOf(Buffer.alloc(65))],
  ['no base64', 'whsec_this is a secret of some length'],
  ['a public key of 31 bytes', `whpk_${Buffer.alloc(31).toString('base64')}`],
  ['the secret half of a pair', `whsk_${Buffer.alloc(64).toString('base64')}`],
])('no key: %s', (_name, text) => {
  expect(() => standardWebhooks.parseKey('k', text)).toThrow(TypeError);
  expect(() => standardWebhooks.parseKey('k', text)).not.toThrow(text || 'never');
});
