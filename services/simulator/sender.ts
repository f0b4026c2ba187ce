import { createHash, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import * as http from 'node:http';
import * as https from 'node:https';
import { promisify } from 'node:util';
import type { Item } from './item.ts';
import type { Ledger } from './ledger.ts';

/** What became of one delivery. `code` is Node's, for example ECONNRESET, or TIMEOUT. */
export type Outcome = { kind: 'answered'; status: number; id: string } | { kind: 'failed'; code: string };

export interface SenderOptions {
  /** For example http://127.0.0.1:8080; deliveries go to /in/<token> below it. */
  baseUrl: string;
  privateKeyPem: string;
  /** Connections are kept alive; at most so many are open. Default 256. */
  connectionsMax?: number;
  /** Time for one delivery in milliseconds, connection included. Default 10,000. */
  timeoutMs?: number;
}

/** Sends as the provider does: signed, each delivery once, without a retry, whatever happens. */
export interface Sender {
  /** Never rejects: what goes wrong on the way is an outcome. */
  send(item: Item, token: string, ledger?: Ledger): Promise<Outcome>;
  close(): void;
}

/** Hex digits and the like; anything else is not an id of ours and stays out of the ledger's lines. */
const idPattern = /^[\w.:-]{1,200}$/;
const answerBytesMax = 64 * 1024;
/** How long the provider's HTTP client waits for `100 Continue` before it sends the body all the same. */
const continueMs = 350;
const signAsync = promisify(sign);

/** @throws when `privateKeyPem` is no RSA private key, or this machine's OpenSSL refuses to sign with SHA-1. */
export function createSender(options: SenderOptions): Sender {
  const { baseUrl, connectionsMax = 256, timeoutMs = 10_000 } = options;
  const key = createPrivateKey(options.privateKeyPem);
  if (key.asymmetricKeyType !== 'rsa')
    throw new Error(`Cannot sign as the provider: the key is ${key.asymmetricKeyType}, not rsa`);
  sign('sha1', Buffer.of(), key);
  const transport = new URL(baseUrl).protocol === 'https:' ? https : http;
  const agent = new transport.Agent({ keepAlive: true, maxSockets: connectionsMax });
  let count = 0;
  return {
    async send(item, token, ledger) {
      const number = ++count;
      const signature = await signBody(item.body, key);
      ledger?.sent(number, item, createHash('sha256').update(item.body).digest('hex'));
      const url = new URL(`/in/${encodeURIComponent(token)}`, baseUrl);
      const outcome = await post(transport.request, url, agent, item.body, signature, timeoutMs);
      if (outcome.kind === 'answered') ledger?.answered(number, outcome.status, outcome.id);
      else ledger?.failed(number, outcome.code);
      return outcome;
    },
    close: () => agent.destroy(),
  };
}

/** Base64 of RSASSA-PKCS1-v1_5 with SHA-1 over the raw bytes: the header Tier3-RsaSha1. Signed off the main thread. */
export async function signBody(body: Buffer, key: KeyObject): Promise<string> {
  return (await signAsync('sha1', body, key)).toString('base64');
}

function post(
  request: typeof http.request,
  url: URL,
  agent: http.Agent,
  body: Buffer,
  signature: string,
  timeoutMs: number,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const outgoing = request(url, {
      agent,
      method: 'POST',
      headers: {
        Accept: 'application/json',
        'Content-Type': 'application/json; charset=utf-8',
        'Content-Length': body.length,
        Expect: '100-continue',
        'Tier3-RsaSha1': signature,
      },
    });
    const sendBody = () => {
      clearTimeout(patience);
      if (!outgoing.writableEnded) outgoing.end(body);
    };
    const patience = setTimeout(sendBody, continueMs);
    const deadline = setTimeout(
      () => outgoing.destroy(Object.assign(new Error('no answer'), { code: 'TIMEOUT' })),
      timeoutMs,
    );
    const finish = (outcome: Outcome) => {
      clearTimeout(patience);
      clearTimeout(deadline);
      resolve(outcome);
    };
    const fail = (error: NodeJS.ErrnoException) => finish({ kind: 'failed', code: error.code ?? error.name });
    outgoing.on('continue', sendBody);
    outgoing.on('error', fail);
    outgoing.on('response', (response) => {
      clearTimeout(patience);
      readAnswer(response, (outcome) => {
        // Answered without having asked for the body: the connection is of no more use.
        if (!outgoing.writableEnded) outgoing.destroy();
        finish(outcome);
      });
      response.on('error', fail);
    });
  });
}

function readAnswer(response: http.IncomingMessage, done: (outcome: Outcome) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= answerBytesMax) chunks.push(chunk);
  });
  response.on('end', () =>
    done({ kind: 'answered', status: response.statusCode ?? 0, id: readId(Buffer.concat(chunks)) }),
  );
}

/** Empty when the answer is not `{"id": "..."}`. */
function readId(answer: Buffer): string {
  try {
    const { id } = JSON.parse(answer.toString());
    return typeof id === 'string' && idPattern.test(id) ? id : '';
  } catch {
    return '';
  }
}
