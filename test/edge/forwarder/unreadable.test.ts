/** What cannot be read of the journal, and what becomes of all else. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pino from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { encode } from '../../../services/core/records/codec.ts';
import { placeOf } from '../../../services/core/records/place.ts';
import { createUnreadable } from '../../../services/edge/forwarder/unreadable.ts';
import type { Log } from '../../../services/ports/log/log.ts';
import { createSqliteLog } from '../../../services/ports/log/sqlite.ts';
import { createMemoryProgress } from '../../../services/ports/progress/memory.ts';
import { createRegistry, forwarderMetrics } from '../../../services/telemetry.ts';
import { deliveryOf, startMs } from '../../core/flow/lane.ts';
import { temporaryFolder } from '../fixture.ts';
import {
  alteredLog,
  createTestJournal,
  createTestPartition,
  createTestProgress,
  createTestWorker,
  damagedLog,
  eventually,
  expectTaken,
  looked,
  recordsOf,
  startTestForwarder,
  type TestForwarder,
} from './fixture.ts';

const said = ({ lines }: TestForwarder, words: string) => lines.filter(({ msg }) => msg.startsWith(words));
const passedOver = 'Records of the journal cannot be read';
const snapshot = { id: 's', first: 0, pieces: 0, bytes: 0, sha256: '' };
const noRecord = Buffer.from('no record');

/** A frame under a schema that will be known one day. */
function newer(frame: Uint8Array): Buffer {
  const copy = Buffer.from(frame);
  copy.writeInt32BE(4_711, 1);
  return copy;
}

const keptBy = ({ hintFile }: TestForwarder) =>
  readFileSync(join(dirname(hintFile), 'unreadable.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('a frame', () => {
  test.each<[name: string, frame: Uint8Array, reason: RegExp]>([
    ['that is none', noRecord, /do not start with a zero byte/],
    ['that is empty', new Uint8Array(), /0 bytes/],
    ['that was cut', encode('delivery', deliveryOf({})).subarray(0, 20), /Cannot read frame/],
    ['of another lane', encode('delivery', deliveryOf({ tenant: 'contoso' })), /says that it is of contoso/],
    ['of a newer schema that was cut', newer(encode('delivery', deliveryOf({}))).subarray(0, 20), /Cannot read frame/],
  ])('%s is passed over, counted and kept aside, and holds up nobody', async (_name, frame, reason) => {
    const tenants = ['acme', 'bolt'];
    const journal = createTestJournal({ tenants });
    await journal.boot();
    await journal.log.append([{ key: 'acme', frame }]);
    for (const tenant of tenants) await journal.deliver(5, tenant);
    const partition = createTestPartition();
    const forwarder = await startTestForwarder({ journal, partition, tenants });
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(14));
    await eventually(async () => expect(await forwarder.metric('forwarding')).toBe(1));
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(0));
    expect(await forwarder.metric('unreadable')).toBe(1);
    expect(said(forwarder, passedOver)).toMatchObject([{ level: 50, position: 4 }]);
    expect(said(forwarder, 'Forwarding has failed')).toHaveLength(0);
    await forwarder.stop(1000);
    expect(keptBy(forwarder)).toEqual([
      {
        position: 4,
        records: 1,
        reason: expect.stringMatching(reason),
        tenant: 'acme',
        frame: Buffer.from(frame).toString('base64'),
      },
    ]);
  });

  test('at the end of the journal is passed over as well, and the hint is saved', async () => {
    const journal = createTestJournal();
    await journal.boot();
    await journal.log.append([{ key: 'acme', frame: noRecord }]);
    const partition = createTestPartition();
    const forwarder = await startTestForwarder({ journal, partition });
    await eventually(() =>
      expect(JSON.parse(readFileSync(forwarder.hintFile, 'utf8'))).toMatchObject({ lanes: { acme: 3 } }),
    );
    await forwarder.stop(1000);
    const again = await startTestForwarder({ journal, partition, hintFile: forwarder.hintFile });
    await journal.deliver(1);
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(3));
    // What is not covered is read again.
    expect(await again.metric('unreadable')).toBe(1);
  });

  test('of a schema that only a newer version knows is brought into its lane as it is', async () => {
    const journal = createTestJournal();
    await journal.boot();
    await journal.deliver(3);
    const frame = newer((await recordsOf(journal.log))[3]!.frame);
    const partition = createTestPartition();
    const forwarder = await startTestForwarder({ journal: { log: alteredLog(journal.log, { 3: frame }) }, partition });
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(5));
    expect((await recordsOf(partition))[3]!.frame).toEqual(new Uint8Array(frame));
    const sent = partition.batches.flat()[3]!;
    expect(sent.headers).toMatchObject({ ce_type: 'hookwatch.record', ce_id: (await journal.ids())[3] });
    expect(await forwarder.metric('unreadable')).toBe(0);
  });
});

