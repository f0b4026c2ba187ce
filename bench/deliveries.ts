/** Deliveries at a steady rate, signed beforehand. */
import { createPrivateKey } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { Item } from '../services/simulator/item.ts';
import { signBody } from '../services/simulator/sender.ts';

export interface Signed extends Item {
  signature: string;
}

export interface Sent {
  /** When it was due, by performance.now(): a sender that lags must not make the receiver look better. */
  dueMs: number;
  /** Id in the 202; undefined where there was none. */
  id: string | undefined;
  answeredMs: number;
}

export async function signAll(items: readonly Item[], privateKeyPem: string): Promise<Signed[]> {
  const key = createPrivateKey(privateKeyPem);
  return Promise.all(items.map(async (item) => ({ ...item, signature: await signBody(item.body, key) })));
}

/** Posts each item `atMs` after the call, to /in/<token of its event>. */
export async function postAll(url: string, items: readonly Signed[], tokenOf: (item: Item) => string): Promise<Sent[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const startedMs = performance.now();
  const answers: Promise<Sent>[] = [];
  for (const item of items) {
    const dueMs = startedMs + item.atMs;
    const aheadMs = dueMs - performance.now();
    if (aheadMs > 0) await wait(aheadMs);
    answers.push(post(`${url}/in/${tokenOf(item)}`, item, dueMs, agent));
  }
  const sent = await Promise.all(answers);
  agent.destroy();
  return sent;
}

function post(url: string, { body, signature }: Signed, dueMs: number, agent: Agent): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const headers = {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': body.length,
      'Tier3-RsaSha1': signature,
    };
    const outgoing = request(url, { agent, method: 'POST', headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => {
        const id = answer.statusCode === 202 ? (JSON.parse(text) as { id: string }).id : undefined;
        resolve({ dueMs, id, answeredMs: performance.now() });
      });
      answer.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** A whole HTTP request, as load.ts sends it. */
export function encodeRequest(token: string, body: string, signature: string): string {
  return [
    `POST /in/${token} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Accept: application/json',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `Tier3-RsaSha1: ${signature}`,
    '',
    body,
  ].join('\r\n');
}
