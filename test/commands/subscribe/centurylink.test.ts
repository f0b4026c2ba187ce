import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import type { TenantConfig } from '../../../services/config.ts';
import { hashToken } from '../../../services/config.ts';
import { type CenturylinkStandIn, startCenturylink } from '../../provider-api/centurylink.ts';
import { createRun, endpoint, publicUrl, tenant, tokenOf, url } from './fixture.ts';

const clc = ['clc', '--account', 'altd'];
const other = 'https://other.example.com/hook?key=their-secret';

async function start() {
  const provider = await startCenturylink();
  const { folder, run } = createRun({
    HOOKWATCH_CLC_URL: provider.url,
    HOOKWATCH_CLC_USERNAME: provider.username,
    HOOKWATCH_CLC_PASSWORD: provider.password,
  });
  const { webhooks } = provider.cloud.get('ALTD')!;
  const tokensFile = (names: string[]) => {
    const file = join(folder, 'tokens');
    writeFileSync(file, names.map((name) => `${name} ${tokenOf(name)}`).join('\n'));
    return ['--tokens', file];
  };
  outputs.length = 0;
  const recorded: typeof run = async (...args) => {
    const result = await run(...args);
    outputs.push(result.out);
    return result;
  };
  onTestFinished(() => {
    for (const bearer of provider.tokens.valid) expect(outputs.join()).not.toContain(bearer);
  });
  return { provider, webhooks, folder, run: recorded, tokensFile };
}

const outputs: string[] = [];

/** Whatever a test does: nothing that was printed holds a token, a password, or what others have in their URLs. */
afterEach(() => {
  expect(outputs.join()).not.toMatch(/token-of-|0123456789|correct-horse|their-secret|Bearer/);
});

const writes = ({ calls }: CenturylinkStandIn) => calls().filter((call) => !/^GET|login$/.test(call));
const one: TenantConfig[] = [tenant([endpoint('created')])];

