/** Partitions that are given to a sink and taken from it while it runs. */
import pino from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createConsumedLog } from '../../services/ports/log/consumed.ts';
import type { Log } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { createMemoryWarehouse } from '../../services/ports/warehouse/memory.ts';
import type { Warehouse } from '../../services/ports/warehouse/warehouse.ts';
import { createSinkShares } from '../../services/sink/shares.ts';
import { createSink, type SinkOptions } from '../../services/sink/sink.ts';
import { createRegistry, sinkMetrics } from '../../services/telemetry.ts';
import { frame, makeEvent } from '../console/fixtures.ts';

const event = (seq: number) => frame('event', makeEvent({ seq }));
const seqsPerPartition = 1_000;

/** A sink that shares three partitions of which each has four events. */
async function openShares(more: Partial<SinkOptions> = {}) {
  const logs: Log[] = [createMemoryLog(), createMemoryLog(), createMemoryLog()];
  const seqs = logs.map((_, partition) => partition * seqsPerPartition);
  const append = (partition: number, count = 1) =>
    logs[partition]!.append(Array.from({ length: count }, () => event(seqs[partition]!++)));
  await Promise.all(logs.map((_, partition) => append(partition, 4)));
  const committed = new Map<number, number>();
  /** Seqs in the order in which they were written. */
  const written: number[] = [];
  const memory = createMemoryWarehouse();
  const insert = vi.fn<Warehouse['insert']>(async (kind, schemaId, bodies) => {
    await memory.insert(kind, schemaId, bodies);
    written.push(...bodies.map(seqOf));
  });
  const metrics = sinkMetrics(createRegistry('test'));
  const logger = pino({ level: 'silent' });
  let assign: (partitions: readonly number[]) => void = () => {};
  const leave = vi.fn(async () => {});
  const shares = createSinkShares({
    join(assigned) {
      assign = assigned;
      return { leave };
    },
    sink: createSink({
      ...{
        sources: [],
        warehouse: { ...memory, insert },
        metrics,
        logger,
        batchAgeMsMax: 1,
        retryDelayMsMax: 1,
        restartCheckMs: 10,
      },
      ...more,
    }),
    openPartition: (partition) => [
      {
        name: `events/${partition}`,
        log: createConsumedLog(logs[partition]!, {
          committed: async () => committed.get(partition),
          commit: async (position) => void committed.set(partition, position),
        }),
      },
    ],
    logger,
  });
  const running = shares.run();
  onTestFinished(() => shares.stop(0));
  const positions = async () => (await metrics.position.get()).values.map(({ labels }) => labels.source).toSorted();
  return {
    shares,
    running,
    assign: (...to: number[]) => assign(to),
    append,
    written,
    committed,
    insert,
    leave,
    positions,
  };
}

function seqOf(body: Uint8Array): number {
  const text = Buffer.from(body).toString('latin1');
  for (let seq = 0; seq < 3 * seqsPerPartition; seq++) if (text.includes(makeEvent({ seq }).id)) return seq;
  throw new Error('Cannot find the event of a row');
}

const sorted = (seqs: readonly number[]) => seqs.toSorted((a, b) => a - b);

test('a partition that stays goes on where it is; one that is new begins where its group has committed', async () => {
  const { assign, append, written, committed, shares, positions } = await openShares();
  expect(shares.troubles()).toEqual(['sink: it has not been given any partitions yet']);
  assign(0, 1);
  await expect.poll(() => sorted(written)).toEqual([0, 1, 2, 3, 1000, 1001, 1002, 1003]);
  await vi.waitFor(() => expect(shares.troubles()).toEqual([]));
  written.length = 0;
  committed.set(2, 2);
  assign(1, 2);
  await append(1);
  await expect.poll(() => sorted(written)).toEqual([1004, 2002, 2003]);
  expect(await positions()).toEqual(['events/1', 'events/2']);
});

test('a partition that comes back begins where its group has committed meanwhile', async () => {
  const { assign, written, append, committed } = await openShares();
  assign(0, 1);
  await expect.poll(() => written.length).toBe(8);
  assign(1);
  committed.set(0, 1);
  await append(0);
  written.length = 0;
  assign(0, 1);
  await expect.poll(() => sorted(written)).toEqual([1, 2, 3, 4]);
});

test('what was read of a partition that goes is still written, and says nothing of it any more', async () => {
  const { assign, append, written, insert, positions, committed } = await openShares({ keepMs: 1 });
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const write = insert.getMockImplementation()!;
  insert.mockImplementation((...args) => held.then(() => write(...args)));
  assign(0, 1);
  await vi.waitFor(() => expect(insert).toHaveBeenCalled());
  assign(1);
  release();
  await append(1);
  await expect.poll(() => sorted(written)).toEqual([0, 1, 2, 3, 1000, 1001, 1002, 1003, 1004]);
  await expect.poll(() => committed.get(1)).toBe(5);
  expect(committed.has(0)).toBe(false);
  expect(await positions()).toEqual(['events/1']);
});

test('a sink that is stopped writes what is there, then leaves', async () => {
  const { assign, append, written, shares, running, leave } = await openShares();
  assign(0);
  await expect.poll(() => written.length).toBe(4);
  await append(0);
  expect(leave).not.toHaveBeenCalled();
  await shares.stop();
  await running;
  expect(written).toEqual([0, 1, 2, 3, 4]);
  expect(leave).toHaveBeenCalledOnce();
});
