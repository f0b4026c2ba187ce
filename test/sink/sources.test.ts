/** The sink over several logs. */
import { describe, expect, test, vi } from 'vitest';
import { createConsumedLog } from '../../services/ports/log/consumed.ts';
import { type Log, LogUnavailableError } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { createMemoryWarehouse } from '../../services/ports/warehouse/memory.ts';
import { type Warehouse, WarehouseError } from '../../services/ports/warehouse/warehouse.ts';
import { frame, makeEvent } from '../console/fixtures.ts';
import { everything, kinds, outputsOfALane, startSink } from './sink.ts';

const event = (seq: number) => frame('event', makeEvent({ seq }));

async function logOf(from: number, count: number): Promise<Log> {
  const log = createMemoryLog();
  if (count > 0) await log.append(Array.from({ length: count }, (_, n) => event(from + n)));
  return log;
}

/** So many logs, each with events of its own. */
async function logsOf(counts: readonly number[]): Promise<Record<string, Log>> {
  const logs = await Promise.all(counts.map((count, index) => logOf(index * 10_000, count)));
  return Object.fromEntries(logs.map((log, index) => [`events/${index}`, log]));
}

/** A warehouse that counts, and fails as `fault` says. */
function observed(
  fault: (bodies: readonly Uint8Array[], kind: string) => WarehouseError | undefined = () => undefined,
) {
  const memory = createMemoryWarehouse();
  const inserts: number[] = [];
  const warehouse: Warehouse = {
    ...memory,
    async insert(kind, schemaId, bodies) {
      const error = fault(bodies, kind);
      if (error) throw error;
      inserts.push(bodies.length);
      return memory.insert(kind, schemaId, bodies);
    },
  };
  return { warehouse, inserts };
}

test('a lane whose kinds are in logs of their own ends as one that is in one log', async () => {
  const together = await outputsOfALane();
  const apart: Record<string, Log> = {};
  for (const { key, frame: bytes } of await together.read(0, { records: 1e6, bytes: 1e9 })) {
    const name = `schema-${bytes[4]}`;
    apart[name] ??= createMemoryLog();
    await apart[name].append([{ key, frame: bytes }]);
  }
  expect(Object.keys(apart)).toHaveLength(kinds.length);
  const [one, several] = [createMemoryWarehouse(), createMemoryWarehouse()];
  await startSink(together, one).untilWritten();
  await startSink(apart, several).untilWritten();
  expect(await everything(several)).toEqual(await everything(one));
});

describe('84 logs', () => {
  test('what all of them have is one insert', async () => {
    const { warehouse, inserts } = observed();
    await startSink(await logsOf(Array.from({ length: 84 }, () => 3)), warehouse).untilWritten();
    expect(inserts).toEqual([252]);
  });

  test('one busy log has full batches, and the others wait no longer for it than a round', async () => {
    const { warehouse, inserts } = observed();
    const logs = await logsOf([5_000, ...Array.from({ length: 83 }, () => 1)]);
    const { untilWritten } = startSink(logs, warehouse, { batchRecordsMax: 1_000 });
    await untilWritten();
    expect(inserts.reduce((sum, rows) => sum + rows, 0)).toBe(5_083);
    expect(inserts.length).toBeLessThanOrEqual(6);
    expect(inserts[0]).toBeGreaterThanOrEqual(900);
    expect(await warehouse.rows('event', { limit: 1e6 })).toHaveLength(5_083);
  });
});

