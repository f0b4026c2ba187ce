/** A lane that was restored from a backup has less than was brought into it: what the journal still has is sent again. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { keepForwarding } from '../../../services/edge/forwarder/keep.ts';
import { createMemoryProgress } from '../../../services/ports/progress/memory.ts';
import type { Progress } from '../../../services/ports/progress/progress.ts';
import { createRegistry, forwarderMetrics } from '../../../services/telemetry.ts';
import { startMs } from '../../core/flow/lane.ts';
import { temporaryFolder } from '../fixture.ts';
import {
  createTestJournal,
  createTestPartition,
  createTestWorker,
  eventually,
  expectTaken,
  recordsOf,
  type TestJournal,
  type TestPartition,
} from './fixture.ts';

const ample = { records: 1_000, bytes: 1e9 };

/** The forwarder of an edge, from one start of it to the next. */
async function forward(journal: TestJournal, partition: TestPartition, progress: Progress, hintFile: string) {
  const lines: { msg: string; err?: { message: string } }[] = [];
  const forwarder = await keepForwarding(
    {
      journal: journal.log,
      lane: () => partition,
      progress,
      tenants: ['acme'],
      hintFile,
      metrics: forwarderMetrics(createRegistry('edge')),
      logger: pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
      now: () => startMs,
      limits: { pollIntervalMs: 1, lookIntervalMs: 2, noteIntervalMs: 2 },
    },
    1,
  );
  onTestFinished(() => forwarder.stop(0));
  return { ...forwarder, lines };
}

const hintIn = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as { covered: number; savedAt: object };

/** A lane that was forwarded, worked on and saved up to its end, several times. */
async function workedOn() {
  const journal = createTestJournal();
  await journal.boot();
  const [partition, progress] = [createTestPartition(), createMemoryProgress()];
  const worker = createTestWorker(partition, progress);
  const hintFile = join(temporaryFolder(), 'forwarded.json');
  const forwarder = await forward(journal, partition, progress, hintFile);
  for (let round = 0; round < 4; round++) {
    await journal.deliver(3);
    const { next } = await journal.log.bounds();
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(next));
    await worker.work(true);
  }
  // All but the last round is in two snapshots: nothing before it would ever be sent again.
  await eventually(() => expect(hintIn(hintFile)).toMatchObject({ covered: 11, savedAt: { acme: 10 } }));
  await forwarder.stop(1_000);
  return { journal, hintFile };
}

/** The same lane as a backup has it: its first records, saved twice. */
async function restored(journal: TestJournal, savedAfter: readonly [number, number], count: number) {
  const [partition, progress] = [createTestPartition(), createMemoryProgress()];
  const worker = createTestWorker(partition, progress);
  const records = await journal.log.read(0, ample);
  let from = 0;
  for (const to of [...savedAfter, count]) {
    if (to > from) await partition.append(records.slice(from, to));
    if (to !== count) await worker.work(true);
    from = to;
  }
  return { partition, progress, worker };
}

test('all that is missing comes, each record once', async () => {
  const { journal, hintFile } = await workedOn();
  const { partition, progress, worker } = await restored(journal, [4, 6], 8);
  const { lines } = await forward(journal, partition, progress, hintFile);
  await expectTaken(worker, journal);
  expect(worker.summary()).toMatchObject({ producersBehind: 0, ledger: { journaled: 12, events: 12 } });
  expect(lines.flatMap(({ err }) => err?.message ?? [])).toContain(
    'Lane acme was saved at position 10, and is saved at 3 now: it was restored from a backup. What the journal still has is sent again',
  );
  // What the restored snapshots hold is not sent.
  const sent = (await recordsOf(partition)).slice(8);
  expect(sent).toHaveLength(14 - 4);
  // What is learnt from now on holds again.
  await worker.work(true);
  await journal.deliver(1);
  await eventually(async () => expect(await recordsOf(partition)).toHaveLength(8 + 10 + 1));
  await worker.work(true);
  await eventually(() => expect(hintIn(hintFile)).toMatchObject({ covered: 14, savedAt: { acme: 17 } }));
});

test('a lane that has only gone on is not sent again', async () => {
  const { journal, hintFile } = await workedOn();
  const { partition, progress } = await restored(journal, [11, 14], 14);
  const { lines, stop } = await forward(journal, partition, progress, hintFile);
  await journal.deliver(1);
  await eventually(async () => expect(await recordsOf(partition)).toHaveLength(15));
  await stop(1_000);
  expect(lines.filter(({ err }) => err)).toEqual([]);
  expect(await recordsOf(partition)).toHaveLength(15);
});
