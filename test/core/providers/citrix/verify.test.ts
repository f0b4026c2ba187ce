import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import citrix from '../../../../services/core/providers/citrix/provider.ts';

const secret = 'Basic YWxhZGRpbjpvcGVuc2VzYW1l';
const older = 'Bearer of-the-year-before';
const keys = [citrix.parseKey('newer', secret), citrix.parseKey('older', `${older}\n`)];

function verdictOf(authorization: string | string[] | undefined, active = keys) {
  return citrix.verify({ body: Buffer.from('{}'), headers: { authorization }, nowMs: 0 }, active);
}

test.each<[presented: string | string[] | undefined, verdict: object]>([
  [secret, { verdict: 'shared_secret', keyId: 'newer' }],
  [older, { verdict: 'shared_secret', keyId: 'older' }],
  [undefined, { verdict: 'rejected', reason: 'secret missing' }],
  ['', { verdict: 'rejected', reason: 'secret missing' }],
  [secret.slice(0, -1), { verdict: 'rejected', reason: 'secret mismatch' }],
  [`${secret} `, { verdict: 'rejected', reason: 'secret mismatch' }],
  [secret.toLowerCase(), { verdict: 'rejected', reason: 'secret mismatch' }],
  ['x'.repeat(100_000), { verdict: 'rejected', reason: 'secret mismatch' }],
  [[secret, older], { verdict: 'rejected', reason: 'secret mismatch' }],
])('%j', (presented, verdict) => {
  expect(verdictOf(presented)).toEqual(verdict);
});

test('without a secret nobody is turned away, and nobody is trusted', () => {
  expect(verdictOf(secret, [])).toEqual({ verdict: 'unauthenticated' });
  expect(verdictOf(undefined, [])).toEqual({ verdict: 'unauthenticated' });
});

test.each([
  ['nothing', ''],
  ['too little to be a secret', 'Basic x'],
  ['two lines', 'Basic YWxhZGRpbg==\nX-Other: 1'],
  ['more than ASCII', 'Basic pässwörtlich'],
  ['more than a header takes', 'x'.repeat(4097)],
])('%s is no key, and the error does not quote it', (_name, text) => {
  expect(() => citrix.parseKey('k', text)).toThrow(TypeError);
  try {
    citrix.parseKey('k', text);
  } catch (error) {
    if (text !== '') expect((error as Error).message).not.toContain(text);
  }
});

test('a key shows nothing of its secret', () => {
  const shown = JSON.stringify(keys) + inspect(keys, { depth: 9, showHidden: true });
  expect(shown).toContain('newer');
  expect(shown).not.toContain('YWxhZGRpbj');
  expect(keys[0]?.key.export().toString('latin1')).not.toContain('YWxhZGRpbj');
});
