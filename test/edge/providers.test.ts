import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { hashToken, type SecretConfig } from '../../services/config.ts';
import { providers } from '../../services/core/providers/providers.ts';
import {
  body,
  createTestTime,
  deliveriesOf,
  endpoint,
  signature,
  startTestEdge,
  type TestEdge,
  tenant,
  token,
} from './fixture.ts';

const secret = (id: string, text: string): SecretConfig => ({ id, reveal: () => text });
const firstOf = async (edge: TestEdge) => deliveriesOf(await edge.log.records())[0]!;

describe('a provider with a shared secret', () => {
  const secrets = [secret('old', 'Basic b2xkOnNlY3JldA=='), secret('new', 'Basic bmV3OnNlY3JldA==')];
  const start = (fields: { secrets?: SecretConfig[] } = { secrets }) =>
    startTestEdge({
      tenants: [
        tenant({
          endpoints: [endpoint({ name: 'citrix', provider: 'citrix', event: '', account: 'acme', ...fields })],
        }),
      ],
    });

  test.each(secrets)('either of two is good: $id', async ({ id, reveal }) => {
    const edge = await start();
    expect((await edge.post({ headers: { authorization: reveal() } })).status).toBe(202);
    const delivery = await firstOf(edge);
    expect(delivery).toMatchObject({
      provider: 'citrix',
      event_name: '',
      account: 'citrix:acme',
      verdict: 'shared_secret',
      verdict_reason: '',
      key_id: id,
    });
    // The key's id stands where the secret was, and another provider's signature is nothing to keep.
    expect(delivery.headers).toMatchObject({ authorization: id });
    expect(delivery.headers).not.toHaveProperty('tier3-rsasha1');
    expect(await edge.metricBy('hookwatch_edge_journaled_total', 'verdict')).toEqual({ shared_secret: 1 });
  });

  test.each([
    { header: {}, reason: 'secret missing', kept: undefined },
    { header: { authorization: 'Basic bmV3OnNlY3JldA=' }, reason: 'secret mismatch', kept: '(withheld)' },
    { header: { authorization: 'x'.repeat(5000) }, reason: 'secret mismatch', kept: '(withheld)' },
  ])('$reason is a 401 that says what is asked for, and kept as a reject', async ({ header, reason, kept }) => {
    const edge = await start();
    const answer = await edge.post({ headers: header as Record<string, string> });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Basic realm="hookwatch"');
    expect(await answer.json()).toEqual({ error: reason, hint: providers.get('citrix')!.hint });
    const delivery = await firstOf(edge);
    expect(delivery).toMatchObject({ verdict: 'rejected', verdict_reason: reason, key_id: '' });
    expect(delivery.headers.authorization).toBe(kept);
  });

  test('without one it is taken in for what it is', async () => {
    const edge = await start({ secrets: [] });
    expect((await edge.post({ headers: { authorization: 'Basic whatever' } })).status).toBe(202);
    const delivery = await firstOf(edge);
    expect(delivery).toMatchObject({ verdict: 'unauthenticated', key_id: '' });
    expect(delivery.headers.authorization).toBe('(withheld)');
  });

  test('a secret that is none of the provider is named, and not quoted', async () => {
    const mistaken = start({ secrets: [secret('short', 'hunter2')] });
    await expect(mistaken).rejects.toThrow(/^Cannot read key short of citrix: /);
    await expect(mistaken).rejects.not.toThrow(/hunter2/);
  });
});

test('where nothing is signed the URL is all there is', async () => {
  const edge = await startTestEdge({
    tenants: [tenant({ endpoints: [endpoint({ name: 'backup', provider: 'backup', event: '' })] })],
  });
  expect((await edge.post({ headers: { 'tier3-rsasha1': '' } })).status).toBe(202);
  expect(await firstOf(edge)).toMatchObject({ provider: 'backup', account: 'backup:NWND', verdict: 'unauthenticated' });
});

