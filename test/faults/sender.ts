/**
 * A provider, as a process of its own: sends each delivery once, in bursts, whatever happens, and keeps a ledger in a file.
 *
 *     sent <n> <sha256 of the body>    has reached the operating system before the request leaves
 *     answered <n> <status> <id>
 *     failed <n> <code>                no answer: it may have arrived, or not
 *
 * Ends on SIGTERM, once every request has its outcome.
 */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { openSync, readFileSync, writeSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { createTraffic, type Parcel } from './traffic.ts';

export interface SenderSettings {
  /** Deliveries go to each in turn. All over HTTP, or all over HTTPS. */
  edgeUrls: readonly string[];
  /** Their endpoints' tokens are `<tenant>-<event>`; each delivery is of one of them in turn. Default: the demo's. */
  tenants?: readonly string[];
  /** PEM of the key that is trusted. */
  keyFile: string;
  ledgerFile: string;
  perSecond: number;
  seed: number;
  /** Numbers begin behind it, so that several senders can share a ledger. Default 0. */
  after?: number;
}

const {
  edgeUrls,
  tenants = ['demo'],
  keyFile,
  ledgerFile,
  perSecond,
  seed,
  after = 0,
} = JSON.parse(process.argv[2]!) as SenderSettings;
const trusted = readFileSync(keyFile, 'utf8');
const { privateKey: untrusted } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ledger = openSync(ledgerFile, 'a');
const write = (...fields: (string | number)[]) => writeSync(ledger, `${fields.join(' ')}\n`);
const { Agent, request } = edgeUrls[0]!.startsWith('https:') ? https : http;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const traffic = tenants.map((_, index) => createTraffic(seed + index));
const burstIntervalMs = 200;
const burst = Math.round((perSecond * burstIntervalMs) / 1000);
let count = after;
let open = 0;
let stopped = false;
let prepared = prepare();

const timer = setInterval(() => {
  for (const { n, parcel, signature } of prepared) send(n, parcel, signature);
  prepared = prepare();
}, burstIntervalMs);
process.on('SIGTERM', () => {
  clearInterval(timer);
  stopped = true;
  endWhenDone();
});

/** Signs the next burst, which takes longer than to send it: its requests shall be under way together. */
function prepare() {
  return Array.from({ length: burst }, () => {
    const n = ++count;
    const parcel = traffic[n % tenants.length]!(n, Date.now());
    const key = parcel.forged ? untrusted : trusted;
    return { n, parcel, signature: sign('sha1', Buffer.from(parcel.body), key).toString('base64') };
  });
}

function send(n: number, { event, body }: Parcel, signature: string): void {
  const tenant = tenants[n % tenants.length];
  // Not with the same period as tenants, or an edge would never see some of them.
  const edgeUrl = edgeUrls[Math.floor(n / tenants.length) % edgeUrls.length];
  const url = `${edgeUrl}/in/${tenant}-${event.toLowerCase().replace('.', '-')}`;
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'tier3-rsasha1': signature,
  };
  write('sent', n, createHash('sha256').update(body).digest('hex'));
  open++;
  const outgoing = request(url, { method: 'POST', agent, headers, timeout: 10_000 });
  const fail = (error: NodeJS.ErrnoException) => done('failed', n, error.code ?? error.name);
  outgoing.on('timeout', () => outgoing.destroy(Object.assign(new Error('no answer'), { code: 'TIMEOUT' })));
  outgoing.on('error', fail);
  outgoing.on('response', (response) => {
    let answer = '';
    response.on('data', (chunk) => {
      answer += chunk;
    });
    response.on('error', fail);
    response.on('end', () => done('answered', n, response.statusCode!, idOf(answer)));
  });
  outgoing.end(body);
}

function done(...fields: (string | number)[]): void {
  write(...fields);
  open--;
  endWhenDone();
}

function endWhenDone(): void {
  if (stopped && open === 0) agent.destroy();
}

function idOf(answer: string): string {
  return /^\{"id":\s*"([\w-]+)"/.exec(answer)?.[1] ?? '-';
}
