import { describe, expect, test } from 'vitest';
import { createMemoryProgress } from '../../../services/ports/progress/memory.ts';
import {
  createTestJournal,
  createTestPartition,
  createTestWorker,
  eventually,
  expectTaken,
  type Fate,
  recordsOf,
  rowsOf,
  startTestForwarder,
} from './fixture.ts';

/** A journal with a boot and some deliveries, an unreliable partition, and a worker at its end. */
async function system({ deliveries = 5 } = {}) {
  const journal = createTestJournal();
  await journal.boot();
  await journal.deliver(deliveries);
  const partition = createTestPartition();
  const progress = createMemoryProgress();
  const worker = createTestWorker(partition, progress);
  return { journal, partition, progress, worker, start: () => startTestForwarder({ journal, partition, progress }) };
}

describe('what is journaled', () => {
  test('arrives in order, once where all goes well, with headers for other readers', async () => {
    const { journal, partition, worker, start } = await system();
    const forwarder = await start();
    await journal.deliver(3);
    await expectTaken(worker, journal);
    expect(worker.taken()).toEqual(await journal.ids());
    expect(worker.rows()).toEqual(await rowsOf(journal));
    expect(await recordsOf(partition)).toHaveLength(10);
    expect(partition.batches[0]![0]!.headers).toMatchObject({
      'content-type': 'application/avro',
      ce_id: (await journal.ids())[0],
    });
    await eventually(async () => expect(await forwarder.metric('forwarded')).toBe(10));
    expect(await forwarder.metric('resent')).toBe(0);
  });

  test('goes in batches that are bounded; a record that is larger goes alone', async () => {
    const { journal, partition, progress, worker } = await system({ deliveries: 2 });
    await journal.deliver(1, 'acme', { body: Buffer.alloc(5000) });
    await journal.deliver(20);
    const limits = { batchBytesMax: 3000, batchRecordsMax: 4 };
    await startTestForwarder({ journal, partition, progress, limits });
    await expectTaken(worker, journal);
    const sizes = partition.batches.map((batch) => batch.reduce((sum, { frame }) => sum + frame.length, 0));
    for (const [index, batch] of partition.batches.entries()) {
      expect(batch.length).toBeLessThanOrEqual(4);
      if (batch.length > 1) expect(sizes[index]).toBeLessThanOrEqual(3000);
    }
    expect(partition.batches.filter((batch) => batch.some(({ frame }) => frame.length > 5000))).toHaveLength(1);
  });
});

describe('whatever becomes of appends, each record has one effect', () => {
  test.each<[name: string, fates: Fate[]]>([
    ['all is well', []],
    ['refused', ['refused']],
    ['refused often', Array(12).fill('refused')],
    ['landed without an acknowledgement', ['landed']],
    ['landed twice without', ['kept', 'landed', 'landed', 'kept']],
    ['arrived behind what came after it', ['kept', 'late', 'kept']],
    ['arrived behind again and again', ['late', 'late', 'kept', 'late']],
    ['one in the middle was acknowledged and lost', ['kept', 'lost']],
    ['many were lost', ['kept', 'lost', 'kept', 'lost', 'lost', 'kept', 'lost']],
    ['what was sent again was lost as well', ['kept', 'lost', 'kept', 'kept', 'kept', 'lost', 'kept', 'lost']],
    [
      'everything at once',
      ['kept', 'late', 'lost', 'landed', 'kept', 'refused', 'lost', 'late', 'kept', 'landed', 'lost'],
    ],
  ])('%s', async (_name, fates) => {
    const { journal, partition, progress, worker } = await system({ deliveries: 9 });
    partition.meet(...fates);
    await startTestForwarder({ journal, partition, progress, limits: { batchRecordsMax: 2 } });
    // Ticks go on, so that what was lost last is followed by something.
    await eventually(async () => {
      await worker.work();
      await journal.control('tick');
      expect(worker.taken().length).toBeGreaterThan(10);
    });
    await expectTaken(worker, journal);
    expect(worker.taken()).toEqual(await journal.ids());
    expect(worker.rows()).toEqual(await rowsOf(journal));
    expect(worker.summary().producersBehind).toBe(0);
  });
});
