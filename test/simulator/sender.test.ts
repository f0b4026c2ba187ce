import { createHash, generateKeyPairSync, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Item } from '../../services/simulator/item.ts';
import { openLedger } from '../../services/simulator/ledger.ts';
import { createSender, type SenderOptions } from '../../services/simulator/sender.ts';
import { accept, createKeys, findFreePort, itemOf, scenarioOf, startReceiver } from './fixtures.ts';

const keys = createKeys();

function senderTo(baseUrl: string, options: Partial<SenderOptions> = {}) {
  const sender = createSender({ baseUrl, privateKeyPem: keys.privateKey, ...options });
  onTestFinished(() => sender.close());
  return sender;
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-sender-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe('a delivery', () => {
  test('is the raw body at the endpoint, signed', async () => {
    const receiver = await startReceiver();
    const sender = senderTo(receiver.url);
    const items = scenarioOf({ rate: 30, seconds: 1 });
    for (const item of items) await sender.send(item, 'demo-token');
    expect(receiver.received).toHaveLength(items.length);
    for (const [index, { path, headers, body }] of receiver.received.entries()) {
      expect(path).toBe('/in/demo-token');
      expect(body.equals(items[index]!.body)).toBe(true);
      const signature = Buffer.from(String(headers['tier3-rsasha1']), 'base64');
      expect(verify('sha1', body, keys.publicKey, signature)).toBe(true);
    }
  });

  test('has the headers of a real one', async () => {
    const receiver = await startReceiver();
    await senderTo(receiver.url).send(itemOf(), 'demo-token');
    expect(receiver.received[0]!.headers).toMatchObject({
      accept: 'application/json',
      'content-type': 'application/json; charset=utf-8',
      'content-length': '7',
      expect: '100-continue',
    });
  });

  test('reuses connections', async () => {
    const receiver = await startReceiver();
    const sender = senderTo(receiver.url);
    for (let count = 0; count < 10; count += 1) await sender.send(itemOf(), 'demo-token');
    expect(receiver.sockets.size).toBe(1);
  });

  test('escapes the token', async () => {
    const receiver = await startReceiver();
    await senderTo(receiver.url).send(itemOf(), 'a/b?c');
    expect(receiver.received[0]!.path).toBe('/in/a%2Fb%3Fc');
  });
});

describe('an outcome', () => {
  test('202 with its id', async () => {
    const receiver = await startReceiver();
    const outcome = await senderTo(receiver.url).send(itemOf(), 't');
    expect(outcome).toEqual({ kind: 'answered', status: 202, id: 'id-1' });
  });

  test.each([
    { answer: '', id: '' },
    { answer: 'not json', id: '' },
    { answer: '{"id":7}', id: '' },
    { answer: '{"id":"two words"}', id: '' },
    { answer: '"text"', id: '' },
    { answer: 'null', id: '' },
    { answer: '{"id":"0198-a-1"}', id: '0198-a-1' },
  ])('the id in $answer is "$id"', async ({ answer, id }) => {
    const receiver = await startReceiver((response) => response.writeHead(202).end(answer));
    expect(await senderTo(receiver.url).send(itemOf(), 't')).toEqual({ kind: 'answered', status: 202, id });
  });

  test('503 is an answer, and there is no second try', async () => {
    const receiver = await startReceiver((response) => response.writeHead(503, { 'Retry-After': '1' }).end());
    expect(await senderTo(receiver.url).send(itemOf(), 't')).toEqual({ kind: 'answered', status: 503, id: '' });
    expect(receiver.received).toHaveLength(1);
  });

  test('a dropped connection is a failure, and there is no second try', async () => {
    const receiver = await startReceiver((response, _, count) => {
      if (count === 2) response.destroy();
      else accept(response, _, count);
    });
    const sender = senderTo(receiver.url);
    // The second goes over the connection that the first left open.
    const outcomes = [
      await sender.send(itemOf(), 't'),
      await sender.send(itemOf(), 't'),
      await sender.send(itemOf(), 't'),
    ];
    expect(outcomes[1]).toEqual({ kind: 'failed', code: 'ECONNRESET' });
    expect(outcomes[2]).toMatchObject({ status: 202 });
    expect(receiver.received).toHaveLength(3);
  });

  test('an answer that breaks off is a failure', async () => {
    const receiver = await startReceiver((response) => {
      response.writeHead(202, { 'Content-Length': '100' });
      response.write('{', () => response.destroy());
    });
    expect(await senderTo(receiver.url).send(itemOf(), 't')).toEqual({ kind: 'failed', code: 'ECONNRESET' });
  });

  test('a refused connection is a failure', async () => {
    const url = `http://127.0.0.1:${await findFreePort()}`;
    expect(await senderTo(url).send(itemOf(), 't')).toEqual({ kind: 'failed', code: 'ECONNREFUSED' });
  });

  test('no answer in time is a failure', async () => {
    const receiver = await startReceiver(() => {});
    const sender = senderTo(receiver.url, { timeoutMs: 50 });
    expect(await sender.send(itemOf(), 't')).toEqual({ kind: 'failed', code: 'TIMEOUT' });
  });

  test('an answer that does not want the body is an answer', async () => {
    const receiver = await startReceiver();
    let asked = 0;
    receiver.server.on('checkContinue', (_, response) => {
      asked += 1;
      response.writeHead(413, { Connection: 'close' }).end();
    });
    const outcome = await senderTo(receiver.url).send(itemOf(), 't');
    expect(outcome).toEqual({ kind: 'answered', status: 413, id: '' });
    expect([asked, receiver.received.length]).toEqual([1, 0]);
  });

  test('the body follows "100 Continue", without waiting for any time to pass', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const receiver = await startReceiver();
    expect(await senderTo(receiver.url).send(itemOf(), 't')).toMatchObject({ status: 202 });
  });

  test('a receiver that never says "100 Continue" gets the body all the same', async () => {
    const receiver = await startReceiver();
    receiver.server.on('checkContinue', (request, response) => receiver.server.emit('request', request, response));
    expect(await senderTo(receiver.url).send(itemOf(), 't')).toMatchObject({ status: 202 });
    expect(receiver.received[0]!.body.toString()).toBe('{"a":1}');
  });
});