describe('what differs is changed', () => {
  test('a new endpoint is registered, with `recursive`; the second time there is nothing to do', async () => {
    const { provider, webhooks, run, tokensFile } = await start();
    const { code, out } = await run([...clc, '--yes', ...tokensFile(['created'])], one);
    expect(out).toContain('recursive unset → true');
    expect(out).toContain('(northwind/created)');
    expect(code).toBe(0);
    expect(webhooks.get('Server.Created')).toEqual({ recursive: true, targetUris: [url('created')] });
    const before = writes(provider).length;
    const again = await run([...clc, '--yes'], one);
    expect(again).toMatchObject({ code: 0, out: expect.stringContaining('Nothing to do.') });
    expect(writes(provider)).toHaveLength(before);
  });

  test('all ten events', async () => {
    const { webhooks, run, tokensFile } = await start();
    const { centurylinkEvents } = await import('../../../services/core/providers/centurylink/event-names.ts');
    const nameOf = (event: string) => event.toLowerCase().replace('.', '-');
    const endpoints = centurylinkEvents.map((event) => endpoint(nameOf(event), { event, recursive: false }));
    const { code } = await run(
      [...clc, '--yes', ...tokensFile(endpoints.map(({ name }) => name))],
      [tenant(endpoints)],
    );
    expect(code).toBe(0);
    for (const { name, event } of endpoints) {
      expect(webhooks.get(event)).toEqual({ recursive: false, targetUris: [url(name)] });
    }
  });

  test('what leads here and should not is removed, whatever it is', async () => {
    const { webhooks, run, tokensFile } = await start();
    const endpoints = [endpoint('created'), endpoint('deleted', { event: 'Server.Deleted' })];
    const stranger = `${publicUrl}/in/a-token-of-nobody-0123456789`;
    webhooks.set('Server.Created', { recursive: true, targetUris: [url('created'), url('deleted'), stranger] });
    webhooks.set('User.Updated', { recursive: true, targetUris: [url('created')] });
    const { code, out } = await run([...clc, '--yes', ...tokensFile(['deleted'])], [tenant(endpoints)]);
    expect(out).toContain('of northwind/deleted, which is for Server.Deleted of ALTD');
    expect(out).toContain('no endpoint has this token');
    expect(code).toBe(0);
    expect(Object.fromEntries(webhooks)).toEqual({
      'Server.Created': { recursive: true, targetUris: [url('created')] },
      'Server.Deleted': { recursive: true, targetUris: [url('deleted')] },
      'User.Updated': { recursive: true, targetUris: [] },
    });
  });

  test('another tenant’s endpoint of the same account and event stays', async () => {
    const { webhooks, run } = await start();
    const two = [tenant([endpoint('a')], 'one'), tenant([endpoint('b')], 'two')];
    webhooks.set('Server.Created', { recursive: true, targetUris: [url('a'), url('b')] });
    expect(await run([...clc, '--yes'], two)).toMatchObject({ code: 0, out: expect.stringContaining('Nothing to do') });
  });

  test('a rotated token: the new one is added before the old one, which ends, is removed', async () => {
    const { provider, webhooks, run, folder } = await start();
    const nowMs = 1_700_000_000_000;
    webhooks.set('Server.Created', { recursive: true, targetUris: [url('old')] });
    const otherTokens = [{ sha256: hashToken(tokenOf('old')), endsAtMs: nowMs + 3_600_000 }];
    const rotated = [tenant([endpoint('created', { otherTokens })])];
    const unknown = await run([...clc, '--yes'], rotated, { nowMs: () => nowMs });
    expect(unknown).toMatchObject({ code: 1, out: expect.stringContaining('token of northwind/created is not known') });
    expect(webhooks.get('Server.Created')!.targetUris).toEqual([url('old')]);
    const printed = { action: 'rotate', tenant: 'northwind', name: 'created', token: tokenOf('created') };
    writeFileSync(join(folder, 'printed'), `${JSON.stringify(printed)}\n`);
    const done = await run([...clc, '--yes', '--tokens', join(folder, 'printed')], rotated, { nowMs: () => nowMs });
    expect(done.code).toBe(0);
    expect(webhooks.get('Server.Created')!.targetUris).toEqual([url('created')]);
    expect(writes(provider).map((call) => call.split(' ')[0])).toEqual(['POST', 'DELETE']);
  });

  test('a public URL that has changed: tokens are taken from what the provider shows', async () => {
    const { webhooks, run } = await start();
    webhooks.set('Server.Created', { recursive: true, targetUris: [url('created', 'https://old.example.com')] });
    const { code, out } = await run([...clc, '--yes'], one);
    expect(out).toContain('at an address that is not the public one');
    expect(code).toBe(0);
    expect(webhooks.get('Server.Created')!.targetUris).toEqual([url('created')]);
  });

  test('an endpoint that is called twice is called once', async () => {
    const { webhooks, run } = await start();
    const second = [tenant([endpoint('created', { otherTokens: [{ sha256: hashToken(tokenOf('second')) }] })])];
    webhooks.set('Server.Created', { recursive: true, targetUris: [url('second'), url('created'), url('second')] });
    expect((await run([...clc, '--yes'], second)).code).toBe(0);
    expect(webhooks.get('Server.Created')!.targetUris).toEqual([url('second'), url('second')]);
  });
});

describe('what is not ours', () => {
  test('stays, also where all is set anew', async () => {
    const { webhooks, run, tokensFile } = await start();
    webhooks.set('Server.Created', { recursive: true, targetUris: [other, 'not a url'] });
    expect((await run([...clc, '--yes', ...tokensFile(['created'])], one)).code).toBe(0);
    expect(webhooks.get('Server.Created')!.targetUris).toEqual([other, 'not a url', url('created')]);
  });

  test('is called for sub-accounts only if somebody says so', async () => {
    const { provider, webhooks, run, tokensFile } = await start();
    webhooks.set('Server.Created', { recursive: false, targetUris: [other] });
    const refused = await run([...clc, '--yes', ...tokensFile(['created'])], one);
    expect(refused).toMatchObject({ code: 1, out: expect.stringContaining('--set-recursive changes it for all') });
    expect(writes(provider)).toEqual([]);
    const done = await run([...clc, '--yes', '--set-recursive', ...tokensFile(['created'])], one);
    expect(done.code).toBe(0);
    expect(webhooks.get('Server.Created')).toEqual({ recursive: true, targetUris: [other, url('created')] });
  });

  test('goes with --replace', async () => {
    const { webhooks, run, tokensFile } = await start();
    webhooks.set('Server.Created', { recursive: false, targetUris: [other] });
    webhooks.set('User.Created', { recursive: true, targetUris: [other] });
    expect((await run([...clc, '--yes', '--replace', ...tokensFile(['created'])], one)).code).toBe(0);
    expect(webhooks.get('Server.Created')).toEqual({ recursive: true, targetUris: [url('created')] });
    expect(webhooks.get('User.Created')!.targetUris).toEqual([]);
  });

  test('the sample listener’s URLs stay', async () => {
    const { webhooks, run } = await start();
    const sample = `${publicUrl}/webhook/server?token=${tokenOf('sample')}`;
    webhooks.set('Server.Created', { recursive: true, targetUris: [url('created'), sample] });
    expect(await run([...clc, '--yes'], one)).toMatchObject({ code: 0, out: expect.stringContaining('Nothing to do') });
  });
});

