import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type EndpointConfig, hashToken } from '../../../services/config.ts';
import { type CitrixStandIn, startCitrix } from '../../provider-api/citrix.ts';
import { createRun, endpoint, publicUrl, tenant, tokenOf, url } from './fixture.ts';

const citrix = ['citrix', '--customer', 'acme'];
const outputs: string[] = [];

afterEach(() => {
  expect(outputs.splice(0).join()).not.toMatch(/token-of-|0123456789|a-secret-of|c2Vjcm|citrix-token|their-secret/);
});

/** An endpoint with the secrets `Basic c2VjcmV0<n>`, the newest last. */
function citrixEndpoint(name: string, secrets: number[] = [1], fields: Partial<EndpointConfig> = {}): EndpointConfig {
  const keys = secrets.map((number) => ({ id: `key-${number}`, reveal: () => secretOf(number) }));
  return endpoint(name, { provider: 'citrix', event: '', account: 'acme', secrets: keys, ...fields });
}

const secretOf = (number: number) => `Basic c2VjcmV0${number}`;

async function start() {
  const provider = await startCitrix();
  const { folder, run } = createRun({
    HOOKWATCH_CITRIX_URL: provider.url,
    HOOKWATCH_CITRIX_TRUST_URL: provider.url,
    HOOKWATCH_CITRIX_CLIENT_ID: provider.clientId,
    HOOKWATCH_CITRIX_CLIENT_SECRET: provider.clientSecret,
  });
  const tokens = (...names: string[]) => {
    const file = join(folder, 'tokens');
    writeFileSync(file, names.map((name) => `${name} ${url(name)}`).join('\n'));
    return ['--tokens', file];
  };
  const recorded: typeof run = async (...args) => {
    const result = await run(...args);
    outputs.push(result.out);
    return result;
  };
  return { provider, run: recorded, tokens };
}

function put({ subscriptions }: CitrixStandIn, id: string, fields: Record<string, unknown>) {
  const common = { id, customerId: 'acme', subscriptionType: 'Webhook', changeType: '*', eventType: '*' };
  subscriptions.set(id, { ...common, url: url('all'), authHeaders: secretOf(1), ...fields });
}

const writes = ({ calls }: CitrixStandIn) =>
  calls()
    .filter((call) => !/^GET|tokens\/clients$/.test(call))
    .map((call) => call.split(' ')[0]);
const all = [tenant([citrixEndpoint('all')])];

describe('what differs is changed', () => {
  test('a subscription is made with every documented field, and then there is nothing to do', async () => {
    const { provider, run, tokens } = await start();
    expect((await run([...citrix, '--yes', ...tokens('all')], all)).code).toBe(0);
    expect([...provider.subscriptions.values()]).toEqual([
      expect.objectContaining({
        customerId: 'acme',
        description: 'hookwatch northwind/all',
        url: url('all'),
        authHeaders: secretOf(1),
        changeType: '*',
        eventType: '*',
      }),
    ]);
    const again = await run([...citrix, '--yes'], all);
    expect(again).toMatchObject({ code: 0, out: expect.stringContaining('Nothing to do.') });
    expect(writes(provider)).toEqual(['POST']);
  });

  test.each([
    ['for other events', { eventType: 'Notifications' }, 'for Notifications/*'],
    ['with a former secret', { authHeaders: secretOf(0) }, 'with another secret'],
    ['without a secret', { authHeaders: null }, 'with another secret'],
    ['at a former address', { url: url('all', 'https://old.example.com') }, 'at an address that is not the public one'],
  ])('one %s is made anew, and then removed', async (_name, fields, why) => {
    const { provider, run } = await start();
    put(provider, 'old', fields);
    const { code, out } = await run([...citrix, '--yes'], all);
    expect(out).toContain(why);
    expect(code).toBe(0);
    expect(writes(provider)).toEqual(['POST', 'DELETE']);
    expect([...provider.subscriptions.values()]).toMatchObject([
      { url: url('all'), authHeaders: secretOf(1), eventType: '*' },
    ]);
  });

  test.each([undefined, '********', 'Basic ...', 'Basic ••••'])(
    'a secret shown as %s may be the right one',
    async (authHeaders) => {
      const { provider, run } = await start();
      put(provider, 'one', { authHeaders });
      expect(await run([...citrix, '--yes'], all)).toMatchObject({ out: expect.stringContaining('Nothing to do') });
    },
  );

  test('of two secrets the newer one is given', async () => {
    const { provider, run } = await start();
    put(provider, 'one', { authHeaders: secretOf(1) });
    expect((await run([...citrix, '--yes'], [tenant([citrixEndpoint('all', [1, 2])])])).code).toBe(0);
    expect([...provider.subscriptions.values()]).toMatchObject([{ authHeaders: secretOf(2) }]);
  });

  test('what leads here twice, or to nobody, is removed; what leads elsewhere stays', async () => {
    const { provider, run } = await start();
    put(provider, 'one', {});
    put(provider, 'two', {});
    put(provider, 'stale', { url: `${publicUrl}/in/a-token-of-nobody-0123456789` });
    put(provider, 'theirs', { url: 'https://other.example.com/x', authHeaders: 'their-secret' });
    const { code, out } = await run([...citrix, '--yes'], all);
    expect(out).toContain('of northwind/all, which another one calls');
    expect(code).toBe(0);
    expect([...provider.subscriptions.keys()]).toEqual(['one', 'theirs']);
  });

  test('the old one stays while the token of its successor is not known', async () => {
    const { provider, run } = await start();
    const endsAtMs = Date.now() + 3_600_000;
    put(provider, 'old', { url: url('old') });
    const otherTokens = [{ sha256: hashToken(tokenOf('old')), endsAtMs }];
    const rotated = [tenant([citrixEndpoint('all', [1], { otherTokens })])];
    const { code, out } = await run([...citrix, '--yes'], rotated);
    expect(code).toBe(1);
    expect(out).toContain('the token of northwind/all is not known');
    expect([...provider.subscriptions.keys()]).toEqual(['old']);
  });

  test('--dry-run changes nothing; nobody at the terminal is told of --yes', async () => {
    const { provider, run, tokens } = await start();
    expect((await run([...citrix, '--dry-run', ...tokens('all')], all)).code).toBe(0);
    expect((await run([...citrix, ...tokens('all')], all)).code).toBe(2);
    expect((await run([...citrix, ...tokens('all')], all, { ask: async () => 'no' })).code).toBe(1);
    expect(writes(provider)).toEqual([]);
  });

  test('a lost answer is no second subscription', async () => {
    const { provider, run, tokens } = await start();
    provider.fail({ do: 'lose', on: 'POST /acme/subscriptions' });
    expect((await run([...citrix, '--yes', ...tokens('all')], all)).code).toBe(1);
    expect((await run([...citrix, '--yes', ...tokens('all')], all)).code).toBe(0);
    expect(provider.subscriptions.size).toBe(1);
  });
});

