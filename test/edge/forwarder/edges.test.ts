/** Several edges feed one lane; disks get lost and come back. */
import { rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createMemoryProgress } from '../../../services/ports/progress/memory.ts';
import { startMs } from '../../core/flow/lane.ts';
import {
  createTestJournal,
  createTestPartition,
  createTestWorker,
  eventually,
  expectTaken,
  type Fate,
  recordsOf,
  startTestForwarder,
  type TestJournal,
} from './fixture.ts';

function lane() {
  const partition = createTestPartition();
  const progress = createMemoryProgress();
  return { partition, progress, worker: createTestWorker(partition, progress) };
}

/** Waits until everything in the journal has been acknowledged. */
async function forwardAll(journal: TestJournal, fields: Omit<Parameters<typeof startTestForwarder>[0], 'journal'>) {
  const forwarder = await startTestForwarder({ journal, ...fields });
  await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(0));
  await forwarder.stop(1000);
  return forwarder;
}

test('two edges that both begin the lane: it has one beginning, and every delivery one effect', async () => {
  const { partition, progress, worker } = lane();
  const journals = ['edge-1', 'edge-2'].map((edge) => createTestJournal({ edge }));
  for (const journal of journals) await journal.boot();
  for (const journal of journals) await startTestForwarder({ journal, partition, progress });
  for (let n = 0; n < 20; n++) await journals[n % 2]!.deliver(1 + (n % 3));
  for (let n = 0; n < 3; n++) partition.meet('late', 'lost', 'kept', 'landed');
  for (const journal of journals) await journal.deliver(20);
  // Ticks go on, so that what was lost last is followed by something.
  await eventually(async () => {
    for (const journal of journals) await journal.control('tick');
    await worker.work();
    expect(worker.summary().ledger.journaled).toBe(79);
  });
  // So is the last of them, which may have met a fate of its own.
  partition.calm();
  for (const journal of journals) await journal.control('tick');
  for (const journal of journals) await expectTaken(worker, journal);
  const { settings, ledger, producers } = worker.summary();
  expect(ledger).toMatchObject({ journaled: 79, events: 79 });
  expect(producers.map(({ edge }) => edge).toSorted()).toEqual(['edge-1', 'edge-2']);
  const geneses = [...worker.rows().values()].map((row) => JSON.parse(row)).filter(({ kind }) => kind === 'settings');
  expect(geneses.map(({ remark }) => remark !== '').toSorted()).toEqual([false, true]);
  expect(settings?.id).toBe(geneses.find(({ remark }) => remark === '').id);
});

describe('an edge whose disk is lost', () => {
  test('has lost what was not forwarded, as many as it said, and blocks nobody', async () => {
    const { partition, progress, worker } = lane();
    const [lost, other] = [createTestJournal({ edge: 'edge-1' }), createTestJournal({ edge: 'edge-2' })];
    for (const journal of [lost, other]) await journal.boot();
    const forwarder = await startTestForwarder({ journal: lost, partition, progress });
    await lost.deliver(5);
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(7));
    partition.away = true;
    await lost.deliver(4);
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(4));
    await forwarder.stop(0);
    partition.away = false;

    await startTestForwarder({ journal: other, partition, progress });
    for (let n = 0; n < 100; n++) await other.control('tick');
    await expectTaken(worker, other);
    expect(worker.summary().ledger.journaled).toBe(9 - 4);
    // The lost edge's clock stood still nine seconds after the start: it no longer holds time.
    expect(worker.summary().watermark).toBeGreaterThan(startMs + 90_000);

    const anew = createTestJournal({ edge: 'edge-1', atMs: startMs + 200_000 });
    await anew.boot();
    await anew.deliver(3);
    await startTestForwarder({ journal: anew, partition, progress });
    await expectTaken(worker, anew);
    expect(worker.summary().ledger).toMatchObject({ journaled: 8, events: 8 });
    expect(worker.summary().producersBehind).toBe(0);
  });

  /** An edge whose last appends met these fates, and of which another edge has said that it will not come back. */
  async function retired(...fates: Fate[]) {
    const { partition, progress, worker } = lane();
    const [lost, other] = [createTestJournal({ edge: 'edge-1' }), createTestJournal({ edge: 'edge-2' })];
    const boot = await lost.boot();
    await lost.deliver(8);
    partition.meet(...fates);
    const limits = { batchRecordsMax: 2 };
    const forwarder = await startTestForwarder({ journal: lost, partition, progress, limits });
    await eventually(() => expect(partition.batches.length).toBeGreaterThanOrEqual(5));
    await forwarder.stop(0);
    partition.calm();
    await worker.work();
    await other.boot();
    await other.control('gap', { document: JSON.stringify({ boot, edge: 'edge-1' }) });
    await forwardAll(other, { partition, progress, limits });
    await worker.work();
    return { partition, progress, worker, lost, hintFile: forwarder.hintFile, limits };
  }

  test.each<[name: string, atFirst: Fate[], later: Fate[], known: number]>([
    ['whose end was not forwarded', ['kept', 'kept', ...Array(1000).fill('refused')], [], 0],
    ['of which the middle was lost', ['kept', 'lost', 'kept', 'lost', 'kept'], [], 8],
    ['of which the middle was lost, and is reordered', ['kept', 'lost', 'kept', 'lost', 'kept'], ['late', 'late'], 8],
    ['of which the middle is lost twice', ['kept', 'lost', 'lost', 'kept', 'kept'], ['lost', 'kept', 'lost'], 8],
  ])('is retired, found again, and its records count once: one %s', async (_name, atFirst, later, known) => {
    for (const hint of ['kept', 'lost']) {
      const { partition, progress, worker, lost, hintFile, limits } = await retired(...atFirst);
      const before = worker.summary();
      expect(before).toMatchObject({ producersBehind: 0, retired: { lost: known, recovered: 0 } });
      if (hint === 'lost') rmSync(hintFile, { force: true });
      partition.meet(...later);
      await startTestForwarder({ journal: lost, partition, progress, hintFile, limits });
      await expectTaken(worker, lost);
      const { ledger, retired: counts } = worker.summary();
      expect(ledger).toMatchObject({ journaled: 8, events: 8 });
      expect(counts).toEqual({ lost: 0, recovered: 8 - before.ledger.journaled, dropped: 0 });
    }
  });
});