describe('a log that is not reached', () => {
  const away = new LogUnavailableError('no leader');

  test('is said, the others go on, and it comes back without a gap', async () => {
    const logs = await logsOf([4, 4, 4]);
    const log = logs['events/1']!;
    const bounds = vi.spyOn(log, 'bounds').mockRejectedValue(away);
    const { warehouse } = observed();
    const { sink, untilWritten } = startSink(logs, warehouse);
    await untilWritten('events/0', 'events/2');
    expect(sink.troubles()).toEqual(['sink: events/1: no leader']);
    bounds.mockRestore();
    await untilWritten();
    await vi.waitFor(() => expect(sink.troubles()).toEqual([]));

    const read = vi.spyOn(log, 'read').mockRejectedValue(away);
    await log.append([event(15_001), event(15_002)]);
    await vi.waitFor(() => expect(sink.troubles()).toEqual(['sink: events/1: no leader']));
    read.mockRestore();
    await untilWritten();
    expect(await warehouse.rows('event')).toHaveLength(14);
  });

  test('when it is trimmed, that is done later', async () => {
    const logs = await logsOf([4]);
    const log = logs['events/0']!;
    const trim = vi.spyOn(log, 'trim').mockRejectedValueOnce(away);
    startSink(logs, observed().warehouse, { keepMs: 1 });
    await expect.poll(async () => (await log.bounds()).first).toBe(4);
    expect(trim.mock.calls.length).toBeGreaterThan(1);
  });

  test('does not hold up a stop', async () => {
    const logs = await logsOf([4, 4]);
    vi.spyOn(logs['events/1']!, 'bounds').mockRejectedValue(away);
    const { warehouse } = observed();
    const { sink, running } = startSink(logs, warehouse);
    await sink.stop();
    await running;
    expect(await warehouse.rows('event')).toHaveLength(4);
  });
});

test('after ClickHouse could not be reached, each log is written again from where it begins', async () => {
  const logs = await logsOf([4, 6]);
  const commit = vi.fn(async () => {});
  const source = createConsumedLog(logs['events/1']!, { committed: async () => 2, commit });
  const faults = [undefined, new WarehouseError('WAREHOUSE_UNAVAILABLE', 'restarting')];
  const { warehouse, inserts } = observed(() => faults.shift());
  const { untilWritten } = startSink({ 'events/0': logs['events/0']!, 'events/1': source }, warehouse);
  await untilWritten();
  expect(inserts).toEqual([8]);
  await logs['events/0']!.append([event(5_000)]);
  await untilWritten();
  await expect.poll(() => inserts).toEqual([8, 1, 9]);
  expect(commit).not.toHaveBeenCalled();
});

test('what is to be written again is not let go for having been there before', async () => {
  const logs = await logsOf([4]);
  const log = logs['events/0']!;
  const trim = vi.spyOn(log, 'trim');
  const faults = [undefined, new WarehouseError('WAREHOUSE_UNAVAILABLE', 'restarting')];
  const { warehouse, inserts } = observed(() => faults.shift());
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  // Written, not reached, written after all; then the round that writes it all again.
  const insert: Warehouse['insert'] = async (...args) => {
    if (inserts.length === 2) await held;
    return warehouse.insert(...args);
  };
  const { untilWritten } = startSink(logs, { ...warehouse, insert }, { keepMs: 500 });
  await untilWritten();
  await log.append([event(4)]);
  await expect.poll(() => inserts).toEqual([4, 1]);
  const bounds = vi.spyOn(log, 'bounds');
  // Asked each time that the source is looked after, at most every `keepMs`.
  await vi.waitFor(() => expect(bounds.mock.calls.length).toBeGreaterThan(3), 10_000);
  expect(trim).not.toHaveBeenCalled();
  release();
  await vi.waitFor(() => expect(trim).toHaveBeenCalledWith(5), 10_000);
});

test('what was written before ClickHouse went away is kept for as long as it is away', async () => {
  const logs = await logsOf([4]);
  const log = logs['events/0']!;
  const { warehouse, inserts } = observed();
  let away = true;
  const incarnation = vi.fn<Warehouse['incarnation']>(async () => {
    if (inserts.length > 0 && away) throw new WarehouseError('WAREHOUSE_UNAVAILABLE', 'away');
    return 'one';
  });
  const { untilWritten } = startSink(logs, { ...warehouse, incarnation }, { keepMs: 50 });
  await untilWritten();
  const trim = vi.spyOn(log, 'trim');
  const bounds = vi.spyOn(log, 'bounds');
  // Asked each time that the source is looked after, at most every `keepMs`.
  await vi.waitFor(() => expect(bounds.mock.calls.length).toBeGreaterThan(4), 10_000);
  expect(trim).not.toHaveBeenCalled();
  away = false;
  await vi.waitFor(() => expect(trim).toHaveBeenCalledWith(4), 10_000);
});

