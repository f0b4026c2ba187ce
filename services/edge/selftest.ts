import { createPublicKey } from 'node:crypto';
import { verifyCenturylink } from '../core/providers/centurylink/verify.ts';

/** This host cannot verify the provider's signatures. A retry does not help. */
export class Sha1ForbiddenError extends Error {
  readonly code = 'SHA1_FORBIDDEN';
}

/** Signed once by a key whose private half was thrown away. */
const sample = {
  text: 'hookwatch: SHA-1 self-test',
  publicKeyPem: `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAs8X4bw/u35w+tlqrPUGy
77gYW0G1qwwTb3Xm12n3jZrIgeD/JJHcQGvfmUvK90fvTaexzmbuHjqtiJA3IQCX
pLh9y2BK4irqOsnr63eqcLSVzAC3/Az0dHOb70Ye/6pd/XRuItysPdrOzVWLFLbD
BDASWVGYQsVHXyISjSv//B7yt1wN8dPbSieHviwHWYixwVdhUJl2FmxMuOFJhk2/
8ovRP+5o5ma0485isIdQUzi9YSRFGegQKhHkn5uPJdq2CkcX4KQEPX3FUAbCIq/d
rKYxmUCux31wSNfxU8fX5JIHb+1GJnSTZ905DCRIAoPbWtup9xG49dqWGuO7GTCM
bQIDAQAB
-----END PUBLIC KEY-----
`,
  signature:
    'ZXjmpf5sR/idbCv+WWcKatiJgj85IFmnWDeFh0cq5hxXKeFcpePQS/gretW02lTdq752A4l9mvC4Lp51KFl/1gYZPvkSeBvTDTtgmt+a66wGhToX' +
    'BiydJFDz48m4XslECNBXWv0T0uhs5LHv8GJWvX3qbM0sT5RF/zd8Uu+6hUIwWGkMyjBvN7p6mv6hjlZ0oZRKEC//4j0wTIMHU2aNa7+YQNYCE4XS' +
    'JgjWll0qR/WbCCN9iz/2W4mAkDO8S++O3eNDxRHu5C8+NL5gIwLaOj/foN8iwTIfPmnGf63O3fYgcbRBxwE8SC7uEJ+vyBA+KsVGOU982QLL5U1S' +
    '9+WUrw==',
};

/** Verifies a known signature: some hosts' OpenSSL policy forbids SHA-1. Throws Sha1ForbiddenError. */
export function assertSha1Verification(verify: typeof verifyCenturylink = verifyCenturylink): void {
  let cause: unknown;
  try {
    const keys = [{ id: 'self-test', key: createPublicKey(sample.publicKeyPem) }];
    if (verify(Buffer.from(sample.text), sample.signature, keys).verdict === 'verified') return;
  } catch (error) {
    cause = error;
  }
  throw new Sha1ForbiddenError(
    "Cannot verify signatures: this host's OpenSSL policy forbids SHA-1, which CenturyLink Cloud signs with. " +
      'Allow it for this process: set OPENSSL_CONF to a file without that policy, or on Red Hat systems run ' +
      '`update-crypto-policies --set DEFAULT:SHA1`.',
    { cause },
  );
}
