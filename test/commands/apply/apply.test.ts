import { expect, test } from 'vitest';
import { applyCommand } from '../../../services/commands/apply/command.ts';
import { tenant } from '../../edge/fixture.ts';
import { startInstallation } from '../../installation.ts';

async function start() {
  const { lane, urls } = await startInstallation();
  const lines: string[] = [];
  const apply = (tenants = [tenant()], more = {}) =>
    applyCommand({ ...urls, tenants, out: { write: (text) => void lines.push(text) }, ...more });
  return { apply, lines, thresholds: () => lane()?.settings?.rules };
}

const stricter = (servers: number) =>
  tenant({ rules: { 'account-created-then-servers': { servers, within_ms: 600_000 } } });

test('what has not changed writes nothing', async () => {
  const { apply, lines } = await start();
  expect(await apply()).toBe(0);
  expect(lines).toEqual(['northwind: nothing has changed\n']);
});

test('a change is in force when the command ends, and one change can follow another', async () => {
  const { apply, lines, thresholds } = await start();
  for (const servers of [3, 4]) {
    expect(await apply([stricter(servers)])).toBe(0);
    expect(thresholds()).toEqual({ 'account-created-then-servers': { servers, within_ms: 600_000 } });
  }
  expect(lines).toEqual([expect.stringMatching(/are in force\n$/), expect.stringMatching(/are in force\n$/)]);
  expect(await apply([stricter(4)])).toBe(0);
  expect(lines.at(-1)).toBe('northwind: nothing has changed\n');
});

test('what cannot be applied is said, and the exit code says so too', async () => {
  const { apply, lines } = await start();
  expect(await apply([stricter(3)], { edgeInternalUrl: 'http://127.0.0.1:1' })).toBe(1);
  expect(await apply([tenant({ name: 'stranger' })])).toBe(1);
  expect(lines).toEqual([
    expect.stringMatching(/^northwind: failed: Cannot reach .*npm start/),
    expect.stringMatching(/^stranger: failed: its lane has no settings yet/),
  ]);
});