test('outputs that were let go before they were written are counted, and the rest goes on', async () => {
  const logs = await logsOf([9]);
  const log = logs['events/0']!;
  const { warehouse } = observed();
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const insert = vi.fn<Warehouse['insert']>((...args) => held.then(() => warehouse.insert(...args)));
  const { metrics, untilWritten } = startSink(logs, { ...warehouse, insert }, { batchRecordsMax: 2 });
  await vi.waitFor(() => expect(insert).toHaveBeenCalled());
  await log.trim(5);
  release();
  await untilWritten();
  expect((await metrics.lost.get()).values).toEqual([{ labels: { source: 'events/0' }, value: 3 }]);
  expect((await warehouse.rows('event')).length).toBe(6);
});

describe('rows that are refused', () => {
  const refuses = (seq: number) => (bodies: readonly Uint8Array[], kind: string) =>
    kind === 'event' && bodies.some((body) => Buffer.from(body).includes(makeEvent({ seq }).id))
      ? new WarehouseError('WAREHOUSE_DATA', 'not this one')
      : undefined;

  test('are kept with their reason and counted; everything else goes in, and nothing blocks', async () => {
    const logs = await logsOf([50, 50]);
    const { warehouse } = observed(refuses(10_007));
    const { sink, metrics, gauge, untilWritten } = startSink(logs, warehouse);
    await untilWritten();
    expect(await warehouse.rows('event', { limit: 1_000 })).toHaveLength(99);
    expect(await warehouse.rows('refusal')).toMatchObject([
      { tenant: 'northwind', table: 'events', row: makeEvent({ seq: 10_007 }).id, reason: 'not this one' },
    ]);
    expect((await metrics.refused.get()).values).toEqual([{ labels: { table: 'events' }, value: 1 }]);
    expect((await metrics.rows.get()).values).toEqual([{ labels: { table: 'event' }, value: 99 }]);
    expect({ troubles: sink.troubles(), blocked: await gauge('blocked') }).toEqual({ troubles: [], blocked: 0 });
  });

  test('a frame that nobody can read is one', async () => {
    const log = await logOf(0, 3);
    await log.append([{ key: 'northwind', frame: Buffer.from('rubbish') }, event(9)]);
    const { warehouse } = observed();
    const { metrics, untilWritten } = startSink(log, warehouse);
    await untilWritten();
    expect(await warehouse.rows('event')).toHaveLength(4);
    expect(await warehouse.rows('refusal')).toMatchObject([{ table: '', row: '', frame: Buffer.from('rubbish') }]);
    expect((await metrics.refused.get()).values).toEqual([{ labels: { table: '' }, value: 1 }]);
  });

  test('a refusal waits like any row while its table does not take it', async () => {
    const refused = refuses(3);
    let closed = true;
    const { warehouse } = observed((bodies, kind) =>
      kind === 'refusal' && closed ? new WarehouseError('WAREHOUSE_DATA', 'not here') : refused(bodies, kind),
    );
    const { sink, untilWritten } = startSink(await logOf(0, 5), warehouse);
    await vi.waitFor(() => expect(sink.troubles()).toEqual([expect.stringContaining('not here')]));
    closed = false;
    await untilWritten();
    expect(await warehouse.rows('refusal')).toHaveLength(1);
  });
});

test('gauges tell the sources apart, and go with the sink', async () => {
  const logs = await logsOf([4, 2]);
  const { sink, metrics, gauge, untilWritten } = startSink(logs, observed().warehouse, { keepMs: 10 });
  await untilWritten();
  expect(await gauge('position', 'events/1')).toBe(1);
  await expect.poll(() => gauge('lagRecords', 'events/0')).toBe(0);
  await sink.stop();
  for (const name of ['position', 'lagRecords'] as const) expect((await metrics[name].get()).values).toEqual([]);
});
