import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { globSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { BackupSource } from '../../../services/commands/backup/backup.ts';
import { CheckpointDamagedError, type Checkpoints } from '../../../services/ports/checkpoints/checkpoints.ts';
import { createMemoryCheckpoints } from '../../../services/ports/checkpoints/memory.ts';
import type { Log } from '../../../services/ports/log/log.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import {
  backUp,
  lane,
  memoryTarget,
  record,
  restoreTo,
  type Source,
  saveAt,
  stateAt,
  tables,
  temporaryFolder,
  textsOf,
} from './fixture.ts';

const texts = (count: number) => Array.from({ length: count }, (_, index) => `${index} r${index}`);

describe('what was backed up is restored', () => {
  test('records at their positions, states, rows with their columns, and what the edge remembers', async () => {
    const path = join(temporaryFolder(), 'deep', 'monday');
    const source = await lane(() => ({ edgeState: async () => Buffer.from('{"lanes":{}}') }));
    expect(await backUp(path, source)).toMatchObject({
      code: 0,
      text: expect.stringMatching(/acme at 8[\s\S]*Done: .* has 10 records of 1 lanes/),
    });
    const target = memoryTarget();
    expect(await restoreTo(path, target)).toMatchObject({ code: 0, text: expect.stringContaining('Done: ') });
    expect(await textsOf(target.logs[0]!)).toEqual(texts(10));
    expect(await stateAt(target.checkpoints)).toBe('8 id-8 false state at 8');
    expect(await stateAt(target.checkpoints, 7)).toBe('5 id-5 false state at 5');
    expect(target.written).toEqual([
      { table: 'hookwatch.events_rows', columns: ['tenant', 'id'], rows: 'events' },
      { table: 'hookwatch.sink_refused_rows', columns: ['tenant', 'id'], rows: 'refusals' },
    ]);
    expect(target.edgeState).toBe('{"lanes":{}}');
    expect(target.steps).toEqual(['begin', 'finish', 'close']);
  });

  test('where the log begins further on, with the state from which it can be worked on anew', async () => {
    const path = join(temporaryFolder(), 'monday');
    const source = await lane();
    await source.records.trim(4);
    await backUp(path, source);
    const target = memoryTarget();
    await restoreTo(path, target);
    expect(await textsOf(target.logs[0]!)).toEqual(texts(10).slice(4));
    expect(await target.checkpoints.list('acme')).toEqual([3, 5, 8]);
  });

  test('where positions are missing between records, and where a log holds none', async () => {
    const path = join(temporaryFolder(), 'monday');
    const { records, checkpoints } = await lane();
    const holed: Log = {
      ...records,
      read: async (from, limits) =>
        (await records.read(from, limits)).filter(({ position }) => ![4, 5, 9].includes(position)),
    };
    const none = createMemoryLog();
    await none.append([record('gone')]);
    await none.trim(1);
    const logs = [
      { partition: 0, records: holed, checkpoints },
      { partition: 1, records: none, checkpoints: createMemoryCheckpoints() },
    ];
    await backUp(path, { logs });
    const target = memoryTarget({ partitions: 2 });
    expect(await restoreTo(path, target)).toMatchObject({ code: 0 });
    const kept = texts(10).filter((_, position) => ![4, 5, 9].includes(position));
    expect(await textsOf(target.logs[0]!)).toEqual(kept);
    expect(await Promise.all(target.logs.map(async (log) => (await log.bounds()).next))).toEqual([10, 1]);
  });

  test('records that need several files, and several appends', async () => {
    const path = join(temporaryFolder(), 'monday');
    const records = createMemoryLog();
    const bodies = Array.from({ length: 90 }, () => randomBytes(250_000).toString('base64'));
    await records.append(bodies.map((body) => record(body)));
    await backUp(path, { logs: [{ partition: 0, records, checkpoints: createMemoryCheckpoints() }] });
    expect(globSync('records/0/*.zst', { cwd: path })).toHaveLength(2);
    const target = memoryTarget();
    await restoreTo(path, target);
    expect(await textsOf(target.logs[0]!)).toEqual(bodies.map((body, position) => `${position} ${body}`));
  });

  test('it is readable for its owner alone', async () => {
    const path = join(temporaryFolder(), 'monday');
    await backUp(path, await lane());
    const modes = globSync('**', { cwd: path, withFileTypes: true }).map((entry) => {
      const { mode } = statSync(join(entry.parentPath, entry.name));
      return `${entry.isDirectory() ? 'folder' : 'file'} ${(mode & 0o777).toString(8)}`;
    });
    expect(new Set(modes)).toEqual(new Set(['folder 700', 'file 600']));
  });
});

