/** The commands as people run them: processes, with settings from the environment and tokens from a pipe. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hashToken } from '../../../services/config.ts';
import { newAccount, startCenturylink } from '../../provider-api/centurylink.ts';
import { publicUrl, temporaryFolder, tokenOf, url } from './fixture.ts';

/** Each test starts processes, one after the other. */
const timeout = 60_000;

const program = new URL('../../../services/hookwatch.ts', import.meta.url).pathname;

async function start() {
  const provider = await startCenturylink(new Map([['NWND', newAccount('NWND')]]));
  const folder = temporaryFolder();
  const sha256 = hashToken(tokenOf('created'));
  const endpoint = `{ name: created, provider: centurylink, event: Server.Created, account: NWND, tokenSha256: ${sha256} }`;
  const tenant = `{ name: northwind, roots: [centurylink:NWND], endpoints: [${endpoint}] }`;
  writeFileSync(join(folder, 'hookwatch.yaml'), `tenants: [${tenant}]`);
  writeFileSync(join(folder, 'password'), `${provider.password}\n`, { mode: 0o600 });
  const env = {
    ...process.env,
    HOOKWATCH_CONFIG: join(folder, 'hookwatch.yaml'),
    HOOKWATCH_DATA: join(folder, 'data'),
    HOOKWATCH_LOG_LEVEL: 'trace',
    HOOKWATCH_PUBLIC_URL: publicUrl,
    HOOKWATCH_CLC_URL: provider.url,
    HOOKWATCH_CLC_USERNAME: provider.username,
    HOOKWATCH_CLC_PASSWORD_FILE: join(folder, 'password'),
  };
  async function run(args: string[], input = '', more: Record<string, string> = {}) {
    const child = spawn(process.execPath, [program, ...args], { env: { ...env, ...more } });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
    child.stdin.end(input);
    const [code] = await once(child, 'close');
    expect(text).not.toMatch(/token-of-|correct-horse|bearer-token/);
    return { code, text };
  }
  return { provider, folder, run };
}

test('subscribe reads tokens from a pipe, keeps its bearer token for the next time, and shows no secret', {
  timeout,
}, async () => {
  const { provider, folder, run } = await start();
  const clc = ['subscribe', 'clc', '--account', 'nwnd', '--yes'];
  const printed = { action: 'add', tenant: 'northwind', name: 'created', token: tokenOf('created') };
  const first = await run([...clc, '--tokens', '-'], `${JSON.stringify(printed)}\n`);
  expect(first).toMatchObject({ code: 0, text: expect.stringContaining('Done: 1 events changed') });
  expect(provider.cloud.get('NWND')!.webhooks.get('Server.Created')!.targetUris).toEqual([url('created')]);
  expect(await run(clc)).toMatchObject({ code: 0, text: expect.stringContaining('Nothing to do.') });
  expect(provider.tokens.given).toBe(1);
  const secrets = join(folder, 'data', 'secrets');
  const [file] = readdirSync(secrets);
  expect(readFileSync(join(secrets, file!), 'utf8')).toContain('bearer-token-1');
  expect(statSync(join(secrets, file!)).mode & 0o077).toBe(0);
});

test('exit codes: 1 where the provider refuses, 2 where it was called wrongly; nothing is thrown at people', {
  timeout,
}, async () => {
  const { run, folder } = await start();
  writeFileSync(join(folder, 'password'), 'wrong-horse');
  const refused = await run(['subscribe', 'clc', '--account', 'NWND', '--yes']);
  expect(refused).toMatchObject({ code: 1, text: expect.stringContaining("We didn't recognize") });
  const wrong = [
    [['subscribe', 'clc'], 'give --account ALIAS'],
    [['doctor', '--frobnicate'], "Unknown option '--frobnicate'"],
  ] as const;
  for (const [args, problem] of wrong) {
    expect(await run([...args])).toMatchObject({ code: 2, text: expect.stringContaining(problem) });
  }
  expect(refused.text).not.toMatch(/wrong-horse|\n {4}at /);
});

test('doctor tells what is missing before the first start, and makes nothing', { timeout }, async () => {
  const { provider, folder, run } = await start();
  const { code, text } = await run(['doctor', '--json', '--port-offset', '49000'], '', { HOOKWATCH_PUBLIC_URL: '' });
  const { findings } = JSON.parse(text) as { findings: { check: string; status: string; what: string }[] };
  const of = (check: string) => findings.filter((finding) => finding.check === check);
  expect(code).toBe(1);
  expect(of('edges')).toMatchObject([{ status: 'fail', what: expect.stringContaining('ECONNREFUSED') }]);
  expect(of('disk')).toMatchObject([{ status: 'fail', what: expect.stringContaining('ENOENT') }]);
  expect(of('deliveries')).toMatchObject([{ status: 'warn', what: 'Hookwatch was never started here' }]);
  expect(of('signatures')).toMatchObject([{ status: 'ok' }]);
  expect(readdirSync(folder).sort()).toEqual(['hookwatch.yaml', 'password']);
  expect(provider.calls()).toEqual(['HEAD /v2']);
});

test.each(['subscribe', 'doctor'])('%s --help says what it takes', { timeout }, async (command) => {
  const { run, provider } = await start();
  const { code, text } = await run([command, '--help']);
  expect(code).toBe(0);
  expect(text).toMatch(new RegExp(`^Usage: npm run hookwatch -- ${command}[^]*Exit code`));
  expect(provider.calls()).toEqual([]);
});
