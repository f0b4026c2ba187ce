import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createRun, endpoint, tenant, tokenOf, url } from './fixture.ts';

const backup = (name: string, account = 'ALTD') => endpoint(name, { provider: 'backup', event: '', account });
const tenants = [tenant([backup('one'), backup('two', 'OTHR'), endpoint('server-created')])];

function start() {
  const { folder, run } = createRun({});
  writeFileSync(join(folder, 'tokens'), `one ${tokenOf('one')}\n`);
  return { run, tokens: ['--tokens', join(folder, 'tokens')] };
}

test('what is pasted where is printed, without tokens', async () => {
  const { run, tokens } = start();
  const { code, out } = await run(['backup', ...tokens], tenants);
  expect(code).toBe(0);
  for (const event of ['Backup Failure', 'Backup Partial Success', 'Missing Backups', 'Backup Success']) {
    expect(out).toContain(event);
  }
  expect(out).toContain('account ALTD (northwind/one)\n    https://hooks.example.com/in/<token of northwind/one>');
  expect(out).not.toMatch(/server-created|token-of/);
});

test('--show-urls prints them whole, and fails for those that are not known', async () => {
  const { run, tokens } = start();
  const all = await run(['backup', '--show-urls', ...tokens], tenants);
  expect(all.out).toContain(url('one'));
  expect(all).toMatchObject({ code: 1, out: expect.stringContaining('/in/<token of northwind/two>') });
  const one = await run(['backup', '--show-urls', '--account', 'altd', '--json', ...tokens], tenants);
  expect(one.code).toBe(0);
  expect(JSON.parse(one.out)).toMatchObject({
    complete: true,
    endpoints: [{ endpoint: 'northwind/one', account: 'ALTD', url: url('one') }],
  });
});

test('where no endpoint is, there is nothing to paste', async () => {
  const { run } = start();
  const { code, out } = await run(['backup', '--account', 'NONE'], tenants);
  expect(code).toBe(2);
  expect(out).toContain('no endpoint is for backup of NONE');
});