describe('while it is at work', () => {
  test('rows are read once those of the states are stored, and the records that led to them last', async () => {
    const path = join(temporaryFolder(), 'monday');
    const steps: string[] = [];
    const source = await lane(({ records, checkpoints }) => ({
      async stored() {
        steps.push('stored');
        await saveAt(checkpoints, 9);
      },
      warehouse: tables({ events_rows: 'made by r10' }, (sql) => {
        if (!sql.includes('system.tables') || steps.includes('r10')) return;
        steps.push('r10');
        void records.append([record('r10')]);
      }).warehouse,
    }));
    await backUp(path, source);
    expect(steps).toEqual(['stored', 'r10']);
    const target = memoryTarget();
    await restoreTo(path, target);
    expect(await textsOf(target.logs[0]!)).toEqual(texts(11));
    // The rows of a later one need not have been stored.
    expect(await stateAt(target.checkpoints)).toBe('8 id-8 false state at 8');
  });

  test('what the log lets go once it is copied is in the backup', async () => {
    const path = join(temporaryFolder(), 'monday');
    const source = await lane(({ records }) => ({ stored: () => records.trim(9) }));
    expect(await backUp(path, source)).toMatchObject({ code: 0 });
    const target = memoryTarget();
    await restoreTo(path, target);
    expect(await textsOf(target.logs[0]!)).toEqual(texts(10));
  });

  test.each([
    ['nothing happens: it is the last word', false, true],
    ['its worker goes on: it is not', true, false],
  ])('a final state, and %s', async (_, goesOn, final) => {
    const path = join(temporaryFolder(), 'monday');
    const source = await lane(({ checkpoints }) => ({
      async stored() {
        if (goesOn) await saveAt(checkpoints, 8, { final: false });
      },
    }));
    await saveAt(source.checkpoints, 8, { final: true });
    await backUp(path, source);
    const target = memoryTarget();
    await restoreTo(path, target);
    expect(await stateAt(target.checkpoints)).toBe(`8 id-8 ${final} state at 8`);
  });

  test('a state that turns out to be damaged is passed over', async () => {
    const path = join(temporaryFolder(), 'monday');
    const source = await lane();
    const whole = source.checkpoints;
    let known = false;
    const checkpoints: Checkpoints = {
      ...whole,
      async newest(name, upTo = Infinity) {
        const found = await whole.newest(name, known ? Math.min(upTo, 7) : upTo);
        if (found?.position !== 8) return found;
        const chunks = (async function* () {
          yield Buffer.from('state');
          known = true;
          throw new CheckpointDamagedError('damaged');
        })();
        return { ...found, chunks };
      },
    };
    await backUp(path, { ...source, logs: [{ partition: 0, records: source.records, checkpoints }] });
    const target = memoryTarget();
    await restoreTo(path, target);
    expect(await target.checkpoints.list('acme')).toEqual([3, 5]);
    expect(await stateAt(target.checkpoints)).toBe('5 id-5 false state at 5');
  });

  const meddling: [string, RegExp, (source: Source) => Partial<BackupSource>][] = [
    [
      'another flow takes a lane over',
      /lane acme: flow 0+ has taken it over from f10f10f10f10f10f meanwhile/,
      ({ checkpoints }) => ({ stored: () => saveAt(checkpoints, 9, { flow: '0'.repeat(16) }) }),
    ],
    [
      'the log lets go of what was not copied yet',
      /let go of records from position 10 on before they were copied/,
      ({ records }) => ({
        async stored() {
          await records.append([record('r10'), record('r11')]);
          await records.trim(11);
        },
      }),
    ],
    [
      'a rebuild changes the tables',
      /a rebuild has changed the tables/,
      () => {
        let looks = 0;
        const uuidOf = (sql: string) => (sql.includes('system.tables') ? [{ table: 'x', uuid: looks++ }] : undefined);
        return { warehouse: tables({}, uuidOf).warehouse };
      },
    ],
  ];
  test.each(meddling)('it fails, and leaves no backup, where %s', async (_, words, more) => {
    const path = join(temporaryFolder(), 'monday');
    const outcome = await backUp(path, await lane(more));
    expect(outcome).toMatchObject({ code: 1, text: expect.stringMatching(words) });
    expect(outcome.text).toContain('Run it again');
    expect(readdirSync(dirname(path))).toEqual([]);
  });
});

test('a folder that is there is not written to', async () => {
  const path = join(temporaryFolder(), 'monday');
  mkdirSync(path);
  expect(await backUp(path, await lane())).toMatchObject({ code: 1, text: expect.stringContaining('it is there') });
});

test('a disk that takes no more is named, and what to do', async () => {
  const path = join(temporaryFolder(), 'monday');
  const script = join(import.meta.dirname, 'large-backup.ts');
  // A limit of 32 kB or more, in blocks, stands for the disk: the write fails in the same way.
  const child = spawn('sh', ['-c', 'ulimit -f 64; exec "$0" "$@"', process.execPath, script, path]);
  const [[code], said] = await Promise.all([once(child, 'exit'), readText(child.stdout)]);
  expect({ code, said }).toEqual({
    code: 1,
    said: expect.stringMatching(
      /^Failed: Cannot write .*\/monday\.partial\/records\/0\/0{16}\.zst: EFBIG: file too large/m,
    ),
  });
  expect(readdirSync(dirname(path))).toEqual([]);
});

test.each([[[]], [['a', 'b']], [['a', '--what']]])('wrong usage %j', async (args) => {
  const { backupCommand } = await import('../../../services/commands/backup/command.ts');
  let text = '';
  const out = { write: (part: string) => (text += part) };
  expect(await backupCommand(args, { out, error: out } as never)).toBe(2);
  expect(text).toContain('Usage: npm run hookwatch -- backup DIR');
});
