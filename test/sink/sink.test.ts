import { describe, expect, test, vi } from 'vitest';
import { createMemoryWarehouse } from '../../services/ports/warehouse/memory.ts';
import { type Warehouse, WarehouseError, type WarehouseErrorCode } from '../../services/ports/warehouse/warehouse.ts';
import { everything, kinds, outputsOfALane, startSink } from './sink.ts';

/** A warehouse whose calls fail with the codes in `failures`, one after the other, before they work. */
function failing(failures: WarehouseErrorCode[]) {
  const warehouse = createMemoryWarehouse();
  let inserts = 0;
  const wrapped: Warehouse = {
    ...warehouse,
    async insert(...args) {
      inserts++;
      const code = failures.shift();
      if (code) throw new WarehouseError(code, `told to fail with ${code}`);
      return warehouse.insert(...args);
    },
  };
  return { warehouse: wrapped, inserts: () => inserts, failures };
}

test('every kind of output ends in its table, an id once, with its highest version', async () => {
  const outputs = await outputsOfALane();
  const warehouse = createMemoryWarehouse();
  const { sink, untilWritten } = startSink(outputs, warehouse, { batchRecordsMax: 5 });
  await untilWritten();
  const tables = await everything(warehouse);
  expect(tables.map((rows) => rows.length > 0)).toEqual(kinds.map(() => true));
  expect(await warehouse.rows('detection')).toMatchObject([{ count: 7 }]);
  expect(await warehouse.rows('episode')).toMatchObject([{ state: 'closed', length_ms: 90_000 }]);
  expect(sink.troubles()).toEqual([]);
});

test('a replay of everything leaves every row as it was', async () => {
  const outputs = await outputsOfALane();
  const warehouse = createMemoryWarehouse();
  const first = startSink(outputs, warehouse);
  await first.untilWritten();
  await first.sink.stop();
  const before = await everything(warehouse);
  const second = startSink(outputs, warehouse, { batchRecordsMax: 3 });
  await second.untilWritten();
  expect(await everything(warehouse)).toEqual(before);
});

describe('when ClickHouse fails', () => {
  test.each<WarehouseErrorCode[]>([
    ['WAREHOUSE_OVERLOADED'],
    ['WAREHOUSE_UNAVAILABLE', 'WAREHOUSE_TIMEOUT', 'WAREHOUSE_OTHER'],
    ['WAREHOUSE_SCHEMA'],
    ['WAREHOUSE_REFUSED', 'WAREHOUSE_SCHEMA'],
  ])('it is tried again until everything is there: %s', async (...codes) => {
    const outputs = await outputsOfALane();
    const calm = createMemoryWarehouse();
    await startSink(outputs, calm).untilWritten();
    const { warehouse, failures } = failing([...codes]);
    const { metrics, untilWritten, gauge } = startSink(outputs, warehouse);
    await untilWritten();
    expect(failures).toEqual([]);
    expect(await everything(warehouse)).toEqual(await everything(calm));
    const retries = (await metrics.retries.get()).values;
    expect(retries.reduce((sum, { value }) => sum + value, 0)).toBe(codes.length);
    expect(await gauge('blocked')).toBe(0);
  });

  test('after it could not be reached, what is kept is written once more', async () => {
    const outputs = await outputsOfALane();
    const steady = failing([]);
    await startSink(outputs, steady.warehouse).untilWritten();
    const restarted = failing(['WAREHOUSE_UNAVAILABLE']);
    const { untilWritten } = startSink(outputs, restarted.warehouse);
    await untilWritten();
    await expect.poll(restarted.inserts).toBe(2 * steady.inserts() + 1);
  });

  test('it says why, while it lasts', async () => {
    const { warehouse } = failing(Array.from({ length: 100_000 }, () => 'WAREHOUSE_UNAVAILABLE' as const));
    const { sink } = startSink(await outputsOfALane(), warehouse);
    await expect.poll(() => sink.troubles()).toEqual([expect.stringContaining('told to fail')]);
  });

  test('a stop gives up in the end, and the next start writes the rest', async () => {
    const outputs = await outputsOfALane();
    const dead = failing(Array.from({ length: 100_000 }, () => 'WAREHOUSE_UNAVAILABLE' as const));
    const { sink, running } = startSink(outputs, dead.warehouse);
    await expect.poll(dead.inserts).toBeGreaterThan(0);
    await sink.stop(1);
    await running;
    const warehouse = createMemoryWarehouse();
    await startSink(outputs, warehouse).untilWritten();
    expect(await warehouse.rows('detection')).toHaveLength(1);
  });
});

