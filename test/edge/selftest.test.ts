import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { assertSha1Verification } from '../../services/edge/selftest.ts';
import { prepareEdge } from './fixture.ts';

describe('the self-test of SHA-1 verification', () => {
  test('passes where OpenSSL allows it', () => {
    expect(() => assertSha1Verification()).not.toThrow();
  });

  test.each([
    {
      what: 'throws',
      verify: () => {
        throw new Error('error:03000098:digital envelope routines::invalid digest');
      },
    },
    { what: 'says no', verify: () => ({ verdict: 'rejected', reason: 'signature mismatch' }) as const },
  ])('says what to do where verification $what', ({ verify }) => {
    expect(() => assertSha1Verification(verify)).toThrow(/forbids SHA-1.*OPENSSL_CONF.*update-crypto-policies/s);
  });
});

test.each([
  { what: 'no PEM', pem: 'hello' },
  {
    what: 'no RSA key',
    pem: generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }) as string,
  },
])('a key that is $what is named', async ({ pem }) => {
  await expect(prepareEdge({ keys: [{ id: 'rotated', provider: 'centurylink', pem }] })).rejects.toThrow(
    /^Cannot read key rotated as a public RSA key in PEM: /,
  );
});
