import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { BackupSource } from '../../../services/commands/backup/backup.ts';
import { parseManifest } from '../../../services/commands/backup/manifest.ts';
import { CheckpointDamagedError, type Checkpoints } from '../../../services/ports/checkpoints/checkpoints.ts';
import { createMemoryCheckpoints } from '../../../services/ports/checkpoints/memory.ts';
import type { Log } from '../../../services/ports/log/log.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import {
  backUp,
  memoryTarget,
  record,
  restoreTo,
  saveAt,
  stateAt,
  tables,
  temporaryFolder,
  textsOf,
} from './fixture.ts';

type Source = Partial<BackupSource> & { records: Log; checkpoints: Checkpoints };

/** A lane of ten records, saved at 3, 5 and 8, and some rows. */
async function lane(more: (source: Source) => Partial<BackupSource> = () => ({})): Promise<Source> {
  const records = createMemoryLog();
  await records.append(Array.from({ length: 10 }, (_, index) => record(`r${index}`)));
  const checkpoints = createMemoryCheckpoints();
  for (const position of [3, 5, 8]) await saveAt(checkpoints, position);
  const { warehouse } = tables({ events_rows: 'events', sink_refused_rows: 'refusals' });
  const source: Source = { records, checkpoints, logs: [{ partition: 0, records, checkpoints }], warehouse };
  return { ...source, ...more(source) };
}

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
    expect(existsSync(path)).toBe(false);
  });
});

describe('a backup that is not whole is refused before anything is changed', () => {
  async function made(): Promise<string> {
    const path = join(temporaryFolder(), 'monday');
    await backUp(path, await lane(() => ({ edgeState: async () => Buffer.from('{}') })));
    return path;
  }

  async function expectRefused(path: string, words: RegExp | string): Promise<void> {
    const target = memoryTarget();
    const text = typeof words === 'string' ? expect.stringContaining(words) : expect.stringMatching(words);
    expect(await restoreTo(path, target)).toMatchObject({ code: 1, text });
    expect(target.steps).toEqual(['close']);
  }

  test('any byte of any file is another one', async () => {
    const path = await made();
    const files = globSync('**/*', { cwd: path }).filter((file) => statSync(join(path, file)).isFile());
    expect(files).toHaveLength(2 + 1 + 2 + 2 + 1);
    for (const file of files) {
      const bytes = readFileSync(join(path, file));
      const flipped = Buffer.from(bytes);
      const at = Math.floor(bytes.length / 2);
      flipped[at] = flipped[at]! ^ 1;
      writeFileSync(join(path, file), flipped);
      await expectRefused(path, /Cannot restore .* is damaged: it (is not what was written|does not name)/);
      writeFileSync(join(path, file), bytes);
    }
    expect(await restoreTo(path, memoryTarget())).toMatchObject({ code: 0 });
  });

  test('a file is missing, or cut', async () => {
    const path = await made();
    const file = join(path, 'rows/events_rows/000000.zst');
    writeFileSync(file, readFileSync(file).subarray(0, -1));
    await expectRefused(path, 'rows/events_rows/000000.zst is damaged');
    rmSync(file);
    await expectRefused(path, 'rows/events_rows/000000.zst is damaged');
  });

  test('it was interrupted, or is none', async () => {
    const path = join(temporaryFolder(), 'monday');
    const failing = await lane(() => ({ stored: () => Promise.reject(Object.assign(new Error('no'), { code: 'X' })) }));
    expect(await backUp(path, failing)).toEqual({ code: 1, text: expect.stringContaining('Failed: no\n') });
    expect(existsSync(path)).toBe(false);
    await expectRefused(path, 'there is no SHA256SUMS in it');
    await expectRefused(`${path}.partial`, 'so it is no backup, or one that was interrupted');
    expect(await backUp(path, await lane())).toMatchObject({
      code: 1,
      text: expect.stringMatching(/Cannot write to .*monday\.partial: it is there .*interrupted: remove it then/),
    });
  });

  test('its files lie elsewhere', async () => {
    const path = await made();
    const manifest = JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8'));
    for (const file of ['../outside/rows.zst', '/etc/passwd', 'rows/../../x']) {
      manifest.tables[0].files = [file];
      expect(() => parseManifest(JSON.stringify(manifest))).toThrow('Cannot read the backup');
    }
  });
});

