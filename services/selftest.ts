import { createHmac, createPublicKey, verify } from 'node:crypto';

/** This host cannot verify what a provider signs with. A retry does not help. */
export class AlgorithmForbiddenError extends Error {
  readonly code = 'ALGORITHM_FORBIDDEN';
}

/** An algorithm that providers sign with, and whether this host comes to the known result. */
export interface KnownAnswer {
  readonly algorithm: string;
  /** Who signs with it. */
  readonly usedBy: string;
  holds(): boolean;
  /** What to do where it does not. */
  readonly remedy: string;
}

/** Signed once by a key whose private half was thrown away. */
const sha1Sample = {
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

const policyRemedy = "Set OPENSSL_CONF to a file without this host's OpenSSL policy for this process";

/** One for each algorithm in use: some hosts' OpenSSL policy forbids SHA-1, and a FIPS provider may lack Ed25519. */
export const knownAnswers: readonly KnownAnswer[] = [
  {
    algorithm: 'RSA with SHA-1',
    usedBy: 'CenturyLink Cloud',
    holds: () =>
      verify(
        'sha1',
        Buffer.from(sha1Sample.text),
        createPublicKey(sha1Sample.publicKeyPem),
        Buffer.from(sha1Sample.signature, 'base64'),
      ),
    remedy: `${policyRemedy}, or on Red Hat systems run \`update-crypto-policies --set DEFAULT:SHA1\``,
  },
  {
    // RFC 4231, test case 2.
    algorithm: 'HMAC with SHA-256',
    usedBy: 'Standard Webhooks',
    holds: () =>
      createHmac('sha256', 'Jefe').update('what do ya want for nothing?').digest('hex') ===
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    remedy: policyRemedy,
  },
  {
    // RFC 8032, section 7.1, test 2. The key is in SubjectPublicKeyInfo (RFC 8410): 12 bytes, then the key itself.
    algorithm: 'Ed25519',
    usedBy: 'Standard Webhooks',
    holds: () =>
      verify(
        null,
        Buffer.from('72', 'hex'),
        createPublicKey({
          key: Buffer.from(
            '302a300506032b65700321003d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
            'hex',
          ),
          format: 'der',
          type: 'spki',
        }),
        Buffer.from(
          '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
            '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
          'hex',
        ),
      ),
    remedy: policyRemedy,
  },
];

/** Verifies known signatures. Throws AlgorithmForbiddenError, naming the first algorithm that fails. */
export function assertVerification(answers: readonly KnownAnswer[] = knownAnswers): void {
  for (const { algorithm, usedBy, holds, remedy } of answers) {
    let cause: unknown;
    try {
      if (holds()) continue;
    } catch (error) {
      cause = error;
    }
    throw new AlgorithmForbiddenError(
      `Cannot verify signatures: this host forbids ${algorithm}, which ${usedBy} signs with. ${remedy}.`,
      { cause },
    );
  }
}
