/** X.509 certificates for tests, as RFC 5280 has them in DER: Node can read certificates, and make none. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

export interface TestAuthority {
  /** PEM. */
  readonly cert: string;
  issue(fields?: CertificateFields): TestCertificate;
}

export interface TestCertificate {
  /** PEM. */
  cert: string;
  /** PEM. */
  key: string;
}

export interface CertificateFields {
  /** Host names and IPv4 addresses. */
  names?: readonly string[];
  notBefore?: Date;
  notAfter?: Date;
}

const dayMs = 86_400_000;
const objectIds = {
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  commonName: [0x55, 0x04, 0x03],
  subjectAltName: [0x55, 0x1d, 0x11],
  basicConstraints: [0x55, 0x1d, 0x13],
} as const;

/** A root that nobody trusts yet. */
export function createAuthority(name = 'Test root'): TestAuthority {
  const { publicKey, privateKey } = newKeys();
  const isAuthority = extension('basicConstraints', sequence(der(0x01, Buffer.of(0xff))));
  return {
    cert: certificate({ subject: name, issuer: name, publicKey, signer: privateKey, extensions: isAuthority }),
    issue({ names = ['localhost', '127.0.0.1'], ...dates } = {}) {
      const own = newKeys();
      const extensions = extension('subjectAltName', sequence(...names.map(generalName)));
      const common = { subject: names[0]!, issuer: name, publicKey: own.publicKey, signer: privateKey, extensions };
      return { cert: certificate({ ...common, ...dates }), key: pem('PRIVATE KEY', exported(own.privateKey)) };
    },
  };
}

/** One that vouches for itself alone. */
export function createSelfSigned({ names = ['localhost'], ...dates }: CertificateFields = {}): TestCertificate {
  const { publicKey, privateKey } = newKeys();
  const extensions = extension('subjectAltName', sequence(...names.map(generalName)));
  const common = { subject: names[0]!, issuer: names[0]!, publicKey, signer: privateKey, extensions };
  return { cert: certificate({ ...common, ...dates }), key: pem('PRIVATE KEY', exported(privateKey)) };
}

function newKeys() {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

function exported(key: KeyObject): Buffer {
  return key.export({ type: key.type === 'public' ? 'spki' : 'pkcs8', format: 'der' } as never) as unknown as Buffer;
}

interface Fields {
  subject: string;
  issuer: string;
  publicKey: KeyObject;
  signer: KeyObject;
  extensions: Buffer;
  notBefore?: Date;
  notAfter?: Date;
}

function certificate(fields: Fields): string {
  const { notBefore = new Date(Date.now() - dayMs), notAfter = new Date(Date.now() + 30 * dayMs) } = fields;
  const algorithm = sequence(objectId('ecdsaWithSha256'));
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.of(2))), // version 3
    der(0x02, Buffer.concat([Buffer.of(0x01), randomBytes(8)])), // serial number: positive
    algorithm,
    distinguishedName(fields.issuer),
    sequence(time(notBefore), time(notAfter)),
    distinguishedName(fields.subject),
    exported(fields.publicKey),
    der(0xa3, sequence(fields.extensions)),
  );
  const signature = sign('sha256', toBeSigned, fields.signer);
  return pem('CERTIFICATE', sequence(toBeSigned, algorithm, bitString(signature)));
}

function distinguishedName(name: string): Buffer {
  return sequence(der(0x31, sequence(objectId('commonName'), der(0x0c, Buffer.from(name)))));
}

function generalName(name: string): Buffer {
  return isIP(name) ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name));
}

function extension(name: 'subjectAltName' | 'basicConstraints', value: Buffer): Buffer {
  return sequence(objectId(name), der(0x04, value));
}

function time(date: Date): Buffer {
  return der(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]|\.\d+/g, '')}`));
}

function objectId(name: keyof typeof objectIds): Buffer {
  return der(0x06, Buffer.from(objectIds[name]));
}

function bitString(bytes: Buffer): Buffer {
  return der(0x03, Buffer.of(0), bytes);
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, ...parts);
}

/** Tag, length, contents. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const contents = Buffer.concat(parts);
  const { length } = contents;
  const lengths = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...lengths), contents]);
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').replace(/(.{64})(?=.)/g, '$1\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