describe('before anything is changed', () => {
  test('--dry-run shows it, and nothing is changed', async () => {
    const { provider, run, tokensFile } = await start();
    const { code, out } = await run([...clc, '--dry-run', ...tokensFile(['created'])], one);
    expect(code).toBe(0);
    expect(out).toMatch(/Server\.Created +recursive unset → true\n {4}\+ https:\/\/hooks\.example\.com\/in\/… #\w{8} /);
    expect(writes(provider)).toEqual([]);
  });

  test('a person is asked, and whoever is not there has to say --yes', async () => {
    const { provider, webhooks, run, tokensFile } = await start();
    const tokens = tokensFile(['created']);
    const nobody = await run([...clc, ...tokens], one);
    expect(nobody).toMatchObject({ code: 2, out: expect.stringContaining('--yes does it') });
    for (const answer of ['', 'n', 'no', 'x']) {
      expect((await run([...clc, ...tokens], one, { ask: async () => answer })).code).toBe(1);
    }
    expect(writes(provider)).toEqual([]);
    const questions: string[] = [];
    const ask = async (question: string) => {
      questions.push(question);
      return ' Yes ';
    };
    expect((await run([...clc, ...tokens], one, { ask })).code).toBe(0);
    expect(questions).toEqual(['Change 1 of 10 events of account ALTD? [y/N] ']);
    expect(webhooks.get('Server.Created')!.targetUris).toHaveLength(1);
  });

  test('what has changed since it was shown is looked at again', async () => {
    const { provider, webhooks, run, tokensFile } = await start();
    const ask = async () => {
      webhooks.set('Server.Created', { recursive: true, targetUris: [other] });
      return 'y';
    };
    const { code, out } = await run([...clc, ...tokensFile(['created'])], one, { ask });
    expect(code).toBe(1);
    expect(out).toContain('have changed since they were shown');
    expect(writes(provider)).toEqual([]);
  });

  test('two endpoints of an event have one `recursive`', async () => {
    const { provider, run, tokensFile } = await start();
    const two = [tenant([endpoint('a'), endpoint('b', { recursive: false })])];
    const { code, out } = await run([...clc, '--yes', ...tokensFile(['a', 'b'])], two);
    expect(code).toBe(1);
    expect(out).toContain('northwind/a and northwind/b differ in `recursive`');
    expect(writes(provider)).toEqual([]);
  });

  test.each([
    ['a token that is another one’s', 'created token-of-deleted-0123456789', 'that is not the token of created'],
    ['an endpoint that is not there', 'nobody token-of-created-0123456789', 'there is no endpoint nobody'],
    ['a line of one word', 'token-of-created-0123456789', 'it must be <endpoint> <token or URL>'],
    ['JSON of something else', '{"token":"token-of-created-0123456789"}', 'it must be a JSON object with tenant'],
    ['half of a JSON text', '{"token":"token-of-created-0123456789', 'it must be a JSON object with tenant'],
  ])('%s is refused without being quoted', async (_name, line, problem) => {
    const { provider, run, folder } = await start();
    writeFileSync(join(folder, 'tokens'), `# kept\n\n${line}\n`);
    const two = [tenant([endpoint('created'), endpoint('deleted', { event: 'Server.Deleted' })])];
    const { code, out } = await run([...clc, '--yes', '--tokens', join(folder, 'tokens')], two);
    expect(code).toBe(2);
    expect(out).toContain(problem);
    expect(out).toContain('line 3');
    expect(provider.asked).toEqual([]);
  });

  test.each([
    [['clc'], 'give --account ALIAS'],
    [['clc', '--account', '../x'], 'is no account alias'],
    [['clc', '--account', 'ELSE'], 'no endpoint is for account ELSE; there are some for ALTD'],
    [[...clc, '--tokens', '/nowhere/tokens'], 'Cannot read /nowhere/tokens'],
    [[...clc, '--recursive'], '--recursive'],
    [['aws'], 'it must be one of clc, citrix and backup'],
    [[], 'it must be one of clc, citrix and backup'],
  ])('wrong usage is told: %j', async (args, problem) => {
    const { provider, run } = await start();
    const { code, out } = await run(args, one);
    expect(code).toBe(2);
    expect(out).toContain(problem);
    expect(provider.asked).toEqual([]);
  });
});

describe('tokens', () => {
  test('come from a tokenFile, a demo’s token, a URL, and a folder of files', async () => {
    const { webhooks, run, folder } = await start();
    const endpoints = [
      endpoint('file', { tokenFile: 'file.token' }),
      endpoint('demo', { event: 'Server.Updated', token: tokenOf('demo') }),
      endpoint('folder', { event: 'Server.Deleted' }),
    ];
    writeFileSync(join(folder, 'file.token'), `${tokenOf('file')}\n`);
    mkdirSync(join(folder, 'tokens'));
    writeFileSync(join(folder, 'tokens', 'folder'), url('folder'));
    writeFileSync(join(folder, 'tokens', 'README'), 'of nobody');
    const { code } = await run([...clc, '--yes', '--tokens', join(folder, 'tokens')], [tenant(endpoints)]);
    expect(code).toBe(0);
    expect([...webhooks.values()].flatMap(({ targetUris }) => targetUris).sort()).toEqual(
      [url('file'), url('demo'), url('folder')].sort(),
    );
  });

  test('what is known is done although something else is not', async () => {
    const { webhooks, run, tokensFile } = await start();
    const two = [tenant([endpoint('created'), endpoint('deleted', { event: 'Server.Deleted' })])];
    const { code, out } = await run([...clc, '--yes', ...tokensFile(['created'])], two);
    expect(code).toBe(1);
    expect(out).toContain('the token of northwind/deleted is not known: give it by --tokens');
    expect([...webhooks.keys()]).toEqual(['Server.Created']);
  });
});

describe('a provider in trouble', () => {
  test('a lost answer: the next run goes on from what the provider shows', async () => {
    const { provider, webhooks, run, tokensFile } = await start();
    webhooks.set('Server.Created', { recursive: true, targetUris: [] });
    provider.fail({ do: 'lose', on: 'POST /v2/webhooks' });
    const first = await run([...clc, '--yes', ...tokensFile(['created'])], one);
    expect(first).toMatchObject({ code: 1, out: expect.stringContaining('no answer') });
    const second = await run([...clc, '--yes'], one);
    expect(second).toMatchObject({ code: 0, out: expect.stringContaining('Nothing to do') });
    expect(webhooks.get('Server.Created')!.targetUris).toEqual([url('created')]);
  });

  test('one that takes a change and does not make it', async () => {
    const { provider, run, tokensFile } = await start();
    provider.fail({ do: 'answer', status: 204, on: 'PUT' });
    const { code, out } = await run([...clc, '--yes', ...tokensFile(['created'])], one);
    expect(code).toBe(1);
    expect(out).toContain('The provider does not show what it was asked for');
  });

  test.each([
    [{ do: 'answer', status: 403, text: '{"message":"no admin"}' }, 'it answered 403: no admin'],
    [{ do: 'answer', status: 302, headers: { location: 'https://elsewhere' } }, 'leads elsewhere'],
    [{ do: 'answer', status: 200, text: '<html>' }, 'not in JSON'],
    [{ do: 'answer', status: 200, text: '[]' }, 'not as documented'],
  ] as const)('is told: %j', async (fault, told) => {
    const { provider, run } = await start();
    provider.fail({ ...fault, on: 'GET /v2/webhooks', times: 9 });
    const { code, out } = await run([...clc, '--yes'], one);
    expect(code).toBe(1);
    expect(out).toContain(told);
  });
});

test('--json is one object without secrets', async () => {
  const { webhooks, run, tokensFile } = await start();
  webhooks.set('Server.Created', { recursive: true, targetUris: [other] });
  const { code, out } = await run([...clc, '--yes', '--json', ...tokensFile(['created'])], one);
  expect(code).toBe(0);
  const report = JSON.parse(out);
  expect(report).toMatchObject({ account: 'ALTD', applied: true, complete: true });
  expect(report.events.find(({ event }: { event: string }) => event === 'Server.Created')).toMatchObject({
    recursive: { before: true, after: true },
    targets: [
      { action: 'keep', why: 'not ours: kept', target: expect.stringMatching(/^https:\/\/other\.example\.com\/… #/) },
      { action: 'keep', why: 'northwind/created' },
    ],
  });
});
