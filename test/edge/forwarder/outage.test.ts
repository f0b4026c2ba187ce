import { describe, expect, test } from 'vitest';
import { placeOf } from '../../../services/core/records/place.ts';
import type { Log } from '../../../services/ports/log/log.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { createMemoryProgress } from '../../../services/ports/progress/memory.ts';
import { startMs } from '../../core/flow/lane.ts';
import { controlsOf, createFaultyLog, startTestEdge } from '../fixture.ts';
import {
  createTestJournal,
  createTestPartition,
  createTestProgress,
  createTestWorker,
  eventually,
  expectTaken,
  looked,
  recordsOf,
  rowsOf,
  startTestForwarder,
  type TestForwarder,
} from './fixture.ts';

const said = ({ lines }: TestForwarder, words: string) => lines.filter(({ msg }) => msg.startsWith(words));

describe('Kafka is away', () => {
  test('what is journaled waits, is counted and dated, and all of it arrives in order', async () => {
    const journal = createTestJournal();
    const partition = createTestPartition();
    const progress = createMemoryProgress();
    let nowMs = startMs;
    partition.away = true;
    const forwarder = await startTestForwarder({ journal, partition, progress, now: () => nowMs });
    await journal.boot();
    await journal.deliver(400);
    const records = await recordsOf(journal.log);
    nowMs = startMs + 11_000;
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(402));
    const bytes = records.reduce((sum, { frame }) => sum + frame.length, 0);
    await eventually(async () => expect(await forwarder.metric('unforwardedBytes')).toBe(bytes));
    // The boot was opened a second after the start.
    expect(await forwarder.metric('unforwardedSeconds')).toBe(10);
    expect(forwarder.catchingUp('acme')).toBe(true);
    await eventually(async () => expect(await forwarder.metric('errors')).toBeGreaterThan(5));
    expect(said(forwarder, 'Records cannot be brought')).toMatchObject([{ level: 40 }]);

    partition.away = false;
    const worker = createTestWorker(partition, progress);
    await expectTaken(worker, journal);
    expect(worker.rows()).toEqual(await rowsOf(journal));
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(0));
    expect(await forwarder.metric('unforwardedBytes')).toBe(0);
    expect(await forwarder.metric('unforwardedSeconds')).toBe(0);
    expect(forwarder.catchingUp('acme')).toBe(false);
    expect(said(forwarder, 'Records are brought')).toHaveLength(1);
  });

  test('for workers alone: what is journaled arrives, and nothing is let go', async () => {
    const journal = createTestJournal();
    const partition = createTestPartition();
    const latest = () => Promise.reject(new Error('away'));
    const forwarder = await startTestForwarder({ journal, partition, progress: { latest } });
    await journal.boot();
    await journal.deliver(3);
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(5));
    expect(said(forwarder, 'It is not known how far')).toMatchObject([{ level: 50 }]);
    expect(forwarder.covered()).toBe(0);
  });

  test('for workers, and it is not known what was forwarded: they are asked first', async () => {
    const journal = createTestJournal();
    await journal.boot();
    const partition = createTestPartition();
    const progress = createTestProgress();
    let away = true;
    const latest = async (tenant: string) => {
      const answer = await progress.latest(tenant);
      if (away) throw new Error('away');
      return answer;
    };
    const forwarder = await startTestForwarder({ journal, partition, progress: { latest } });
    await looked(progress);
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(2));
    expect(partition.batches).toHaveLength(0);
    away = false;
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(2));
  });

  test('deliveries are answered 202 all the while, and ticks say that the lane is behind', async () => {
    const log = createFaultyLog();
    const partition = createTestPartition();
    partition.away = true;
    let lateMs = 0;
    const forwarder = await startTestForwarder({
      journal: { log },
      partition,
      tenants: ['northwind'],
      now: () => Date.now() + lateMs,
    });
    const edge = await startTestEdge({ log, catchingUp: forwarder.catchingUp, remarks: forwarder.troubles });
    const ticks = async () => controlsOf(await log.records()).filter(({ kind }) => kind === 'tick');
    const tick = async (count: number) => {
      edge.tick();
      await eventually(async () => expect(await ticks()).toHaveLength(count));
    };
    expect((await edge.post()).status).toBe(202);
    await tick(1);
    lateMs = 60_000;
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(4));
    await tick(2);
    expect((await edge.post()).status).toBe(202);
    const ready = await fetch(`${edge.url}/readyz`);
    expect([ready.status, await ready.json()]).toMatchObject([
      200,
      { status: 'ready', remarks: ['Records cannot be brought into their lanes: they wait in the journal'] },
    ]);
    expect(await forwarder.metric('forwarding')).toBe(0);
    partition.away = false;
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(0));
    await tick(3);
    const readyz = await (await fetch(`${edge.url}/readyz`)).json();
    expect(readyz).toMatchObject({ status: 'ready' });
    expect(readyz).not.toHaveProperty('remarks');
    await eventually(async () => expect(await forwarder.metric('forwarding')).toBe(1));
    expect((await ticks()).map((control) => control.catching_up)).toEqual([false, true, false]);
    const arrived = (await recordsOf(partition)).map(({ frame }) => placeOf(frame).id);
    const journaled = (await recordsOf(log)).map(({ frame }) => placeOf(frame).id);
    expect(arrived).toEqual(journaled.slice(0, arrived.length));
  });
});