describe('a damaged part of the journal', () => {
  test('is passed over, and nothing beside it: between two there may be records', async () => {
    const tenants = ['acme', 'bolt'];
    const journal = createTestJournal({ tenants });
    await journal.boot();
    for (let n = 0; n < 20; n++) await journal.deliver(1, tenants[n % 2]);
    const log = damagedLog(journal.log, [
      [6, 9],
      [10, 11],
      [15, 22],
    ]);
    const partition = createTestPartition();
    const forwarder = await startTestForwarder({ journal: { log }, partition, tenants });
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(24 - 7 - 3 - 1));
    const all = await recordsOf(journal.log);
    const readable = all.filter(({ position: at }) => !((at >= 6 && at < 9) || at === 10 || (at >= 15 && at < 22)));
    expect((await recordsOf(partition)).map(({ frame }) => placeOf(frame).id)).toEqual(
      readable.map(({ frame }) => placeOf(frame).id),
    );
    expect(await forwarder.metric('unreadable')).toBe(11);
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(0));
    await forwarder.stop(1000);
    expect(keptBy(forwarder).map(({ position, records }) => [position, records])).toEqual([
      [6, 3],
      [10, 1],
      [15, 7],
    ]);
  });

  test('of the disk: whatever page it is, what other pages hold arrives', async () => {
    const folder = temporaryFolder();
    const options = { folder, segmentBytesMax: 300_000 };
    const journal = createTestJournal();
    await journal.boot();
    await journal.deliver(60, 'acme', { body: Buffer.alloc(10_000) });
    const writer = createSqliteLog(options);
    for (const { key, frame } of await recordsOf(journal.log)) await writer.append([{ key, frame }]);
    await writer.close();
    const [oldest = '', second = ''] = readdirSync(folder).filter((name) => name.endsWith('.db'));
    expect(oldest).not.toBe(second);
    const path = join(folder, oldest);
    writeFileSync(path, readFileSync(path).fill(0xff, 4 * 16_384, 5 * 16_384));
    const log = createSqliteLog(options);
    onTestFinished(() => log.close());
    const partition = createTestPartition();
    const forwarder = await startTestForwarder({ journal: { log }, partition });
    await eventually(() => expect(forwarder.acknowledged()).toBe(62));
    await eventually(async () => expect(await forwarder.metric('forwarding')).toBe(1));
    const lost = await forwarder.metric('unreadable');
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(5);
    expect(await recordsOf(partition)).toHaveLength(62 - lost);
  });

  test('is not passed over while the newest record cannot be read either: all waits, and all of it is counted', async () => {
    const journal = createTestJournal();
    await journal.boot();
    await journal.deliver(4);
    const damages: [number, number][] = [];
    const partition = createTestPartition();
    let nowMs = startMs;
    let reads = 0;
    const damaged = damagedLog(journal.log, damages);
    const log: Log = {
      ...damaged,
      read(from, limits) {
        if (from === 6) reads++;
        return damaged.read(from, limits);
      },
    };
    const forwarder = await startTestForwarder({ journal: { log }, partition, now: () => nowMs });
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(6));
    damages.push([6, 100]);
    await journal.deliver(26);
    damages.splice(0, 1, [6, 8], [20, 100]);
    reads = 0;
    await eventually(() => expect(reads).toBeGreaterThan(20));
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(26));
    await eventually(async () => expect(await forwarder.metric('forwarding')).toBe(0));
    expect(await forwarder.metric('unforwardedBytes')).toBeGreaterThan(26 * 100);
    nowMs += 60_000;
    await eventually(async () => expect(await forwarder.metric('unforwardedSeconds')).toBe(60));
    expect(forwarder.catchingUp('acme')).toBe(true);
    expect(forwarder.troubles()).toEqual(['The journal cannot be read: nothing is brought into the lanes']);
    expect(forwarder.acknowledged()).toBe(6);
    expect(await forwarder.metric('unreadable')).toBe(0);

    damages.pop();
    // All but two of 32.
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(30));
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(0));
    await eventually(async () => expect(await forwarder.metric('forwarding')).toBe(1));
    expect(await forwarder.metric('unreadable')).toBe(2);
  });

  test('that is seen only when it is read once more leaves no figure behind', async () => {
    const tenants = ['acme', 'bolt'];
    const journal = createTestJournal({ tenants });
    await journal.boot();
    const partitions = new Map(tenants.map((tenant) => [tenant, createTestPartition()]));
    const lane = (tenant: string) => partitions.get(tenant)!;
    lane('acme').hold();
    const damages: [number, number][] = [];
    const log = damagedLog(journal.log, damages);
    const forwarder = await startTestForwarder({ journal: { log }, lane, tenants });
    const megabyte = { body: Buffer.alloc(1_000_000) };
    for (let n = 1; n <= 10; n++) {
      for (const tenant of tenants) await journal.deliver(1, tenant, megabyte);
      await eventually(async () => expect(await forwarder.metric('forwarded')).toBe(2 + n));
    }
    damages.push([6, 8]);
    lane('acme').release();
    await eventually(async () => expect(await recordsOf(lane('acme'))).toHaveLength(11));
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(0));
    expect(await forwarder.metric('unreadable')).toBe(2);
  });
});

