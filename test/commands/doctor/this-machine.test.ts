import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  checkClock,
  checkDisk,
  checkSecrets,
  checkSignatures,
} from '../../../services/commands/doctor/this-machine.ts';
import { knownAnswers } from '../../../services/selftest.ts';
import { startStandIn } from '../../provider-api/stand-in.ts';

const mb = 1024 * 1024;

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-doctor-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe('signatures', () => {
  test('this host verifies all that providers sign with', () => {
    expect(checkSignatures()).toMatchObject([{ status: 'ok', what: expect.stringContaining('RSA with SHA-1') }]);
  });

  test('one that is forbidden is named, with what to do', () => {
    const throws = () => {
      throw new Error('digital envelope routines::invalid digest');
    };
    const [first, second] = knownAnswers.map((answer) => answer);
    const answers = [
      { ...first!, holds: () => false },
      { ...second!, holds: throws },
    ];
    expect(checkSignatures(answers)).toMatchObject([
      { status: 'fail', what: expect.stringContaining(first!.algorithm), todo: first!.remedy },
      { status: 'fail', what: expect.stringContaining(second!.algorithm) },
    ]);
  });
});

describe('clock', () => {
  const nowMs = Date.UTC(2026, 0, 1, 12, 0, 0);

  async function compare(theirMs: number | string) {
    const date = typeof theirMs === 'number' ? new Date(theirMs).toUTCString() : theirMs;
    const provider = await startStandIn(() => ({ status: 200 }));
    provider.fail({ do: 'answer', status: 404, headers: { date }, times: 9 });
    return checkClock([provider.url], () => nowMs);
  }

  test.each([
    [0, 'ok', 'within 5 s'],
    [-5_000, 'ok', 'within 5 s'],
    [5_000, 'ok', 'within 5 s'],
    [-20_000, 'warn', '19 s ahead of'],
    [20_000, 'warn', '20 s behind'],
    [-120_000, 'fail', '119 s ahead of'],
    [120_000, 'fail', '120 s behind'],
  ])('of somebody who says %d ms: %s', async (offsetMs, status, what) => {
    expect(await compare(nowMs + offsetMs)).toMatchObject([{ status, what: expect.stringContaining(what) }]);
  });

  test('of somebody who says nothing that can be read, of nobody, and without anybody to ask', async () => {
    expect(await compare('yesterday')).toMatchObject([{ status: 'warn', what: expect.stringContaining('no Date') }]);
    const provider = await startStandIn(() => ({ status: 200 }));
    provider.fail({ do: 'reset' });
    const found = await checkClock([provider.url], () => nowMs);
    expect(found).toMatchObject([{ status: 'warn', what: expect.stringContaining('not compared with 127.0.0.1') }]);
    expect(await checkClock([], () => nowMs)).toMatchObject([{ status: 'warn' }]);
  });
});

describe('disk', () => {
  const configOf = (dataFolder: string, overKafka = false) => ({
    dataFolder,
    journal: { bytesMax: 8192 * mb, segmentBytesMax: mb, retentionMs: 1 },
    outputsBytesMax: 4096 * mb,
    kafka: overKafka ? ({} as never) : undefined,
  });

  test.each([
    [20_000, false, 'ok'],
    [12_287, false, 'warn'],
    [12_287, true, 'ok'],
    [8_191, true, 'warn'],
    [1_023, false, 'fail'],
  ])('%d MB free, over Kafka %s: %s', async (freeMb, overKafka, status) => {
    const config = configOf(temporaryFolder(), overKafka);
    const found = await checkDisk(config, async () => freeMb * mb);
    expect(found).toMatchObject([{ check: 'disk', status, what: expect.stringContaining(`${freeMb} MB free`) }]);
  });

  test('what the journal has taken already is not wanted again', async () => {
    const dataFolder = temporaryFolder();
    mkdirSync(join(dataFolder, 'records', 'deep'), { recursive: true });
    writeFileSync(join(dataFolder, 'records', 'deep', 'segment'), Buffer.alloc(3 * mb));
    const free = async () => 12_285 * mb;
    expect(await checkDisk(configOf(dataFolder), free)).toMatchObject([{ status: 'ok' }]);
  });

  test('the file system is asked, and a folder that is not there is told', async () => {
    const [found] = await checkDisk(configOf(temporaryFolder()));
    expect(found!.what).toMatch(/^\d+ MB free at /);
    expect(await checkDisk(configOf('/nowhere/data'))).toMatchObject([
      { status: 'fail', what: '/nowhere/data cannot be written: ENOENT' },
    ]);
  });
});

describe('secrets', () => {
  test('files that others may read are named, unless nobody may enter their folder', async () => {
    const dataFolder = temporaryFolder();
    const endpointsFile = join(dataFolder, 'endpoints.json');
    const secret = join(dataFolder, 'secrets', 'analyst.password');
    const config = { dataFolder, endpointsFile };
    expect(await checkSecrets(config)).toMatchObject([{ status: 'ok' }]);
    mkdirSync(join(dataFolder, 'secrets'), { mode: 0o755 });
    writeFileSync(secret, 'x', { mode: 0o644 });
    writeFileSync(endpointsFile, 'x', { mode: 0o640 });
    chmodSync(join(dataFolder, 'secrets'), 0o755);
    const [found] = await checkSecrets(config);
    expect(found).toMatchObject({ status: 'warn', todo: `chmod go= ${endpointsFile} ${secret}` });
    chmodSync(join(dataFolder, 'secrets'), 0o700);
    expect((await checkSecrets(config))[0]!.what).toBe(`others may read ${endpointsFile}`);
    chmodSync(endpointsFile, 0o600);
    expect(await checkSecrets(config)).toMatchObject([{ status: 'ok' }]);
  });
});