describe('a key that cannot sign', () => {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });

  test.each([
    { what: 'no key', pem: 'nonsense', message: /DECODER|unsupported/i },
    { what: 'another kind of key', pem: privateKey, message: /the key is ec, not rsa/ },
  ])('$what is refused at once', ({ pem, message }) => {
    expect(() => createSender({ baseUrl: 'http://127.0.0.1:1', privateKeyPem: pem })).toThrow(message);
  });
});

describe('the ledger', () => {
  const sha256 = (item: Item) => createHash('sha256').update(item.body).digest('hex');

  test('holds a delivery before it arrives, and its answer after', async () => {
    const path = join(makeFolder(), 'ledger');
    const seen: string[] = [];
    const receiver = await startReceiver((response, received, count) => {
      seen.push(readFileSync(path, 'utf8'));
      accept(response, received, count);
    });
    const ledger = openLedger(path);
    const item = itemOf({ event: 'User.Created', account: 'DEMO', subject: 'demo@user.example' });
    await senderTo(receiver.url).send(item, 'demo-token', ledger);
    ledger.close();
    const sent = `sent 1 User.Created DEMO demo@user.example ${sha256(item)}\n`;
    expect(seen).toEqual([sent]);
    expect(readFileSync(path, 'utf8')).toBe(`${sent}answered 1 202 id-1\n`);
  });

  test('tells answers without an id from no answer, and appends', async () => {
    const path = join(makeFolder(), 'ledger');
    const receiver = await startReceiver((response, _, count) => {
      if (count === 1) response.writeHead(503).end();
      else response.destroy();
    });
    const sender = senderTo(receiver.url);
    for (let count = 0; count < 2; count += 1) {
      const ledger = openLedger(path);
      await sender.send(itemOf(), 't', ledger);
      ledger.close();
    }
    const lines = readFileSync(path, 'utf8').split('\n');
    expect(lines).toEqual([
      `sent 1 Server.Created A S ${sha256(itemOf())}`,
      'answered 1 503 -',
      `sent 2 Server.Created A S ${sha256(itemOf())}`,
      'failed 2 ECONNRESET',
      '',
    ]);
  });

  test('no field of a scenario holds a space', () => {
    const spaced = scenarioOf().filter(({ event, account, subject }) => /\s/.test(event + account + subject));
    expect(spaced).toEqual([]);
  });
});
