/** One machine: whoever else begins in the data folder, before, during and after a restore. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { openMachine } from '../../../services/commands/restore/machine-target.ts';
import type { RestoreTarget } from '../../../services/commands/restore/target.ts';
import { loadConfig } from '../../../services/config.ts';
import { lockFolder } from '../../../services/ports/log/folder-lock.ts';
import { createSqliteLog } from '../../../services/ports/log/sqlite.ts';
import { entry, environmentOf } from '../../supervisor/installation.ts';
import { record, temporaryFolder, textsOf } from '../backup/fixture.ts';

interface Place {
  dataFolder: string;
  environment: Record<string, string>;
  open(): RestoreTarget;
}

/** A data folder that is not there yet, with a ClickHouse elsewhere that has no rows. */
async function place(): Promise<Place> {
  const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const dataFolder = join(temporaryFolder(), 'data');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const environment = environmentOf(dataFolder, { CLICKHOUSE_URL: url, HOOKWATCH_LOG_LEVEL: 'silent' });
  const open = () => {
    const target = openMachine(loadConfig(environment));
    onTestFinished(target.close);
    return target;
  };
  return { dataFolder, environment, open };
}

/** As far as the records, of which there is one. */
async function restoreHalf({ open }: Place): Promise<RestoreTarget> {
  const target = open();
  expect(await target.obstacles()).toEqual([]);
  const { openLog } = await target.begin();
  const log = await openLog({ partition: 0, first: 0, next: 1, files: [] }, () => {});
  await log.append([record('restored')]);
  return target;
}

/** What `hookwatch <name>` says, which must end by itself; it is killed with the test. */
async function run(name: string, { environment }: Place): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [entry, name], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [[code], out, error] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { code, output: out + error };
}

async function restoredIn({ dataFolder }: Place): Promise<string[]> {
  const log = createSqliteLog({ folder: join(dataFolder, 'records'), segmentBytesMax: 1 });
  const texts = await textsOf(log);
  await log.close();
  return texts;
}

test('an installation that is started in the middle of a restore is refused, and changes nothing', async () => {
  const here = await place();
  const target = await restoreHalf(here);
  const before = readdirSync(here.dataFolder).sort();
  expect(await run('start', here)).toMatchObject({
    code: 2,
    output: expect.stringContaining(
      'another process does; stop it, or set HOOKWATCH_DATA\nA restore into it is at work',
    ),
  });
  // Alone it does not ask for the lock.
  for (const part of ['edge', 'pipeline']) {
    expect(await run(part, here)).toMatchObject({ code: 2, output: expect.stringContaining('a restore is at work') });
  }
  expect(readdirSync(here.dataFolder).sort()).toEqual(before);
  await target.finish(undefined);
  await target.close();
  expect(readdirSync(here.dataFolder).sort()).toEqual(['records', 'writer.lock']);
  expect(await restoredIn(here)).toEqual(['0 restored']);
  lockFolder(here.dataFolder).close();
});

test('a restore is refused where an installation runs, or another restore', async () => {
  const here = await place();
  const installation = lockFolder(here.dataFolder);
  const refusal = { code: 'BACKUP_NOT_ALONE', message: expect.stringContaining('Hookwatch runs there') };
  await expect(here.open().obstacles()).rejects.toMatchObject(refusal);
  installation.close();
  const first = here.open();
  expect(await first.obstacles()).toEqual([]);
  await expect(here.open().obstacles()).rejects.toMatchObject(refusal);
  await first.close();
  expect(await here.open().obstacles()).toEqual([]);
});

test.each(['records', 'outputs'])('%s that somebody has begun meanwhile are left to them', async (name) => {
  const here = await place();
  const target = await restoreHalf(here);
  const taken = join(here.dataFolder, name, 'taken-in');
  mkdirSync(join(here.dataFolder, name));
  writeFileSync(taken, 'a delivery');
  await expect(target.finish(undefined)).rejects.toMatchObject({
    code: 'BACKUP_NOT_ALONE',
    message: expect.stringContaining(join(here.dataFolder, name)),
  });
  expect(readFileSync(taken, 'utf8')).toBe('a delivery');
  // Nothing has its place, and nobody begins on it.
  expect(existsSync(join(here.dataFolder, 'checkpoints'))).toBe(false);
  await target.close();
  expect(await run('start', here)).toMatchObject({ code: 2 });
});

test.each([
  ['before anything has its place', ['checkpoints', 'records'], []],
  ['when only the records are missing', ['records'], ['checkpoints', 'clickhouse', 'edge']],
  ['when all has its place', [], ['checkpoints', 'clickhouse', 'edge', 'records']],
])('nothing begins over a restore that was interrupted %s', async (_, inDraft, inPlace) => {
  const here = await place();
  const draft = join(here.dataFolder, 'restore.partial');
  mkdirSync(draft, { recursive: true });
  for (const name of inDraft) mkdirSync(join(draft, name));
  for (const name of inPlace) mkdirSync(join(here.dataFolder, name));
  for (const command of ['start', 'edge', 'pipeline', 'clickhouse']) {
    const { code, output } = await run(command, here);
    expect({ command, code, output }).toEqual({
      command,
      code: 2,
      output: expect.stringMatching(
        /^Cannot begin in .*restore\.partial, so a restore is at work there, or was interrupted.* Move .* out of the way/,
      ),
    });
  }
  expect(readdirSync(draft).sort()).toEqual(inDraft);
  expect(
    readdirSync(here.dataFolder)
      .filter((name) => name !== 'writer.lock')
      .sort(),
  ).toEqual([...inPlace, 'restore.partial']);
});