describe('a provider that signs the time as well', () => {
  const key = Buffer.from('a key of 24 bytes or more');
  const pair = generateKeyPairSync('ed25519');
  const publicKey = pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(12).toString('base64');
  const secrets = [secret('mac', `whsec_${key.toString('base64')}`), secret('pair', `whpk_${publicKey}`)];
  const now = Date.UTC(2026, 0, 5);
  const start = () =>
    startTestEdge({
      time: createTestTime(now),
      tenants: [
        tenant({
          endpoints: [
            endpoint({ name: 'generic', provider: 'standard-webhooks', event: '', account: 'acme', secrets }),
          ],
        }),
      ],
    });
  const signed = (sentAt: number, make: (content: Buffer) => string) => {
    const [id, timestamp] = ['msg_1', String(sentAt / 1000)];
    const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp };
    return { ...headers, 'webhook-signature': make(Buffer.from(`${id}.${timestamp}.${body}`)) };
  };
  const mac = (content: Buffer) => `v1,${createHmac('sha256', key).update(content).digest('base64')}`;
  const pairSignature = (content: Buffer) => `v1a,${sign(null, content, pair.privateKey).toString('base64')}`;

  test.each([
    { id: 'mac', make: mac },
    { id: 'pair', make: pairSignature },
  ])('$id verifies by the clock of the edge, and what was signed is kept', async ({ id, make }) => {
    const edge = await start();
    const headers = signed(now - 299_000, make);
    expect((await edge.post({ headers })).status).toBe(202);
    const delivery = await firstOf(edge);
    expect(delivery).toMatchObject({ verdict: 'verified', key_id: id });
    expect(delivery.headers).toMatchObject(headers);
  });

  test('an old one is refused', async () => {
    const edge = await start();
    const answer = await edge.post({ headers: signed(now - 302_000, mac) });
    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ error: 'timestamp outside the window' });
  });
});

describe("the URLs of the provider's sample listener", () => {
  const events = ['Account', 'User', 'Server', 'Alert'] as const;
  const start = (fields: { open?: true; sample?: true } = { sample: true }) =>
    startTestEdge({
      tenants: [
        tenant({
          endpoints: events.map((event) =>
            endpoint({
              name: `sample-${event.toLowerCase()}`,
              event,
              tokenSha256: fields.open ? '' : hashToken(`${token}-${event}`),
              ...fields,
            }),
          ),
        }),
      ],
    });
  const headers = { 'content-type': 'application/json', 'tier3-rsasha1': signature(body) };
  const post = (url: string, more: Record<string, string> = {}) =>
    fetch(url, { method: 'POST', headers: { ...headers, ...more }, body });

  test.each(events)('open: %s', async (event) => {
    const edge = await start({ sample: true, open: true });
    expect((await post(`${edge.url}/webhook/${event.toLowerCase()}`)).status).toBe(202);
    expect(await firstOf(edge)).toMatchObject({
      endpoint: `sample-${event.toLowerCase()}`,
      event_name: event,
      account: 'centurylink:NWND',
      verdict: 'verified',
    });
    // An open endpoint has no token, not an empty one.
    expect((await post(`${edge.url}/in/`)).status).toBe(404);
  });

  test('a token in the query or as a bearer is good for its own URL, and no other', async () => {
    const edge = await start();
    const [url, right] = [`${edge.url}/webhook/server`, `${token}-Server`];
    expect((await post(`${url}?token=${right}`)).status).toBe(202);
    expect((await post(url, { authorization: `Bearer ${right}` })).status).toBe(202);
    expect((await post(`${edge.url}/in/${right}`)).status).toBe(202);
    const refused = [
      post(url),
      post(`${url}?token=`),
      post(`${url}?token=${token}-User`),
      post(url, { authorization: `Basic ${right}` }),
      post(`${edge.url}/webhook/user?token=${right}`),
    ];
    for (const answer of await Promise.all(refused)) expect(answer.status).toBe(404);
    expect(await edge.ledger()).toMatchObject({ requests: 8, journaled: 3, refused: { unknown_endpoint: 5 } });
    for (const delivery of deliveriesOf(await edge.log.records())) {
      expect(delivery).toMatchObject({ endpoint: 'sample-server', event_name: 'Server' });
      expect(JSON.stringify(delivery.headers)).not.toContain(right);
    }
  });

  test('signatures are verified there as anywhere', async () => {
    const edge = await start({ sample: true, open: true });
    const answer = await post(`${edge.url}/webhook/account`, { 'tier3-rsasha1': signature('other') });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Tier3-RsaSha1');
    expect((await fetch(`${edge.url}/webhook/account`)).status).toBe(405);
  });

  test.each(['/webhook/server', '/webhook/other', '/webhook/', '/webhook/server/more'])(
    'nothing listens at %s',
    async (path) => {
      const edge = await start({});
      expect((await post(`${edge.url}${path}`)).status).toBe(404);
      expect(await edge.log.records()).not.toContainEqual(expect.objectContaining({ kind: 'delivery' }));
    },
  );
});

test('a verification that fails by a fault of ours costs no delivery and no edge', async () => {
  const edge = await startTestEdge();
  vi.spyOn(providers.get('centurylink')!, 'verify').mockImplementationOnce(() => {
    throw new Error('a fault');
  });
  expect((await edge.post()).status).toBe(401);
  expect(await firstOf(edge)).toMatchObject({ verdict: 'rejected', verdict_reason: 'internal' });
  expect((await edge.post()).status).toBe(202);
});