describe('the lane of what could not be read', () => {
  type Damage = (log: Log) => Log;
  test.each<[name: string, damage: Damage, lost: number]>([
    ['one frame', (log) => alteredLog(log, { 4: noRecord }), 1],
    ['frames here and there', (log) => alteredLog(log, { 4: noRecord, 5: noRecord, 8: noRecord }), 3],
    ['a part', (log) => damagedLog(log, [[3, 7]]), 4],
    ['the boot', (log) => alteredLog(log, { 1: noRecord }), 1],
  ])('goes on with ticks in its place: %s', async (_name, damage, lost) => {
    const journal = createTestJournal();
    await journal.boot();
    await journal.deliver(10);
    const partition = createTestPartition();
    const progress = createMemoryProgress();
    const worker = createTestWorker(partition, progress);
    const limits = { batchRecordsMax: 2 };
    const forwarder = await startTestForwarder({ journal: { log: damage(journal.log) }, partition, progress, limits });
    await eventually(async () => {
      await worker.work();
      expect(worker.taken()).toHaveLength(12);
      expect(worker.summary().producersBehind).toBe(0);
    });
    expect(await forwarder.metric('unreadable')).toBe(lost);
    const ids = await journal.ids();
    expect(worker.taken().filter((id) => ids.includes(id))).toHaveLength(12 - lost);
    expect([...worker.rows().values()].filter((text) => text.includes('stands_for'))).toHaveLength(lost);
    expect(said(forwarder, 'Ticks stand in')[0]).toMatchObject({ level: 50, tenant: 'acme' });

    await journal.deliver(3);
    await eventually(async () => {
      await worker.work();
      expect(worker.taken()).toHaveLength(15);
    });
  });

  test('goes on after a restart too, where all before it is covered', async () => {
    const journal = createTestJournal();
    await journal.boot();
    await journal.deliver(3);
    const partition = createTestPartition();
    const [saved, progress] = [createMemoryProgress(), createMemoryProgress()];
    const worker = createTestWorker(partition, progress);
    const first = await startTestForwarder({ journal, partition, progress: saved });
    await expectTaken(worker, journal);
    const { live } = await progress.latest('acme');
    for (const position of [4, 5, 6]) await saved.publish({ ...live!, position, snapshot });
    await eventually(() => expect(first.covered()).toBe(5));
    await first.stop(1000);

    await journal.deliver(3);
    const log = alteredLog(journal.log, { 5: noRecord });
    const { hintFile } = first;
    const second = await startTestForwarder({ journal: { log }, partition, progress, hintFile });
    await eventually(async () => {
      await worker.work();
      expect(worker.taken()).toHaveLength(8);
    });
    expect(await second.metric('unreadable')).toBe(1);
  });

  test('is told of once where the journal has let go of what it lacks', async () => {
    const journal = createTestJournal();
    await journal.boot();
    await journal.deliver(6);
    const partition = createTestPartition();
    partition.meet('kept', 'lost');
    const progress = createTestProgress();
    const limits = { batchRecordsMax: 4 };
    const forwarder = await startTestForwarder({ journal, partition, progress, limits });
    await eventually(() => expect(forwarder.acknowledged()).toBe(8));
    await journal.log.trim(forwarder.acknowledged());
    // What was read long ago is not in memory either.
    await journal.deliver(12, 'acme', { body: Buffer.alloc(1_000_000) });
    const worker = createTestWorker(partition, progress);
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(16));
    await worker.work();
    await eventually(() => expect(said(forwarder, 'A lane has lost records that')).toMatchObject([{ level: 50 }]));
    await looked(progress);
    await looked(progress);
    expect(said(forwarder, 'A lane has lost records that')).toHaveLength(1);
    // All that is left is sent, and the figures tell of what is there.
    await journal.deliver(1);
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(17));
    await eventually(async () => expect(await forwarder.metric('uncoveredRecords')).toBe(13));
  });
});

test('what is kept aside is bounded, and said once a minute', async () => {
  const file = join(temporaryFolder(), 'unreadable.jsonl');
  const lines: { msg: string }[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const metrics = forwarderMetrics(createRegistry('edge'));
  const unreadable = createUnreadable({ file, bytesMax: 1000, metrics, logger });
  for (let first = 0; first < 100; first++) unreadable.note({ first, next: first + 1, error: new Error('damaged') });
  await unreadable.settled();
  expect(statSync(file).size).toBeGreaterThan(900);
  expect(statSync(file).size).toBeLessThan(1100);
  expect(lines).toHaveLength(1);
  expect((await metrics.unreadable.get()).values[0]!.value).toBe(100);
});

test('what cannot be kept aside is passed over all the same', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'file'), '');
  const lines: { msg: string }[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const metrics = forwarderMetrics(createRegistry('edge'));
  const unreadable = createUnreadable({ file: join(folder, 'file', 'in-a-file'), metrics, logger });
  unreadable.note({ first: 3, next: 4, error: new Error('damaged') });
  await unreadable.settled();
  expect(lines.map(({ msg }) => msg)).toEqual([expect.stringContaining(passedOver), expect.stringContaining('keep')]);
});