describe('when ClickHouse was restarted', () => {
  /** A warehouse that counts its inserts, and is in the run that `answer` says when it is asked. */
  function restartable(answer: (asked: number) => string, failures: WarehouseErrorCode[] = []) {
    const { warehouse, inserts } = failing(failures);
    const incarnation = vi.fn(async () => {
      const run = answer(incarnation.mock.calls.length);
      if (run.startsWith('WAREHOUSE_')) throw new WarehouseError(run as WarehouseErrorCode, 'told to fail');
      return run;
    });
    const untilAsked = (times: number) =>
      expect.poll(() => incarnation.mock.calls.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(times);
    return { warehouse: { ...warehouse, incarnation }, inserts, untilAsked };
  }

  async function writtenOnce(
    answer: (asked: number) => string,
    { failures = [], restartCheckMs = 1 }: { failures?: WarehouseErrorCode[]; restartCheckMs?: number } = {},
  ) {
    const restarted = restartable(answer, failures);
    const steady = failing([]);
    const outputs = await outputsOfALane();
    await startSink(outputs, steady.warehouse).untilWritten();
    const started = startSink(outputs, restarted.warehouse, { restartCheckMs });
    await started.untilWritten();
    return { ...restarted, ...started, once: steady.inserts() };
  }

  test('between two inserts, what is kept is written once more', async () => {
    let run = 'one';
    const { inserts, once, untilAsked } = await writtenOnce(() => run);
    await untilAsked(10);
    expect(inserts()).toBe(once);
    run = 'other';
    await expect.poll(inserts).toBe(2 * once);
    await untilAsked(10);
    expect(inserts()).toBe(2 * once);
  });

  test('and could not be reached meanwhile, nothing is written three times', async () => {
    let failed = false;
    const failures: WarehouseErrorCode[] = ['WAREHOUSE_UNAVAILABLE'];
    const answer = () => {
      failed ||= failures.length === 0;
      return failed ? 'other' : 'one';
    };
    // So that everything is there before it is asked again by itself.
    const { inserts, once, untilAsked } = await writtenOnce(answer, { failures, restartCheckMs: 300 });
    await expect.poll(inserts).toBe(2 * once + 1);
    await untilAsked(5);
    expect(inserts()).toBe(2 * once + 1);
  });

  test.each<[string, string, number]>([
    ['replicas behind one address take turns: each is new but once', 'other', 2],
    ['no answer is no restart', 'WAREHOUSE_UNAVAILABLE', 1],
  ])('%s', async (_, answer, times) => {
    let alternating = false;
    const { inserts, once, untilAsked, sink } = await writtenOnce((asked) =>
      alternating && asked % 2 ? answer : 'one',
    );
    alternating = true;
    await expect.poll(inserts).toBe(times * once);
    await untilAsked(40);
    expect(inserts()).toBe(times * once);
    expect(sink.troubles()).toEqual([]);
  });
});

test('a stop does not wait to be told whether ClickHouse was restarted', async () => {
  const warehouse = createMemoryWarehouse();
  const incarnation = vi.fn(warehouse.incarnation);
  const outputs = await outputsOfALane();
  const { sink, running, untilWritten } = startSink(outputs, { ...warehouse, incarnation }, { restartCheckMs: 1 });
  await untilWritten();
  const silent = incarnation.mockImplementation(() => new Promise<never>(() => {})).mock.calls.length;
  await vi.waitFor(() => expect(incarnation.mock.calls.length).toBeGreaterThan(silent));
  await sink.stop(600_000);
  await running;
});

test('what is in ClickHouse is let go after a while, and not before', async () => {
  const outputs = await outputsOfALane();
  const keeps = startSink(outputs, createMemoryWarehouse());
  await keeps.untilWritten();
  expect((await outputs.bounds()).first).toBe(0);
  await keeps.sink.stop();
  const lets = startSink(outputs, createMemoryWarehouse(), { keepMs: 1 });
  await lets.untilWritten();
  const { next } = await outputs.bounds();
  await expect.poll(async () => (await outputs.bounds()).first).toBe(next);
});
