import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { assertVerification, knownAnswers } from '../../services/selftest.ts';
import { prepareEdge } from './fixture.ts';

describe('the self-test of verification', () => {
  test.each(knownAnswers)('$algorithm passes where OpenSSL allows it', (answer) => {
    expect(answer.holds()).toBe(true);
    expect(() => assertVerification([answer])).not.toThrow();
  });

  test.each(knownAnswers)('$algorithm: says what to do where verification says no, or throws', (answer) => {
    const forbidden = () => {
      throw new Error('error:03000098:digital envelope routines::invalid digest');
    };
    const told = new RegExp(`forbids ${answer.algorithm}.*${answer.usedBy}.*OPENSSL_CONF`);
    expect(() => assertVerification([{ ...answer, holds: () => false }])).toThrow(told);
    expect(() => assertVerification([{ ...answer, holds: forbidden }])).toThrow(told);
  });

  test('Red Hat has a command of its own for SHA-1', () => {
    expect(() => assertVerification([{ ...knownAnswers[0]!, holds: () => false }])).toThrow(/update-crypto-policies/);
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
    /^Cannot read key rotated of centurylink: it is no public (RSA )?key/,
  );
});
