/** A lane that was restored from a backup has less than was brought into it: what the journal still has is sent again. */
import { readFileSync, writeFileSync } from 'node:fs';
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

/** What another edge brings into the lane, and its worker saves: as many rounds, of six records each. */
async function driveOn({ partition, worker }: Awaited<ReturnType<typeof restored>>, rounds: number) {
  const other = createTestJournal({ edge: 'edge-2' });
  await other.boot();
  for (let from = 0; rounds > 0; rounds--) {
    await other.deliver(6);
    const records = await other.log.read(from, ample);
    await partition.append(records);
    from += records.length;
    await worker.work(true);
  }
}

/** The hint as earlier versions wrote it. */
function withoutHeld(file: string): void {
  const { held, ...others } = hintIn(file) as ReturnType<typeof hintIn> & { held: object };
  expect(held).toMatchObject({ acme: expect.anything() });
  writeFileSync(file, JSON.stringify(others));
}

test.each([['this'], ['an earlier']])(
  'another edge has driven it on beyond where it was saved: all comes, by the hint of %s version',
  async (version) => {
    const { journal, hintFile } = await workedOn();
    if (version !== 'this') withoutHeld(hintFile);
    const lane = await restored(journal, [4, 6], 8);
    await driveOn(lane, 3);
    // Its boot is followed by another one, and by none.
    for (let boots = 0; boots < 2; boots++) {
      await journal.boot();
      await journal.deliver(2);
    }
    const { lines } = await forward(journal, lane.partition, lane.progress, hintFile);
    await expectTaken(lane.worker, journal);
    expect(lane.worker.summary()).toMatchObject({ producersBehind: 0, ledger: { journaled: 12 + 4 + 18 } });
    expect(lines.flatMap(({ err }) => err?.message ?? [])).toContainEqual(
      expect.stringMatching(/^Lane acme .*: it was restored from a backup. What the journal still has is sent again$/),
    );
    expect(lines.filter(({ msg }) => msg.includes('no longer'))).toEqual([]);
  },
);

test('a lane that has never met a boot whose every record was covered', async () => {
  const { journal, hintFile } = await workedOn();
  const lane = await restored(createTestJournal({ edge: 'edge-3' }), [0, 0], 0);
  await driveOn(lane, 4);
  await journal.boot();
  await forward(journal, lane.partition, lane.progress, hintFile);
  await expectTaken(lane.worker, journal);
  expect(lane.worker.summary()).toMatchObject({ producersBehind: 0, ledger: { journaled: 12 + 24 } });
});

test('what the journal has let go of is told with its number, once', async () => {
  const { journal, hintFile } = await workedOn();
  const lane = await restored(journal, [4, 6], 8);
  await driveOn(lane, 3);
  await journal.log.trim(11);
  await journal.boot();
  await journal.deliver(1);
  const { lines } = await forward(journal, lane.partition, lane.progress, hintFile);
  await eventually(async () => {
    await lane.worker.work(true);
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'A lane has lost records that are in the journal no longer', seq: 8, missing: 3 }),
    );
  });
  for (let n = 0; n < 5; n++) await lane.worker.work(true);
  expect(lines.filter(({ msg }) => msg.includes('no longer'))).toHaveLength(1);
});
