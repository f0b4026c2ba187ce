import { globSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseManifest } from '../../../services/commands/backup/manifest.ts';
import { createMemoryCheckpoints } from '../../../services/ports/checkpoints/memory.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { backUp, lane, memoryTarget, record, restoreTo, saveAt, tables, temporaryFolder } from '../backup/fixture.ts';

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
    const path = await made();
    renameSync(path, `${path}.partial`);
    rmSync(join(`${path}.partial`, 'SHA256SUMS'));
    await expectRefused(path, 'there is no SHA256SUMS in it');
    await expectRefused(`${path}.partial`, 'so it is no backup, or one that was interrupted');
    const file = join(`${path}.partial`, 'manifest.json');
    await expectRefused(
      file,
      `Cannot restore ${file}: it is a file. Give the folder of a backup, in which SHA256SUMS lies`,
    );
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

  test('where no state was saved yet, the flow that made the backup is the one', async () => {
    const path = join(temporaryFolder(), 'monday');
    const records = createMemoryLog();
    await records.append([record('r0')]);
    const checkpoints = createMemoryCheckpoints();
    await backUp(path, { logs: [{ partition: 0, records, checkpoints }] });
    const other = memoryTarget();
    expect(await restoreTo(path, other, '0123456789abcdef')).toMatchObject({
      code: 1,
      text: expect.stringContaining('version 1.2.3 (flow f10f10f10f10f10f) has worked on its lanes'),
    });
    expect(other.steps).toEqual(['close']);
    expect(await restoreTo(path, memoryTarget())).toMatchObject({ code: 0 });
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
