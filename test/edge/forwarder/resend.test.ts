import { describe, expect, test } from 'vitest';
import { placeOf } from '../../../services/core/records/place.ts';
import type { NewRecord } from '../../../services/ports/log/log.ts';
import { createMemoryProgress } from '../../../services/ports/progress/memory.ts';
import {
  createTestJournal,
  createTestPartition,
  createTestProgress,
  createTestWorker,
  eventually,
  expectTaken,
  type Fate,
  looked,
  recordsOf,
  startTestForwarder,
} from './fixture.ts';

const kept = (count: number): Fate[] => Array(count).fill('kept');
const pairs = { batchRecordsMax: 2 };

describe('sending again', () => {
  test('begins with the first record that was lost and is not repeated before the worker has come by', async () => {
    const journal = createTestJournal();
    await journal.boot();
    await journal.deliver(8);
    const partition = createTestPartition();
    const progress = createTestProgress();
    const worker = createTestWorker(partition, progress);
    partition.meet(...kept(2), 'lost');
    const forwarder = await startTestForwarder({ journal, partition, progress, limits: pairs });
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(8));
    await looked(progress);
    expect(await forwarder.metric('resent')).toBe(0);

    await worker.work();
    expect(worker.summary().producersBehind).toBe(1);
    await eventually(async () => expect(await forwarder.metric('resent')).toBe(6));
    await looked(progress);
    await looked(progress);
    expect(await forwarder.metric('resent')).toBe(6);
    const again = (await recordsOf(partition)).slice(8).map(({ frame }) => placeOf(frame).seq);
    expect(again).toEqual([4, 5, 6, 7, 8, 9]);
    expect(forwarder.lines.filter(({ msg }) => msg.startsWith('A lane has lost'))).toHaveLength(1);

    await expectTaken(worker, journal);
    await looked(progress);
    expect(await forwarder.metric('resent')).toBe(6);
    expect(await forwarder.metric('forwarded')).toBe(10);
  });

  test('is for one lane only, and holds up no other one of its partition', async () => {
    const journal = createTestJournal({ tenants: ['acme', 'bolt'] });
    await journal.boot();
    for (let n = 0; n < 20; n++) for (const tenant of ['acme', 'bolt']) await journal.deliver(1, tenant);
    const partition = createTestPartition();
    const progress = createMemoryProgress();
    const workers = ['acme', 'bolt'].map((tenant) => createTestWorker(partition, progress, tenant));
    let appends = 0;
    const lane = {
      async append(batch: readonly NewRecord[]) {
        appends++;
        // Four records open the boots; then each batch has one of acme and one of bolt.
        if (appends === 3) return partition.append(batch.filter(({ key }) => key === 'bolt'));
        if (appends === 26) {
          for (const tenant of ['acme', 'bolt']) await journal.deliver(1, tenant);
          await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(2));
        }
        return partition.append(batch);
      },
    };
    const tenants = ['acme', 'bolt'];
    const forwarder = await startTestForwarder({
      journal,
      partition,
      lane: () => lane,
      progress,
      tenants,
      limits: pairs,
    });
    await eventually(async () => expect(await forwarder.metric('forwarded')).toBe(44));
    for (const worker of workers) await worker.work();
    // Also the two that are journaled while acme's are sent again.
    await eventually(async () => {
      for (const worker of workers) await worker.work();
      expect(await forwarder.metric('forwarded')).toBe(46);
    });
    await expectTaken(workers[0]!, journal, 'acme');
    await expectTaken(workers[1]!, journal, 'bolt');
    expect(await forwarder.metric('resent')).toBe(20);
    const arrived = await recordsOf(partition);
    const newest = arrived.findIndex(({ frame, key }) => key === 'bolt' && placeOf(frame).seq === 22);
    expect(newest).toBeLessThan(arrived.length - 10);
    expect(arrived.slice(43).filter(({ key }) => key === 'bolt')).toHaveLength(1);
    // New ones of the lane that is sent again wait for the older ones: they go once, and last.
    expect(arrived.slice(43).map(({ key, frame }) => key === 'acme' && placeOf(frame).seq)).toEqual(
      expect.arrayContaining([2, 22]),
    );
    expect(arrived.filter(({ key, frame }) => key === 'acme' && placeOf(frame).seq === 22)).toHaveLength(1);
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(0));
  });

  test.each<[name: string, fates: Fate[]]>([
    ['the end of the first', [...kept(2), 'lost']],
    ['the opening of the second', [...kept(3), 'lost']],
    ['the end of the first and the opening of the second', [...kept(2), 'lost', 'lost']],
    ['all of the second', [...kept(3), 'lost', 'lost', 'lost']],
    ['all from the end of the first on', [...kept(2), 'lost', 'lost', 'lost', 'lost']],
    ['the end of the first, behind the second', [...kept(2), 'late', 'lost', 'kept']],
  ])('boots of one edge: %s was lost', async (_name, fates) => {
    const journal = createTestJournal();
    // In twos: settings and boot, four deliveries; boot, five deliveries; boot, a delivery.
    for (const deliveries of [4, 5, 1]) {
      await journal.boot();
      await journal.deliver(deliveries);
    }
    const partition = createTestPartition();
    const progress = createMemoryProgress();
    const worker = createTestWorker(partition, progress);
    partition.meet(...fates);
    const forwarder = await startTestForwarder({ journal, partition, progress, limits: pairs });
    await eventually(async () => expect(await forwarder.metric('forwarded')).toBe(14));
    await expectTaken(worker, journal);
    expect(worker.summary()).toMatchObject({ producersBehind: 0, ledger: { journaled: 10, events: 10 } });
    expect(
      worker
        .summary()
        .producers.map(({ closed }) => closed)
        .toSorted(),
    ).toEqual([false, true, true]);
  });
});
