import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../services/config.ts';
import { analystPasswordFile, prepareSecrets } from '../services/secrets.ts';

function configOf(more: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-secrets-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const HOOKWATCH_CONFIG = new URL('../hookwatch.yaml', import.meta.url).pathname;
  return loadConfig({ HOOKWATCH_DATA: folder, HOOKWATCH_CONFIG, ...more });
}

test('secrets are made once, for their owner alone', () => {
  const config = configOf();
  const first = prepareSecrets(config);
  expect(prepareSecrets(config)).toEqual(first);
  expect(first.sinkPassword).not.toBe(first.analystPassword);
  for (const file of ['secrets/hookwatch.password', 'secrets/analyst.password', 'demo/private.pem']) {
    expect(statSync(join(config.dataFolder, file)).mode & 0o777).toBe(0o600);
  }
  expect(readFileSync(analystPasswordFile(config.dataFolder), 'utf8').trim()).toBe(first.analystPassword);
});

test("the simulator's key pair fits together", () => {
  const config = configOf();
  const { demoKeyPem } = prepareSecrets(config);
  const privateKey = createPrivateKey(readFileSync(join(config.dataFolder, 'demo', 'private.pem')));
  const signature = sign('sha1', Buffer.from('body'), privateKey);
  expect(verify('sha1', Buffer.from('body'), createPublicKey(demoKeyPem!), signature)).toBe(true);
});

test('without a demo tenant there is no such key', () => {
  const config = configOf();
  const tenants = config.tenants.map((tenant) => ({ ...tenant, demo: false }));
  expect(prepareSecrets({ ...config, tenants }).demoKeyPem).toBeUndefined();
});

test("the analyst's password can be chosen", () => {
  expect(prepareSecrets(configOf({ HOOKWATCH_ANALYST_PASSWORD: 'chosen-by-someone' })).analystPassword).toBe(
    'chosen-by-someone',
  );
});
