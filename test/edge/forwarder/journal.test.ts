/** What the forwarder remembers of its journal, and what it lets go of. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { placeOf } from '../../../services/core/records/place.ts';
import { createMemoryProgress } from '../../../services/ports/progress/memory.ts';
import { startMs } from '../../core/flow/lane.ts';
import { temporaryFolder } from '../fixture.ts';
import {
  createTestJournal,
  createTestPartition,
  createTestProgress,
  createTestWorker,
  eventually,
  expectTaken,
  looked,
  recordsOf,
  startTestForwarder,
  type TestJournal,
} from './fixture.ts';

const day = 86_400_000;

/** A journal with a boot and five deliveries, all of which were forwarded and worked on. */
async function forwarded() {
  const journal = createTestJournal();
  await journal.boot();
  await journal.deliver(5);
  const partition = createTestPartition();
  const progress = createMemoryProgress();
  const worker = createTestWorker(partition, progress);
  const hintFile = join(temporaryFolder(), 'forwarded.json');
  const forwarder = await startTestForwarder({ journal, partition, progress, hintFile });
  await expectTaken(worker, journal);
  await forwarder.stop(1000);
  /** A forwarder over the same journal, or another one; resolves with the records that it has added once all are taken. */
  const restart = async (other: TestJournal = journal) => {
    const before = (await recordsOf(partition)).length;
    const again = await startTestForwarder({ journal: other, partition, progress, hintFile });
    await other.deliver(1);
    const newest = (await other.ids()).at(-1);
    await eventually(async () => {
      await worker.work();
      expect(worker.taken()).toContain(newest);
    });
    await again.stop(1000);
    return (await recordsOf(partition)).slice(before).map(({ frame }) => placeOf(frame).id);
  };
  return { journal, worker, hintFile, restart };
}

describe('after a restart', () => {
  test('what was acknowledged is not sent again', async () => {
    const { journal, hintFile, restart } = await forwarded();
    expect(JSON.parse(readFileSync(hintFile, 'utf8'))).toMatchObject({ lanes: { acme: 7 }, covered: 0 });
    expect(await restart()).toEqual((await journal.ids()).slice(-1));
    expect(await restart()).toEqual((await journal.ids()).slice(-1));
  });

  test.each([
    { what: 'lost', damage: undefined },
    { what: 'damaged', damage: '{"lanes":{"acme":' },
    { what: 'empty', damage: '{"covered":0,"lanes":{},"newest":{"position":6,"id":"x"}}' },
    { what: 'of another journal', damage: '{"covered":0,"lanes":{"acme":7},"newest":{"position":6,"id":"x"}}' },
    { what: 'ahead of the journal', damage: '{"covered":0,"lanes":{"acme":99},"newest":{"position":98,"id":"x"}}' },
  ])('all of it is sent where the hint was $what, and nothing has a second effect', async ({ damage }) => {
    const { journal, worker, hintFile, restart } = await forwarded();
    writeFileSync(hintFile, damage ?? '');
    expect(await restart()).toEqual(await journal.ids());
    expect(worker.taken()).toEqual(await journal.ids());
  });

  test('a hint does not hold for a journal that began anew', async () => {
    const { worker, restart } = await forwarded();
    const other = createTestJournal({ atMs: startMs + 60_000 });
    await other.boot();
    await other.deliver(20);
    expect(await restart(other)).toEqual(await other.ids());
    expect(worker.summary().ledger.journaled).toBe(5 + 21);
  });

  test('without a hint, what the newest snapshots but one hold is not sent', async () => {
    const { journal, worker, hintFile, restart } = await forwarded();
    await worker.work(true);
    await restart();
    await worker.work(true);
    writeFileSync(hintFile, '');
    expect(await restart()).toEqual((await journal.ids()).slice(-2));
  });
});

test('a boot that the flow has forgotten is not sent again, for it would be taken for a new one', async () => {
  const journal = createTestJournal();
  const old = await journal.boot();
  await journal.deliver(3);
  const young = createTestJournal({ atMs: startMs + 8 * day });
  const boot = await young.boot();
  await young.deliver(2);
  for (const { key, frame } of await recordsOf(young.log)) await journal.log.append([{ key, frame }]);
  const partition = createTestPartition();
  const progress = createMemoryProgress();
  for (const position of [100, 101, 102]) {
    const producers = [{ boot, edge: 'edge-1', last_seq: 1, seen_seq: 1, closed: false }];
    const snapshot = { id: 's', first: 0, pieces: 0, bytes: 0, sha256: '' };
    await progress.publish({ tenant: 'acme', position, record_id: 'r', flow: '', final: false, producers, snapshot });
  }
  const forwarder = await startTestForwarder({ journal, partition, progress, now: () => startMs + 8 * day + 60_000 });
  await eventually(async () => expect(await recordsOf(partition)).toHaveLength(2));
  await forwarder.stop(1000);
  const sent = (await recordsOf(partition)).map(({ frame }) => placeOf(frame));
  expect(sent.map(({ boot: of, seq }) => [of, seq])).toEqual([
    [boot, 2],
    [boot, 3],
  ]);
  expect(sent.map(({ boot: of }) => of)).not.toContain(old);
  expect(await forwarder.metric('unforwardedRecords')).toBe(0);
  expect(forwarder.covered()).toBe(5 + 2);
});

