/** Whether providers can reach the public URL: its name, its ports, what answers there. */
import { randomBytes } from 'node:crypto';
import { BlockList, connect, isIP } from 'node:net';
import { type Finding, findingsOf } from './finding.ts';
import { probe, reasonOf } from './probe.ts';

export interface PublicAddress {
  url: URL;
  /** Where its name leads. */
  addresses: readonly string[];
}

export type Lookup = (host: string) => Promise<readonly string[]>;

const reachMsMax = 5_000;

/** What only machines nearby can call (RFC 1918, 3927, 4193, 4291, 6598). */
const nearby = new BlockList();
for (const [net, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
] as const) {
  nearby.addSubnet(net, prefix, 'ipv4');
}
nearby.addSubnet('fc00::', 7, 'ipv6');
nearby.addSubnet('fe80::', 10, 'ipv6');
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

const within = (list: BlockList, address: string) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** `place` is undefined where the name leads nowhere. */
export async function checkName(
  url: URL,
  lookup: Lookup,
): Promise<{ place: PublicAddress | undefined; findings: Finding[] }> {
  const { ok, warn, fail } = findingsOf('name');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host)) {
    const todo = 'Give HOOKWATCH_PUBLIC_URL a name: certificates that providers trust are for names.';
    return { place: { url, addresses: [host] }, findings: [warn(`${host} is an address, not a name`, todo)] };
  }
  let addresses: readonly string[] = [];
  try {
    addresses = await lookup(host);
  } catch (error) {
    const todo = `Give ${host} an A or AAAA record that leads to this machine or its proxy (HOOKWATCH_PUBLIC_URL).`;
    return { place: undefined, findings: [fail(`${host} does not resolve: ${reasonOf(error)}`, todo)] };
  }
  const shown = `${host} is ${addresses.join(', ')}`;
  const findings = addresses.some((address) => within(loopback, address))
    ? [fail(`${shown}: this machine alone reaches that`, 'Let the name lead to an address that the internet reaches.')]
    : addresses.some((address) => within(nearby, address))
      ? [
          warn(
            `${shown}: only machines nearby reach that`,
            'See that outside of your network the name leads elsewhere.',
          ),
        ]
      : [ok(shown)];
  return { place: { url, addresses }, findings };
}

/** Addresses that take connections. */
export async function checkPort({ url, addresses }: PublicAddress): Promise<{ open: string[]; findings: Finding[] }> {
  const { ok, fail } = findingsOf('port');
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const outcomes = await Promise.all(
    addresses.map(async (address) => ({ address, problem: await reach(address, port) })),
  );
  const open = outcomes.filter(({ problem }) => problem === '').map(({ address }) => address);
  const closed = outcomes.filter(({ problem }) => problem !== '');
  const todo =
    'Let the firewall and the router pass it, and see that the proxy or the edge listens there. Some routers do not let ' +
    'their own network call the public address: then try from outside.';
  return {
    open,
    findings: [
      ...(open.length > 0 ? [ok(`${open.join(', ')} take${open.length === 1 ? 's' : ''} connections on ${port}`)] : []),
      ...closed.map(({ address, problem }) => fail(`${address} takes none on ${port}: ${problem}`, todo)),
    ],
  };
}

async function reach(host: string, port: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ host, port, timeout: reachMsMax });
  socket.once('connect', () => resolve(''));
  socket.once('timeout', () => resolve('no answer in time'));
  socket.once('error', (error) => resolve(reasonOf(error)));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

/** A delivery to a token that nobody has: an edge says 404 to that, and nobody else in these words. */
export async function checkPath({ url, addresses }: PublicAddress): Promise<Finding[]> {
  const findings = await Promise.all(addresses.map((address) => checkPathAt(url, address)));
  return findings.flat();
}

async function checkPathAt(url: URL, address: string): Promise<Finding[]> {
  const { ok, warn, fail } = findingsOf('path');
  const base = url.href.replace(/\/$/, '');
  const token = `doctor-${randomBytes(12).toString('base64url')}`;
  const common = { address, timeoutMs: reachMsMax };
  try {
    const answer = await probe({ ...common, method: 'POST', url: `${base}/in/${token}`, body: '{}' });
    if (answer.status !== 404 || !answer.body.includes('unknown endpoint')) {
      const todo = 'See that the proxy hands POST /in/… on to the edge as it is, with its body and headers.';
      return [fail(`at ${address} no edge answers POST /in/…, but somebody with ${answer.status}`, todo)];
    }
    const metrics = await probe({ ...common, method: 'GET', url: `${base}/metrics` });
    if (metrics.status === 200 && metrics.body.includes('hookwatch_')) {
      const todo = 'Let the proxy hand on /in/ alone (and /webhook/ for sample URLs).';
      return [warn(`at ${address} an edge answers, and anybody may read its /metrics`, todo)];
    }
    return [ok(`at ${address} an edge answers POST /in/…, with Expect: 100-continue`)];
  } catch (error) {
    const todo = 'See that the proxy is up, hands /in/ on to the edge, and answers Expect: 100-continue at once.';
    return [fail(`at ${address} nobody answers POST /in/…: ${reasonOf(error)}`, todo)];
  }
}