describe('where it does not belong', () => {
  test('a folder that is there is not written to', async () => {
    const path = join(temporaryFolder(), 'monday');
    mkdirSync(path);
    expect(await backUp(path, await lane())).toMatchObject({ code: 1, text: expect.stringContaining('it is there') });
  });

  const others: [string, object, string][] = [
    [
      'an installation of another kind',
      { lanesIn: 'sqlite' },
      'is of an installation over Kafka, and this is one of one',
    ],
    ['other partitions', { partitions: 12 }, 'set HOOKWATCH_KAFKA_PARTITIONS=1'],
    [
      'a place with something in it',
      { obstacles: async () => ['x has rows'] },
      'something already:\n  x has rows\nEmpty it',
    ],
  ];
  test.each(others)('%s is refused', async (_, fields, words) => {
    const path = join(temporaryFolder(), 'monday');
    await backUp(path, await lane());
    const target = memoryTarget(fields);
    expect(await restoreTo(path, target)).toMatchObject({ code: 1, text: expect.stringContaining(words) });
    expect(target.steps).toEqual(['close']);
  });

  test('another flow, and tables of a newer version, are refused', async () => {
    const path = join(temporaryFolder(), 'monday');
    await backUp(path, await lane());
    const other = await restoreTo(path, memoryTarget(), '0123456789abcdef');
    expect(other).toMatchObject({ code: 1, text: expect.stringContaining('version 1.2.3 (flow f10f10f10f10f10f)') });
    const newer = join(temporaryFolder(), 'tuesday');
    const migrations = (sql: string) => (sql.includes('hookwatch.migrations') ? [{ name: '999_flying' }] : undefined);
    await backUp(newer, await lane(() => ({ warehouse: tables({}, migrations).warehouse })));
    expect(await restoreTo(newer, memoryTarget())).toMatchObject({
      code: 1,
      text: expect.stringContaining('of a newer version, 1.2.3, which has 999_flying: use that one'),
    });
  });

  test('a lane of a tenant that is not configured is said', async () => {
    const path = join(temporaryFolder(), 'monday');
    const source = await lane();
    await saveAt(source.checkpoints, 2, { lane: 'bolt' });
    await backUp(path, source);
    const { code, text } = await restoreTo(path, memoryTarget());
    expect({ code, text }).toMatchObject({ code: 0, text: expect.stringContaining('does not have: bolt.') });
  });
});

describe('a restore that does not come to its end says how to begin anew', () => {
  test('a store fails', async () => {
    const path = join(temporaryFolder(), 'monday');
    await backUp(path, await lane());
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const target = memoryTarget({ begin: () => Promise.reject(full) });
    expect(await restoreTo(path, target)).toEqual({
      code: 1,
      text: expect.stringMatching(
        /Failed: no space left on device\nWhat was restored so far .* Begin anew: Empty it\./,
      ),
    });
    expect(target.steps).toEqual(['close']);
  });

  test('somebody else writes to a log', async () => {
    const path = join(temporaryFolder(), 'monday');
    await backUp(path, await lane());
    const target = memoryTarget();
    const begin = target.begin;
    target.begin = async () => {
      const stores = await begin();
      return {
        ...stores,
        async openLog(log, onProgress) {
          const opened = await stores.openLog(log, onProgress);
          await target.logs[0]!.append([record('a stranger')]);
          return opened;
        },
      };
    };
    expect(await restoreTo(path, target)).toMatchObject({
      code: 1,
      text: expect.stringContaining('was at position 0 is at 1 now, so somebody else writes to the log'),
    });
    expect(target.steps).toEqual(['begin', 'close']);
  });
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
  expect(existsSync(path)).toBe(false);
});

test.each([[[]], [['a', 'b']], [['a', '--what']]])('wrong usage %j', async (args) => {
  const { backupCommand } = await import('../../../services/commands/backup/command.ts');
  let text = '';
  const out = { write: (part: string) => (text += part) };
  expect(await backupCommand(args, { out, error: out } as never)).toBe(2);
  expect(text).toContain('Usage: npm run hookwatch -- backup DIR');
});