/** Frames as SQLite gives them: views of a whole commit. */
function viewsOf(log: Log): Log {
  return {
    ...log,
    async read(from, limits) {
      const records = await log.read(from, limits);
      return records.map((record) => {
        const { length } = record.frame;
        return { ...record, frame: Buffer.concat([record.frame, Buffer.alloc(1000)]).subarray(0, length) };
      });
    },
  };
}

describe('one partition is stuck', () => {
  test('all others go on, and of it one batch is in memory', async () => {
    const tenants = ['acme', 'bolt', 'contoso'];
    const journal = createTestJournal({ tenants });
    await journal.boot();
    const partitions = new Map(tenants.map((tenant) => [tenant, createTestPartition()]));
    const lane = (tenant: string) => partitions.get(tenant)!;
    const progress = createMemoryProgress();
    lane('acme').hold();
    lane('bolt').away = true;
    const limits = { batchRecordsMax: 10 };
    const log = viewsOf(journal.log);
    const forwarder = await startTestForwarder({ journal: { log }, lane, progress, tenants, limits });
    for (let n = 0; n < 300; n++) await journal.deliver(1, tenants[n % 3]);
    const worker = createTestWorker(lane('contoso'), progress, 'contoso');
    await expectTaken(worker, journal, 'contoso');
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(204));
    expect(lane('acme').batches).toHaveLength(1);
    const first = lane('bolt').batches[0]!;
    for (const batch of lane('bolt').batches) expect(batch).toBe(first);
    for (const { frame } of first) expect(frame.buffer.byteLength).toBe(frame.length);
    expect(forwarder.catchingUp('contoso')).toBe(false);

    lane('acme').release();
    lane('bolt').away = false;
    for (const tenant of ['acme', 'bolt']) {
      const late = createTestWorker(lane(tenant), progress, tenant);
      await expectTaken(late, journal, tenant);
      expect(late.taken()).toEqual(await journal.ids(tenant));
    }
    await eventually(async () => expect(await forwarder.metric('unforwardedRecords')).toBe(0));
  });

  test('one that is far behind reads the journal for itself: the newest part alone is in memory', async () => {
    const tenants = ['acme', 'bolt'];
    const journal = createTestJournal({ tenants });
    await journal.boot();
    const partitions = new Map(tenants.map((tenant) => [tenant, createTestPartition()]));
    const lane = (tenant: string) => partitions.get(tenant)!;
    const progress = createMemoryProgress();
    let bytesRead = 0;
    const log: Log = {
      ...journal.log,
      async read(from, limits) {
        const records = await journal.log.read(from, limits);
        bytesRead += records.reduce((sum, { frame }) => sum + frame.length, 0);
        return records;
      },
    };
    lane('acme').hold();
    // The hint is not saved meanwhile: that reads a record too.
    const limits = { noteIntervalMs: 60_000 };
    const forwarder = await startTestForwarder({ journal: { log }, lane, progress, tenants, limits });
    const megabyte = { body: Buffer.alloc(1_000_000) };
    for (let n = 1; n <= 10; n++) {
      for (const tenant of tenants) await journal.deliver(1, tenant, megabyte);
      await eventually(async () => expect(await forwarder.metric('forwarded')).toBe(2 + n));
    }
    // Who keeps up found it in memory.
    expect(bytesRead).toBeLessThan(21_000_000);
    lane('acme').release();
    await eventually(async () => expect(await forwarder.metric('forwarded')).toBe(24));
    expect(bytesRead).toBeGreaterThan(30_000_000);
  });
});

