import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type CenturylinkOptions, createCenturylinkApi } from '../../../services/ports/provider-api/centurylink.ts';
import { startCenturylink } from '../../provider-api/centurylink.ts';

const limits = { retryMsFirst: 1, retryMsMax: 5, callsPerSecondMax: 10_000 };
const dayMs = 86_400_000;
const hook = 'https://hooks.example.com/in/a-token-that-nobody-may-see';

async function start(fields: Partial<CenturylinkOptions> = {}) {
  const provider = await startCenturylink();
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-tokens-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { username, password, url: baseUrl } = provider;
  const open = (more: Partial<CenturylinkOptions> = {}) => {
    const api = createCenturylinkApi({ baseUrl, username, password, tokenFolder: folder, limits, ...fields, ...more });
    onTestFinished(() => api.close());
    return api;
  };
  const logins = () => provider.calls().filter((call) => call === 'POST /v2/authentication/login').length;
  return { provider, folder, open, api: open(), logins };
}

const fails = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it was answered'),
    (error) => error,
  );

describe('the bearer token', () => {
  test('is asked for once, whoever calls, and used by the processes that come after', async () => {
    const { provider, open, api, logins } = await start();
    await Promise.all([api.webhooks.list('ALTD'), api.inventory.account('ALTD'), api.inventory.dataCenters('ALTD')]);
    await open().webhooks.list('ALTD');
    expect(logins()).toBe(1);
    expect(provider.tokens.given).toBe(1);
  });

  test('lies in a file that only its owner may read', async () => {
    const { folder, api } = await start();
    await api.webhooks.list('ALTD');
    const [file] = readdirSync(folder);
    expect(readdirSync(folder)).toHaveLength(1);
    expect(statSync(join(folder, file!)).mode & 0o777).toBe(0o600);
    expect(file).not.toContain('operator');
    expect(readFileSync(join(folder, file!), 'utf8')).toContain('bearer-token-1');
  });

  test.each([
    ['a day less than it lives', 12.9 * dayMs, 1],
    ['almost as old as it gets', 13 * dayMs, 2],
    ['from the future: the clock was set back', -1, 2],
  ])('is %s', async (_name, ageMs, expected) => {
    let nowMs = 1_700_000_000_000;
    const { open, logins } = await start({ nowMs: () => nowMs });
    await open().webhooks.list('ALTD');
    nowMs += ageMs;
    await open().webhooks.list('ALTD');
    expect(logins()).toBe(expected);
  });

  test('is renewed once when it is refused, for all who were refused', async () => {
    const { provider, open, api, logins } = await start();
    await api.webhooks.list('ALTD');
    provider.tokens.valid.clear();
    await Promise.all([api.webhooks.list('ALTD'), api.inventory.account('ALTD'), api.inventory.dataCenters('ALTD')]);
    expect(logins()).toBe(2);
    await open().webhooks.list('ALTD');
    expect(logins()).toBe(2);
  });

  test('is not asked for on and on where every one is refused', async () => {
    const { provider, api, logins } = await start();
    provider.fail({ do: 'answer', status: 401, on: 'GET', times: 100 });
    expect(await fails(api.webhooks.list('ALTD'))).toMatchObject({ code: 'CREDENTIALS_REFUSED', retryHelps: false });
    expect(logins()).toBe(2);
  });

  test.each([
    ['damaged', (file: string) => writeFileSync(file, '{"token":')],
    ['readable by others', (file: string) => chmodSync(file, 0o644)],
    ['empty', (file: string) => writeFileSync(file, '')],
  ])('is asked for anew where its file is %s, and kept safely again', async (_name, spoil) => {
    const { folder, open, logins } = await start();
    await open().webhooks.list('ALTD');
    const file = join(folder, readdirSync(folder)[0]!);
    spoil(file);
    await open().webhooks.list('ALTD');
    await open().webhooks.list('ALTD');
    expect(logins()).toBe(2);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('of another user is another one', async () => {
    const { open, folder, logins } = await start();
    await open().webhooks.list('ALTD');
    expect(await fails(open({ username: 'other' }).webhooks.list('ALTD'))).toMatchObject({
      code: 'CREDENTIALS_REFUSED',
    });
    expect(logins()).toBe(2);
    expect(readdirSync(folder)).toHaveLength(1);
  });
});

test('a refused password is asked about once, so that nobody is locked out, and is shown nowhere', async () => {
  const { open, logins } = await start();
  const api = open({ password: 'wrong-horse' });
  const first = await fails(api.webhooks.list('ALTD'));
  const second = await fails(api.inventory.account('ALTD'));
  expect([first, second]).toMatchObject([{ code: 'CREDENTIALS_REFUSED' }, { code: 'CREDENTIALS_REFUSED' }]);
  expect(first.message).toContain("We didn't recognize");
  expect(logins()).toBe(1);
  expect(inspect([first, second, api], { depth: 9, showHidden: true })).not.toContain('wrong-horse');
});

test('a login that was lost on its way is tried again', async () => {
  const { provider, api } = await start();
  provider.fail({ do: 'lose' }, { do: 'answer', status: 503 });
  expect(await api.webhooks.list('ALTD')).toHaveLength(10);
});

describe('webhooks', () => {
  test('what is set, added, removed and cleared is what is listed', async () => {
    const { api } = await start();
    const { webhooks } = api;
    const created = async () => (await webhooks.list('ALTD')).find(({ name }) => name === 'Account.Created');
    expect(await created()).toEqual({ name: 'Account.Created', configuration: undefined });
    await webhooks.set('ALTD', 'Account.Created', { recursive: true, targetUris: ['https://other/', hook] });
    await webhooks.addTarget('ALTD', 'Account.Created', 'https://third/?a=b&c=d');
    await webhooks.removeTarget('ALTD', 'Account.Created', hook);
    expect(await created()).toEqual({
      name: 'Account.Created',
      configuration: { recursive: true, targetUris: ['https://other/', 'https://third/?a=b&c=d'] },
    });
    await webhooks.clear('ALTD', 'Account.Created');
    expect(await created()).toEqual({ name: 'Account.Created', configuration: undefined });
  });

  test('a target is added once: where it is uncertain whether it was, the caller is told', async () => {
    const { provider, api } = await start();
    provider.fail({ do: 'lose', on: 'POST /v2/webhooks' });
    const error = await fails(api.webhooks.addTarget('ALTD', 'Server.Created', hook));
    expect(error).toMatchObject({ code: 'UNREACHABLE', notDone: false });
    expect(provider.cloud.get('ALTD')!.webhooks.get('Server.Created')!.targetUris).toEqual([hook]);
  });

  test('the URL that is registered is in no error', async () => {
    const { provider, api } = await start();
    const text = JSON.stringify({ message: `targetUri ${hook} is not reachable` });
    provider.fail({ do: 'answer', status: 400, on: 'POST /v2/webhooks', text });
    const error = await fails(api.webhooks.addTarget('ALTD', 'Server.Created', hook));
    expect(error.message).toContain('targetUri … is not reachable');
    expect(inspect(error, { depth: 9 })).not.toContain('a-token-that-nobody-may-see');
  });

  test('an answer of another shape is told by the field', async () => {
    const { provider, api } = await start();
    const text = JSON.stringify({ items: [{ name: 1 }] });
    provider.fail({ do: 'answer', status: 200, on: 'GET /v2/webhooks', text });
    const error = await fails(api.webhooks.list('ALTD'));
    expect(error).toMatchObject({ code: 'ANSWER_INVALID' });
    expect(error.message).toMatch(/items.*name/);
  });
});

describe('inventory', () => {
  test('data centers lead to groups, these to servers, as recorded', async () => {
    const { api, provider } = await start();
    const { inventory } = api;
    const dataCenters = await inventory.dataCenters('ALTD');
    expect(dataCenters.map(({ id }) => id)).toContain('de1');
    const root = await inventory.rootGroup('ALTD', 'de1');
    const found = await inventory.group('ALTD', root!);
    const [group] = found!.value.groups;
    expect(group).toMatchObject({ name: 'Default Group', locationId: 'DE1' });
    expect(group!.groups).toHaveLength(11);
    const model = provider.cloud.get('ALTD')!.servers.get('de1altdweb582')!;
    const server = await inventory.server('ALTD', 'DE1ALTDWEB582');
    expect(server!.value).toMatchObject({ id: 'de1altdweb582', os: model.os, details: model.details });
    expect(JSON.parse(server!.raw.toString())).toEqual(model);
    expect((await inventory.account('ALTD'))!.value).toMatchObject({ accountAlias: 'ALTD', parentAlias: 'T3N' });
  });

  test('only the answer 404 says that there is none', async () => {
    const { provider, api } = await start();
    expect(await api.inventory.server('ALTD', 'gone')).toBeUndefined();
    expect(await api.inventory.account('NONE')).toBeUndefined();
    expect(await api.inventory.group('ALTD', 'gone')).toBeUndefined();
    expect(await api.inventory.rootGroup('ALTD', 'XX9')).toBeUndefined();
    for (const fault of [{ do: 'answer', status: 500 }, { do: 'answer', status: 403 }, { do: 'reset' }] as const) {
      provider.fail({ ...fault, on: 'GET /v2/servers', times: 4 });
      await fails(api.inventory.server('ALTD', 'de1altdweb582'));
    }
  });
});
