import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { publishedKeyPem } from '../../../../services/core/providers/centurylink/published-key.ts';
import { verifyCenturylink } from '../../../../services/core/providers/centurylink/verify.ts';

const current = generateKeyPairSync('rsa', { modulusLength: 2048 });
const next = generateKeyPairSync('rsa', { modulusLength: 4096 });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
const keys = [
  { id: 'current', key: current.publicKey },
  { id: 'next', key: next.publicKey },
];
const body = Buffer.from('{"accountAlias":"NWND"}');
const signed = (key: KeyObject, bytes: Uint8Array = body, algorithm = 'sha1') =>
  sign(algorithm, bytes, key).toString('base64');

describe('a signature is verified by whichever active key made it', () => {
  test.each([
    { id: 'current', key: current.privateKey },
    { id: 'next', key: next.privateKey },
  ])('$id', ({ id, key }) => {
    expect(verifyCenturylink(body, signed(key), keys)).toEqual({ verdict: 'verified', keyId: id });
  });

  test('an empty body has a signature too', () => {
    const empty = new Uint8Array();
    expect(verifyCenturylink(empty, signed(current.privateKey, empty), keys).verdict).toBe('verified');
  });
});

const good = signed(current.privateKey);
describe('everything else is rejected with a reason', () => {
  test.each([
    { header: undefined, reason: 'signature missing' },
    { header: '', reason: 'signature missing' },
    { header: 'not base64!', reason: 'signature malformed' },
    { header: good.slice(0, -2), reason: 'signature malformed', what: 'without its padding' },
    { header: `${good}, ${good}`, reason: 'signature malformed', what: 'the header given twice' },
    { header: `${good.slice(0, 20)}\n${good.slice(20)}`, reason: 'signature malformed', what: 'a line break inside' },
    { header: 'A'.repeat(1372), reason: 'signature malformed', what: 'longer than any key' },
    { header: 'AAAA', reason: 'signature mismatch', what: 'shorter than the key' },
    { header: signed(stranger.privateKey), reason: 'signature mismatch', what: "a stranger's" },
    { header: signed(current.privateKey, body, 'sha256'), reason: 'signature mismatch', what: 'over another hash' },
    { header: signed(current.privateKey, Buffer.from('{}')), reason: 'signature mismatch', what: 'of another body' },
  ])('$reason: $what $header', ({ header, reason }) => {
    expect(verifyCenturylink(body, header, keys)).toEqual({ verdict: 'rejected', reason });
  });

  test('no key, no trust', () => {
    expect(verifyCenturylink(body, good, [])).toEqual({ verdict: 'rejected', reason: 'signature mismatch' });
  });

  test('any changed bit of the body breaks it', () => {
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.nat(7), (at, bit) => {
        const changed = Buffer.from(body);
        changed[at]! ^= 1 << bit;
        expect(verifyCenturylink(changed, good, keys).verdict).toBe('rejected');
      }),
    );
  });
});

test('the delivery recorded in 2015 was edited before it was published: its signature does not hold', () => {
  const recorded = readFileSync(new URL('../../../recorded/clc-user-updated-2015.http', import.meta.url), 'latin1');
  const header = /^Tier3-RsaSha1: (.*)$/m.exec(recorded)?.[1];
  const content = Buffer.from(recorded.slice(recorded.indexOf('\n\n') + 2).trimEnd(), 'latin1');
  const published = [{ id: 'centurylink-published', key: createPublicKey(publishedKeyPem) }];
  expect(verifyCenturylink(content, header, published)).toEqual({ verdict: 'rejected', reason: 'signature mismatch' });
});
