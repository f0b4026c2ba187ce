import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startCenturylink } from '../provider-api/centurylink.ts';
import { type Installation, startInstallation, temporaryFolder } from './installation.ts';

async function startComparing(): Promise<Installation> {
  const folder = temporaryFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'hookwatch.yaml');
  writeFileSync(config, 'tenants: [{ name: northwind, roots: ["centurylink:ALTD"] }]\n');
  const cloud = await startCenturylink();
  const installation = await startInstallation({
    env: {
      HOOKWATCH_CONFIG: config,
      HOOKWATCH_RECONCILE_PORT: '0',
      HOOKWATCH_CLC_URL: cloud.url,
      HOOKWATCH_CLC_USERNAME: cloud.username,
      HOOKWATCH_CLC_PASSWORD: cloud.password,
    },
  });
  onTestFinished(installation.dispose);
  return installation;
}

async function controlsIn({ urls, dataFolder }: Installation): Promise<string> {
  const password = readFileSync(join(dataFolder, 'secrets', 'analyst.password'), 'utf8').trim();
  const authorization = `Basic ${Buffer.from(`analyst:${password}`).toString('base64')}`;
  const query = "SELECT remark FROM hookwatch.control WHERE kind = 'reconciliation' FORMAT TSV";
  const answer = await fetch(`${urls.clickhouse}/?query=${encodeURIComponent(query)}`, { headers: { authorization } });
  return answer.text();
}

test('whoever gives a user of the API is compared daily, and waits for no comparison at the end', async () => {
  const installation = await startComparing();
  const url = installation.url('reconcile')!;
  // It has begun, and the lane has taken it; it was not before the lane could be asked.
  await expect.poll(() => controlsIn(installation), { timeout: 20_000 }).toBe('\n');
  const calls = async () => (await (await fetch(`${url}/metrics`)).text()).match(/calls_total\{.*outcome="ok"/g);
  await expect.poll(async () => (await calls())?.length ?? 0, { timeout: 15_000 }).toBeGreaterThan(3);
  installation.process.kill('SIGTERM');
  expect(await installation.ended).toBe(0);
  expect(installation.log().filter(({ msg }) => /killed|died/.test(msg))).toEqual([]);
});