describe('--list', () => {
  test('--json keeps every field that the provider shows, but for tokens and secrets', async () => {
    const { provider, run } = await start();
    put(provider, 'one', { deliveryState: { last: `called ${url('all')} with ${secretOf(1)}` }, retries: 3 });
    put(provider, 'theirs', { url: 'https://other.example.com/?k=their-secret', authHeaders: null });
    const { code, out } = await run([...citrix, '--list', '--json'], all);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual([
      {
        id: 'one',
        customerId: 'acme',
        subscriptionType: 'Webhook',
        changeType: '*',
        eventType: '*',
        url: expect.stringMatching(/^https:\/\/hooks\.example\.com\/in\/… #\w{8}$/),
        authHeaders: '…',
        deliveryState: { last: expect.stringMatching(/^called https:\/\/hooks\.example\.com\/in\/… #\w{8} with …$/) },
        retries: 3,
      },
      expect.objectContaining({ id: 'theirs', authHeaders: null }),
    ]);
  });

  test('what others have written there does nothing to a terminal', async () => {
    const { provider, run } = await start();
    put(provider, 'one', { description: '\u001b]0;title\u0007\u001b[2Jgone\r\n\u202ereversed' });
    for (const args of [['--list'], ['--dry-run']]) {
      const { out } = await run([...citrix, ...args], all);
      expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  });

  test('for people, a line each', async () => {
    const { provider, run } = await start();
    expect((await run([...citrix, '--list'], all)).out).toBe('There are no subscriptions.\n');
    put(provider, 'one', { description: 'mine', createdBy: 'me@example.com' });
    const { out } = await run([...citrix, '--list'], all);
    expect(out).toMatch(
      /^one {2}\*\/\* {2}https:\/\/hooks\.example\.com\/in\/… #\w{8} {2}secret {2}me@example\.com {2}mine\n$/,
    );
  });
});

describe('--delete', () => {
  test('removes what leads here, and says whether there was one', async () => {
    const { provider, run } = await start();
    put(provider, 'one', {});
    expect((await run([...citrix, '--delete', 'one', '--dry-run'], all)).out).toContain('Would remove one');
    expect((await run([...citrix, '--delete', 'one', '--yes'], all)).out).toContain('Removed one');
    expect(await run([...citrix, '--delete', 'one', '--yes'], all)).toMatchObject({
      code: 0,
      out: 'There is no subscription one.\n',
    });
    expect(provider.subscriptions.size).toBe(0);
  });

  test('what leads elsewhere only with --force', async () => {
    const { provider, run } = await start();
    put(provider, 'theirs', { url: 'https://other.example.com/?k=their-secret' });
    const refused = await run([...citrix, '--delete', 'theirs', '--yes'], all);
    expect(refused).toMatchObject({ code: 2, out: expect.stringContaining('--force removes it') });
    expect((await run([...citrix, '--delete', 'theirs', '--yes', '--force'], all)).code).toBe(0);
    expect(provider.subscriptions.size).toBe(0);
  });
});

test.each([
  [['citrix'], 'give --customer ID'],
  [['citrix', '--customer', 'a b'], 'is no customer ID'],
  [['citrix', '--customer', 'other'], 'no endpoint is for customer other'],
])('wrong usage is told: %j', async (args, problem) => {
  const { provider, run } = await start();
  expect(await run(args, all)).toMatchObject({ code: 2, out: expect.stringContaining(problem) });
  expect(provider.asked).toEqual([]);
});
