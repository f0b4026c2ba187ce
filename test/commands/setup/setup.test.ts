import { createHash, createPublicKey } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type SetupContext, setupCommand, setupUsage } from '../../../services/commands/setup/command.ts';

/** A folder to set up, and what the command says when it is called for it. */
function installation() {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-setup-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return {
    folder,
    read: (file: string) => readFileSync(join(folder, file), 'utf8'),
    run(args: string[] = [], fields: Partial<SetupContext> = {}) {
      const said = { out: '', error: '' };
      const code = setupCommand(
        [folder, ...args],
        () => ({ analystPassword: undefined, demo: true, alertmanager: 'route: {}\n', domain: undefined, ...fields }),
        { out: { write: (text) => (said.out += text) }, error: { write: (text) => (said.error += text) } },
      );
      return { code, ...said };
    },
  };
}

const everything = [
  'alertmanager/alertmanager.yml',
  'clickhouse/users.xml',
  'demo/private.pem',
  'demo/public.pem',
  'grafana/admin.password',
  'grafana/analyst.password',
  'sink/hookwatch.password',
];

const filesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

test('everything is made at the first start, and nothing at the second', () => {
  const { folder, read, run } = installation();
  const first = run();
  expect(first.code).toBe(0);
  expect(filesOf(folder)).toEqual(everything);
  expect(first.out.split('\n').filter(Boolean).sort()).toEqual(
    everything.filter((file) => file !== 'demo/private.pem').map((file) => `wrote ${file}`),
  );
  const before = everything.map(read);
  const files = everything.map((file) => statSync(join(folder, file)).ino);
  expect(run()).toEqual({ code: 0, out: '', error: '' });
  expect(everything.map(read)).toEqual(before);
  expect(everything.map((file) => statSync(join(folder, file)).ino)).toEqual(files);
});

test('passwords differ from each other and from those of another installation, and are never printed', () => {
  const [one, other] = [installation(), installation()];
  const said = one.run().out + other.run().out;
  const passwords = [one, other].flatMap(({ read }) =>
    everything.filter((file) => file.endsWith('.password')).map((file) => read(file).trim()),
  );
  expect(new Set(passwords).size).toBe(6);
  for (const password of passwords) {
    expect(password.length).toBeGreaterThanOrEqual(24);
    expect(said).not.toContain(password);
  }
});

test('what a container of ours reads is for its user alone; what others read is not closed to them', () => {
  const { folder, run } = installation();
  run();
  const modes = everything.map((file) => [file, (statSync(join(folder, file)).mode & 0o777).toString(8)]);
  expect(Object.fromEntries(modes)).toEqual({
    'alertmanager/alertmanager.yml': '644',
    'clickhouse/users.xml': '644',
    'demo/private.pem': '600',
    'demo/public.pem': '600',
    'grafana/admin.password': '644',
    'grafana/analyst.password': '644',
    'sink/hookwatch.password': '600',
  });
});

test("ClickHouse has the passwords' digests, not the passwords, and no user without one", () => {
  const { read, run } = installation();
  run();
  const users = read('clickhouse/users.xml');
  const digests = ['sink/hookwatch.password', 'grafana/analyst.password'].map((file) =>
    createHash('sha256').update(read(file).trim()).digest('hex'),
  );
  expect([...users.matchAll(/<password_sha256_hex>(\w+)</g)].map(([, digest]) => digest)).toEqual(digests);
  expect(users).toContain('<default remove="remove"/>');
  expect(users).not.toMatch(/<password>|no_password|access_management/);
});

test('a lost file is made anew, and what follows from it as well', () => {
  const { folder, read, run } = installation();
  run();
  const kept = read('grafana/analyst.password');
  rmSync(join(folder, 'sink', 'hookwatch.password'));
  expect(run().out).toBe('wrote sink/hookwatch.password\nwrote clickhouse/users.xml\n');
  expect(read('grafana/analyst.password')).toBe(kept);
  const digest = createHash('sha256').update(read('sink/hookwatch.password').trim()).digest('hex');
  expect(read('clickhouse/users.xml')).toContain(digest);
});

test('settings that have changed are followed: the analyst, the receivers', () => {
  const { read, run } = installation();
  run();
  const chosen = run([], { analystPassword: 'chosen by a person', alertmanager: 'route: { receiver: mail }\n' });
  expect(chosen.out.split('\n').filter(Boolean).sort()).toEqual([
    'wrote alertmanager/alertmanager.yml',
    'wrote clickhouse/users.xml',
    'wrote grafana/analyst.password',
  ]);
  expect(read('alertmanager/alertmanager.yml')).toBe('route: { receiver: mail }\n');
  expect(run(['show']).out).toContain('chosen by a person');
  expect(run().out).toBe('wrote alertmanager/alertmanager.yml\n');
  expect(run(['show']).out).toContain('chosen by a person');
});

test('without a demo tenant there is no key of the simulator; with one it is a pair', () => {
  const plain = installation();
  plain.run([], { demo: false });
  expect(filesOf(plain.folder)).toEqual(everything.filter((file) => !file.startsWith('demo/')));
  const { read, run } = installation();
  run();
  expect(createPublicKey(read('demo/private.pem')).export({ type: 'spki', format: 'pem' })).toBe(
    read('demo/public.pem'),
  );
});

test.each([
  [
    'a demo on a public name is warned of',
    { demo: true, domain: 'hooks.example.com' },
    /hooks\.example\.com.*demo: true/,
  ],
  ['a demo on this machine is not', { demo: true, domain: 'localhost' }, /^$/],
  ['a real tenant on a public name is not', { demo: false, domain: 'hooks.example.com' }, /^$/],
])('%s', (_, fields, message) => {
  const { run } = installation();
  expect(run([], fields)).toMatchObject({ code: 0, error: expect.stringMatching(message) });
});

test('show prints what people log in with, of what was set up', () => {
  const { read, run } = installation();
  expect(run(['show'])).toEqual({ code: 1, out: '', error: expect.stringContaining('none were made yet') });
  run();
  const { code, out } = run(['show']);
  expect(code).toBe(0);
  expect(out).toContain(`user admin     password ${read('grafana/admin.password').trim()} `);
  expect(out).toContain(`user analyst   password ${read('grafana/analyst.password').trim()}\n`);
  expect(out).not.toContain(read('sink/hookwatch.password').trim());
});

test.each([
  ['nothing', []],
  ['something unknown', ['x', 'reset']],
  ['too much', ['x', 'show', 'more']],
])('usage where it is given %s', (_, args) => {
  let said = '';
  const code = setupCommand(args, () => expect.fail('nothing is to be made'), {
    error: { write: (text) => (said += text) },
  });
  expect([code, said]).toEqual([2, setupUsage]);
});

test('a folder that cannot be written to is an error, not a half of a setup that says it is done', () => {
  const { folder, run } = installation();
  writeFileSync(join(folder, 'clickhouse'), 'a file where a folder belongs');
  expect(() => run()).toThrow(/EEXIST|ENOTDIR/);
});