describe('the journal may let go of', () => {
  /** What is covered as the worker goes on: after each number of deliveries it works, and saves where there is an s. */
  async function coveredAfter(...acts: string[]): Promise<number> {
    const journal = createTestJournal();
    await journal.boot();
    const partition = createTestPartition();
    const progress = createTestProgress();
    const worker = createTestWorker(partition, progress);
    const forwarder = await startTestForwarder({ journal, partition, progress });
    for (const act of acts) {
      await journal.deliver(Number.parseInt(act, 10));
      await expectTaken(worker, journal);
      if (act.endsWith('s')) await worker.work(true);
    }
    await looked(progress);
    return forwarder.covered();
  }

  test.each<[name: string, acts: string[], covered: number]>([
    ['nothing, where nothing was saved', ['5'], 0],
    ['nothing, where one snapshot alone was saved, which may be damaged', ['5s', '3'], 0],
    ['what the newest snapshot but one holds', ['5s', '3s', '2'], 7],
    ['what it holds as more are saved', ['5s', '3s', '2s', '1s'], 12],
  ])('%s', async (_name, acts, covered) => {
    expect(await coveredAfter(...acts)).toBe(covered);
  });

  test('nothing that one of the lanes has not saved', async () => {
    const journal = createTestJournal({ tenants: ['acme', 'bolt'] });
    await journal.boot();
    await journal.deliver(3, 'acme');
    await journal.deliver(3, 'bolt');
    await journal.deliver(3, 'acme');
    const partition = createTestPartition();
    const progress = createMemoryProgress();
    const forwarder = await startTestForwarder({ journal, partition, progress, tenants: ['acme', 'bolt'] });
    const [acme, bolt] = ['acme', 'bolt'].map((tenant) => createTestWorker(partition, progress, tenant));
    await expectTaken(acme!, journal, 'acme');
    await acme!.work(true);
    await journal.deliver(1, 'acme');
    await expectTaken(acme!, journal, 'acme');
    await acme!.work(true);
    // Settings and boot of both; bolt has saved nothing.
    await eventually(() => expect(forwarder.covered()).toBe(2));
    await bolt!.work(true);
    await journal.deliver(1, 'bolt');
    await expectTaken(bolt!, journal, 'bolt');
    await bolt!.work(true);
    await eventually(() => expect(forwarder.covered()).toBe(13));
  });

  test('nothing that has not been acknowledged since the start, whatever was saved: it would be sent from nowhere', async () => {
    const journal = createTestJournal();
    await journal.boot();
    await journal.deliver(3);
    const partition = createTestPartition();
    const progress = createTestProgress();
    const first = await startTestForwarder({ journal, partition, progress });
    const worker = createTestWorker(partition, progress);
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(5));
    await first.stop(1000);
    const oldHint = readFileSync(first.hintFile);
    await journal.deliver(3);
    const second = await startTestForwarder({ journal, partition, progress, hintFile: first.hintFile });
    for (const deliveries of [0, 1]) {
      await journal.deliver(deliveries);
      await expectTaken(worker, journal);
      await worker.work(true);
    }
    await second.stop(1000);

    writeFileSync(first.hintFile, oldHint);
    partition.away = true;
    const third = await startTestForwarder({ journal, partition, progress, hintFile: first.hintFile });
    await looked(progress);
    expect(third.covered()).toBe(5);
    partition.away = false;
    await eventually(() => expect(third.covered()).toBe(8));
  });

  test('what is of tenants that are no longer configured, once it has been forwarded', async () => {
    const journal = createTestJournal({ tenants: ['acme', 'gone'] });
    await journal.boot();
    const progress = createMemoryProgress();
    const partitions = new Map(['acme', 'gone'].map((tenant) => [tenant, createTestPartition()]));
    partitions.get('gone')!.away = true;
    const lane = (tenant: string) => partitions.get(tenant)!;
    const forwarder = await startTestForwarder({ journal, lane, progress });
    const worker = createTestWorker(lane('acme'), progress);
    await expectTaken(worker, journal);
    await worker.work(true);
    await journal.deliver(1, 'acme');
    await expectTaken(worker, journal);
    await worker.work(true);
    await eventually(() => expect(forwarder.covered()).toBe(2));
    lane('gone').away = false;
    await eventually(() => expect(forwarder.covered()).toBe(4));
    expect(await recordsOf(lane('gone'))).toHaveLength(2);
  });
});
