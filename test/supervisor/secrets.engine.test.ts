import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type Installation, startInstallation, temporaryFolder } from './installation.ts';

const secrets = {
  current: 'Basic Y3VycmVudC1zZWNyZXQtb2YtY2l0cml4',
  next: 'Bearer next-secret-of-citrix-0123456789',
  mac: `whsec_${Buffer.from('a secret that signs, of 24 bytes').toString('base64')}`,
};
/** What somebody sent who no longer had the right one. */
const retired = 'Basic cmV0aXJlZC1zZWNyZXQtb2YtY2l0cml4';
const tokens = { citrix: 'token-of-the-citrix-endpoint', sample: 'token-of-the-sample-listener' };
const hidden = [
  ...Object.values(secrets).map((secret) => secret.split(/[ _]/)[1]!),
  retired.split(' ')[1]!,
  ...Object.values(tokens),
];
/** Stands in every body: who does not find it has not searched. */
const marker = 'marker-of-a-body-that-must-be-found';

function configure(): { file: string } {
  const folder = temporaryFolder();
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'secrets'));
  for (const [name, secret] of Object.entries(secrets)) writeFileSync(join(folder, 'secrets', name), `${secret}\n`);
  for (const [name, token] of Object.entries(tokens)) writeFileSync(join(folder, 'secrets', `token-${name}`), token);
  const file = join(folder, 'hookwatch.yaml');
  const endpoints = [
    '{ name: citrix, provider: citrix, account: acme, tokenFile: secrets/token-citrix, secrets: [{ id: current, file: secrets/current }, { id: next, file: secrets/next }] }',
    '{ name: generic, provider: standard-webhooks, account: acme, token: demo-generic, secrets: [{ id: mac, file: secrets/mac }] }',
    '{ name: sample, provider: centurylink, event: User, account: NWND, path: sample, tokenFile: secrets/token-sample }',
  ];
  writeFileSync(
    file,
    `tenants: [{ name: northwind, demo: true, roots: [centurylink:NWND], endpoints: [${endpoints.join(', ')}] }]`,
  );
  return { file };
}

/** All rows of all tables and views, as an analyst gets them. */
async function everyRow({ urls, dataFolder }: Installation): Promise<string> {
  const password = readFileSync(join(dataFolder, 'secrets', 'analyst.password'), 'utf8').trim();
  const authorization = `Basic ${Buffer.from(`analyst:${password}`).toString('base64')}`;
  const ask = async (query: string) => {
    const answer = await fetch(`${urls.clickhouse}/?query=${encodeURIComponent(query)}`, {
      headers: { authorization },
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${query}: ${text}`);
    return text;
  };
  const tables = (await ask('SHOW TABLES FROM hookwatch FORMAT TSV')).split('\n').filter(Boolean);
  return (
    await Promise.all(tables.map((table) => ask(`SELECT * FROM hookwatch.\`${table}\` FORMAT JSONEachRow`)))
  ).join('\n');
}

/** The bytes of all files, as one text of a character each. */
function everyByte(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1')).join('\n');
}

test('a configured secret and a token are found nowhere: files, tables, logs, answers', async () => {
  const installation = await startInstallation({
    env: { HOOKWATCH_CONFIG: configure().file, HOOKWATCH_LOG_LEVEL: 'trace' },
  });
  onTestFinished(installation.dispose);
  const { urls } = installation;
  const answers: string[] = [];
  const ask = async (url: string, init?: RequestInit) => {
    const answer = await fetch(url, init);
    answers.push(JSON.stringify([...answer.headers]), await answer.text());
    return answer.status;
  };
  const body = JSON.stringify({ CustomerId: 'acme', Type: 'Other', ChangeType: 'Create', Identity: marker });
  const post = (path: string, headers: Record<string, string>) =>
    ask(`${urls.edge}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });

  const citrix = `/in/${tokens.citrix}`;
  expect(await post(citrix, { authorization: secrets.current })).toBe(202);
  expect(await post(citrix, { authorization: secrets.next })).toBe(202);
  expect(await post(citrix, { authorization: retired })).toBe(401);
  expect(await post(citrix, { authorization: `${secrets.current}x` })).toBe(401);
  expect(await post('/in/demo-generic', { authorization: secrets.mac })).toBe(401);
  expect(await post(`/webhook/user?token=${tokens.sample}`, {})).toBe(401);
  expect(await post('/webhook/user', { authorization: `Bearer ${tokens.sample}` })).toBe(401);
  const paths = ['/metrics', '/readyz', '/healthz', '/endpoints', '/lanes'];
  for (const url of [urls.edge, urls.console, installation.url('edge')!]) {
    for (const path of paths) await ask(`${url}${path}`);
  }

  const stored = await vi.waitFor(
    async () => {
      const rows = await everyRow(installation);
      expect(rows.match(/"verdict_reason":"(secret|signature) m\w+"/g)?.length).toBeGreaterThanOrEqual(5);
      expect(rows).toContain('citrix.other.create');
      return rows;
    },
    { timeout: 30_000, interval: 200 },
  );
  installation.process.kill('SIGTERM');
  await installation.ended;

  const places = {
    tables: stored,
    files: everyByte(installation.dataFolder),
    logs: installation.output(),
    answers: answers.join('\n'),
  };
  expect(places.tables).toContain(marker);
  expect(places.files).toContain(marker);
  expect(places.logs).toContain('Deliveries are taken in');
  expect(places.answers).toContain('secret mismatch');
  const found = Object.entries(places).flatMap(([place, text]) =>
    hidden.filter((secret) => text.includes(secret)).map((secret) => `${secret} in ${place}`),
  );
  expect(found).toEqual([]);
});
