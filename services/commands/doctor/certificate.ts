/** Whether providers will take the certificate of the public URL: they call nothing without a valid one that a public authority has signed. */
import { isIP } from 'node:net';
import { checkServerIdentity, connect, type DetailedPeerCertificate } from 'node:tls';
import { type Finding, findingsOf } from './finding.ts';
import { reasonOf } from './probe.ts';
import type { PublicAddress } from './public-address.ts';

export interface CertificateOptions {
  /** PEM of authorities to trust in place of the public ones that Node knows. */
  authorities?: string | undefined;
  nowMs: number;
}

const dayMs = 86_400_000;
/** Public authorities give 90 days or fewer, and whoever renews by itself does so with a third of them left. */
const warnDays = 14;
const failDays = 2;
const handshakeMsMax = 5_000;

interface Presented {
  leaf: DetailedPeerCertificate;
  /** OpenSSL's word for what is wrong with the chain; empty where it holds. */
  problem: string;
}

export async function checkCertificate(place: PublicAddress, options: CertificateOptions): Promise<Finding[]> {
  const { warn } = findingsOf('certificate');
  if (place.url.protocol !== 'https:') {
    return [warn('the public URL is not https', 'Providers call https alone; set HOOKWATCH_PUBLIC_URL to it.')];
  }
  const findings = await Promise.all(place.addresses.map((address) => checkAt(place.url, address, options)));
  return findings.flat();
}

async function checkAt({ hostname, port }: URL, address: string, options: CertificateOptions): Promise<Finding[]> {
  const { ok, warn, fail } = findingsOf('certificate');
  let presented: Presented;
  try {
    presented = await handshake(hostname, address, Number(port || 443), options.authorities);
  } catch (error) {
    const todo = 'See that TLS is spoken on this port, with a certificate for this name.';
    return [fail(`${address}: no handshake: ${reasonOf(error)}`, todo)];
  }
  const { leaf, problem } = presented;
  const failures = [...judgeDates(leaf, options.nowMs), ...judgeName(hostname, leaf), ...judgeChain(problem)];
  if (failures.length > 0) return failures.map(({ what, todo }) => fail(`${address}: ${what}`, todo));
  const daysLeft = Math.floor((Date.parse(leaf.valid_to) - options.nowMs) / dayMs);
  const shown = `${address}: for ${hostname}, by ${nameOf(leaf.issuer)}, runs out in ${daysLeft} days`;
  if (daysLeft >= warnDays) return [ok(shown)];
  const todo = 'Renew it now, and find out why nothing has renewed it by itself (docs/runbooks/edge-certificate.md).';
  return [daysLeft < failDays ? fail(shown, todo) : warn(shown, todo)];
}

async function handshake(host: string, address: string, port: number, ca: string | undefined): Promise<Presented> {
  const { promise, resolve, reject } = Promise.withResolvers<Presented>();
  // An address is no server name.
  const servername = isIP(host) ? '' : host;
  const options = { host: address, port, servername, rejectUnauthorized: false, ...(ca && { ca }) };
  const socket = connect(options, () => {
    // The name is judged on its own: a chain may hold for another one.
    const problem = String(socket.authorizationError ?? '');
    resolve({
      leaf: socket.getPeerCertificate(true),
      problem: problem === 'ERR_TLS_CERT_ALTNAME_INVALID' ? '' : problem,
    });
  });
  socket.setTimeout(handshakeMsMax, () => reject(new Error('no answer in time')));
  socket.once('error', reject);
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

type Failure = { what: string; todo: string };

function judgeDates({ valid_from, valid_to }: DetailedPeerCertificate, nowMs: number): Failure[] {
  if (nowMs > Date.parse(valid_to)) {
    return [{ what: `ran out on ${isoOf(valid_to)}`, todo: 'Renew it (docs/runbooks/edge-certificate.md).' }];
  }
  if (nowMs >= Date.parse(valid_from)) return [];
  return [{ what: `is not valid before ${isoOf(valid_from)}`, todo: 'Look at the clock of this machine, or wait.' }];
}

function judgeName(host: string, leaf: DetailedPeerCertificate): Failure[] {
  if (checkServerIdentity(host, leaf) === undefined) return [];
  const names = leaf.subjectaltname ?? nameOf(leaf.subject);
  return [
    { what: `is for ${names}, not for ${host}`, todo: `Get one for ${host}, or set HOOKWATCH_PUBLIC_URL to its name.` },
  ];
}

function judgeChain(problem: string): Failure[] {
  if (problem === '' || /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/.test(problem)) return [];
  if (/SELF_SIGNED/.test(problem)) {
    const todo = 'Get one of a public authority: Caddy does by itself, certbot for an edge that speaks TLS.';
    return [{ what: 'is signed by itself, or by an authority of your own', todo }];
  }
  if (/UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT)/.test(problem)) {
    const todo =
      'Serve the certificate together with those between it and its root (fullchain.pem), of a public authority.';
    return [{ what: 'leads to no authority that is known', todo }];
  }
  return [{ what: `does not hold: ${problem}`, todo: 'Get one of a public authority.' }];
}

function nameOf(subject: { O?: string | string[]; CN?: string | string[] }): string {
  return String(subject.O ?? subject.CN ?? 'somebody');
}

function isoOf(date: string): string {
  return new Date(date).toISOString().slice(0, 16).replace('T', ' ');
}
