import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type CitrixOptions, createCitrixSubscriptions } from '../../../services/ports/provider-api/citrix.ts';
import { startCitrix } from '../../provider-api/citrix.ts';

const limits = { retryMsFirst: 1, retryMsMax: 5, callsPerSecondMax: 10_000 };
const wanted = {
  description: 'hookwatch: all',
  url: 'https://hooks.example.com/in/a-token-that-nobody-may-see',
  authHeaders: 'Basic c2VjcmV0',
  changeType: '*',
  eventType: '*',
};

async function start(credentials?: CitrixOptions['credentials']) {
  const provider = await startCitrix();
  const { clientId, clientSecret, url } = provider;
  const tokenFolder = mkdtempSync(join(tmpdir(), 'hookwatch-tokens-'));
  onTestFinished(() => rmSync(tokenFolder, { recursive: true }));
  const api = createCitrixSubscriptions({
    customer: 'acme',
    credentials: credentials ?? { clientId, clientSecret },
    baseUrl: url,
    trustUrl: url,
    tokenFolder,
    limits,
  });
  onTestFinished(() => api.close());
  return { provider, api, tokenFolder };
}

const fails = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it was answered'),
    (error) => error,
  );

describe('subscriptions', () => {
  test('what is created is listed, with every field, until it is removed', async () => {
    const { provider, api } = await start();
    const made = await api.create(wanted);
    expect(made).toMatchObject({ ...wanted, customerId: 'acme', deliveryState: 'a property that is not documented' });
    expect(JSON.parse(provider.asked.at(-1)!.body)).toEqual({ customerId: 'acme', ...wanted });
    expect(provider.asked.at(-1)!.headers.authorization).toMatch(/^CwsAuth Bearer=citrix-token-1/);
    expect(await api.list()).toEqual([made]);
    expect(await api.remove(made.id)).toBe(true);
    expect(await api.remove(made.id)).toBe(false);
    expect(await api.list()).toEqual([]);
  });

  test('the list may also be an object with items', async () => {
    const { provider, api } = await start();
    const text = JSON.stringify({ items: [{ id: '1', url: 'u', eventType: '*', changeType: '*' }], total: 1 });
    provider.fail({ do: 'answer', status: 200, on: 'GET', text });
    expect(await api.list()).toEqual([{ id: '1', url: 'u', eventType: '*', changeType: '*' }]);
  });

  test('one without a secret sends no authHeaders', async () => {
    const { provider, api } = await start();
    const { authHeaders: _, ...rest } = wanted;
    await api.create(rest);
    expect(JSON.parse(provider.asked.at(-1)!.body)).not.toHaveProperty('authHeaders');
  });

  test('one is made once, and neither its URL nor its secret is in an error', async () => {
    const { provider, api } = await start();
    provider.fail({ do: 'lose', on: 'POST /acme/subscriptions' });
    expect(await fails(api.create(wanted))).toMatchObject({ code: 'UNREACHABLE', notDone: false });
    expect(provider.subscriptions.size).toBe(1);
    const text = JSON.stringify({ detail: `cannot use ${wanted.url} with ${wanted.authHeaders}` });
    provider.fail({ do: 'answer', status: 400, on: 'POST /acme/subscriptions', text });
    const error = await fails(api.create(wanted));
    expect(error.message).toContain('cannot use … with …');
    expect(inspect(error, { depth: 9 })).not.toMatch(/nobody-may-see|c2VjcmV0/);
  });
});

describe('credentials', () => {
  test('an API client gets a token once, and another one when it is refused', async () => {
    const { provider, api, tokenFolder } = await start();
    await api.list();
    await api.list();
    expect(provider.tokens.given).toBe(1);
    provider.tokens.valid.clear();
    await api.list();
    expect(provider.tokens.given).toBe(2);
    expect(readdirSync(tokenFolder)).toHaveLength(1);
  });

  test('a wrong secret is told without it', async () => {
    const { api } = await start({ clientId: '5d2c1f0e-client', clientSecret: 'a-wrong-secret' });
    const error = await fails(api.list());
    expect(error).toMatchObject({ code: 'CREDENTIALS_REFUSED', retryHelps: false });
    expect(inspect(error, { depth: 9 })).not.toContain('a-wrong-secret');
  });

  test.each(['given', 'CwsAuth Bearer=given'])('%s is a token that is used, and has no successor', async (token) => {
    const { provider, api } = await start({ token });
    provider.tokens.valid.add('given');
    expect(await api.list()).toEqual([]);
    provider.tokens.valid.clear();
    expect(await fails(api.list())).toMatchObject({ code: 'CREDENTIALS_REFUSED' });
    expect(provider.calls().filter((call) => call.startsWith('POST'))).toEqual([]);
  });
});
