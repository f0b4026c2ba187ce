import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { ConfigError, loadConfig, settingNames } from '../services/config.ts';
import { parseProviderSettings, providerSettingNames } from '../services/provider-settings.ts';

function load(variables: Record<string, string>) {
  const parsed = parseProviderSettings(variables);
  if (!parsed.ok) throw new Error(parsed.error.issues.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  return parsed.providerApis;
}

function fileWith(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-settings-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'secret'), text);
  return join(folder, 'secret');
}

test('unset, the providers’ own addresses are called, and nobody can log in', () => {
  const { publicUrl, centurylink, citrix } = load({});
  expect(publicUrl).toBeUndefined();
  expect(centurylink.baseUrl).toBe('https://api.ctl.io/v2');
  expect(citrix.baseUrl).toBe('https://webhooks.citrixworkspacesapi.net');
  expect(() => centurylink.credentials()).toThrow(/give HOOKWATCH_CLC_USERNAME and HOOKWATCH_CLC_PASSWORD_FILE/);
  expect(() => citrix.credentials()).toThrow(/HOOKWATCH_CITRIX_CLIENT_ID and .* or HOOKWATCH_CITRIX_TOKEN_FILE/);
});

test('secrets are read from files when they are needed, and shown by nothing else', () => {
  const file = fileWith(' first \n');
  const apis = load({
    HOOKWATCH_PUBLIC_URL: 'https://hooks.example.com/',
    HOOKWATCH_CLC_USERNAME: 'operator',
    HOOKWATCH_CLC_PASSWORD_FILE: file,
    HOOKWATCH_CITRIX_TOKEN: 'plain-token',
  });
  expect(apis.publicUrl).toBe('https://hooks.example.com');
  expect(apis.centurylink.credentials()).toEqual({ username: 'operator', password: 'first' });
  writeFileSync(file, 'second');
  expect(apis.centurylink.credentials().password).toBe('second');
  expect(apis.citrix.credentials()).toEqual({ token: 'plain-token' });
  expect(inspect(apis, { depth: 9 }) + JSON.stringify(apis)).not.toMatch(/first|second|plain-token/);
});

test('an API client of Citrix Cloud goes before a token', () => {
  const client = { HOOKWATCH_CITRIX_CLIENT_ID: 'id', HOOKWATCH_CITRIX_CLIENT_SECRET_FILE: fileWith('secret') };
  expect(load({ ...client, HOOKWATCH_CITRIX_TOKEN: 'token' }).citrix.credentials()).toEqual({
    clientId: 'id',
    clientSecret: 'secret',
  });
});

test.each([
  [{ HOOKWATCH_PUBLIC_URL: 'http://hooks.example.com' }, 'HOOKWATCH_PUBLIC_URL: must be https://'],
  [{ HOOKWATCH_CLC_URL: 'http://10.0.0.1/v2' }, 'HOOKWATCH_CLC_URL: must be https://'],
  [{ HOOKWATCH_CLC_URL: 'https://me:pw@api.ctl.io' }, 'HOOKWATCH_CLC_URL: must be https://'],
  [{ HOOKWATCH_CITRIX_URL: 'nowhere' }, 'HOOKWATCH_CITRIX_URL: must be https://'],
  [{ HOOKWATCH_CLC_PASSWORD: 'a', HOOKWATCH_CLC_PASSWORD_FILE: 'b' }, 'stands for HOOKWATCH_CLC_PASSWORD'],
])('what cannot be is told: %o', (variables, problem) => {
  expect(() => load(variables)).toThrow(problem);
});

test('a file that is empty or not there is told when it is needed', () => {
  const user = { HOOKWATCH_CLC_USERNAME: 'operator' };
  const empty = load({ ...user, HOOKWATCH_CLC_PASSWORD_FILE: fileWith('\n') });
  expect(() => empty.centurylink.credentials()).toThrow(/HOOKWATCH_CLC_PASSWORD_FILE\): it is empty/);
  const gone = load({ ...user, HOOKWATCH_CLC_PASSWORD_FILE: '/nowhere/secret' });
  expect(() => gone.centurylink.credentials()).toThrow(ConfigError);
});

test('they are settings like all others', () => {
  expect(settingNames).toEqual(expect.arrayContaining([...providerSettingNames]));
  const HOOKWATCH_CONFIG = new URL('../hookwatch.yaml', import.meta.url).pathname;
  expect(() => loadConfig({ HOOKWATCH_CONFIG, HOOKWATCH_PUBLIC_URL: 'ftp://x' })).toThrow(
    /environment: HOOKWATCH_PUBLIC_URL/,
  );
});