describe('what goes wrong otherwise', () => {
  test('an append that fails for another reason is tried again all the same, and said as an error', async () => {
    const journal = createTestJournal();
    const partition = createTestPartition();
    let failures = 3;
    const lane = {
      async append(batch: Parameters<Log['append']>[0]) {
        if (failures-- > 0) throw Object.assign(new Error('not authorized'), { code: 'FORBIDDEN' });
        return partition.append(batch);
      },
    };
    const forwarder = await startTestForwarder({ journal, partition, lane: () => lane });
    await journal.boot();
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(2));
    expect(await forwarder.metric('errors')).toBe(3);
    expect(said(forwarder, 'Records cannot be brought')).toMatchObject([{ level: 50 }]);
  });

  test('a journal that cannot be read for a while', async () => {
    const log = createMemoryLog();
    const journal = createTestJournal();
    await journal.boot();
    let failures = 3;
    const flaky: Log = {
      ...log,
      async read(from, limits) {
        if (failures-- > 0) throw new Error('disk I/O error');
        return journal.log.read(from, limits);
      },
    };
    const partition = createTestPartition();
    const forwarder = await startTestForwarder({ journal: { log: flaky }, partition });
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(2));
    expect(said(forwarder, 'The journal')).toMatchObject([{ level: 50 }, { level: 30 }]);
  });

  test('a fault of the program is told', async () => {
    const journal = createTestJournal();
    const lane = (tenant: string) => {
      if (tenant === 'bolt') throw new TypeError('a fault');
      return createTestPartition();
    };
    const forwarder = await startTestForwarder({ journal, lane });
    const stranger = createTestJournal({ tenants: ['bolt'] });
    await stranger.boot();
    await journal.log.append(await recordsOf(stranger.log));
    await expect(forwarder.failed).rejects.toThrow('a fault');
    expect(said(forwarder, 'Forwarding has failed')).toHaveLength(1);
  });
});

describe('at the end', () => {
  test('what is left is brought into its lane first', async () => {
    const journal = createTestJournal();
    const partition = createTestPartition();
    const forwarder = await startTestForwarder({
      journal,
      partition,
      limits: { batchRecordsMax: 3, pollIntervalMs: 50 },
    });
    await journal.boot();
    await journal.deliver(100);
    await forwarder.stop(10_000);
    expect(await recordsOf(partition)).toHaveLength(102);
  });

  test('where it cannot be, it waits in the journal for the next start', async () => {
    const journal = createTestJournal();
    await journal.boot();
    const partition = createTestPartition();
    const progress = createMemoryProgress();
    const first = await startTestForwarder({ journal, partition, progress });
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(2));
    partition.away = true;
    await journal.deliver(5);
    await first.stop(20);
    partition.away = false;
    await startTestForwarder({ journal, partition, progress, hintFile: first.hintFile });
    await eventually(async () => expect(await recordsOf(partition)).toHaveLength(7));
  });
});
