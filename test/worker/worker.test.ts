import { describe, expect, test } from 'vitest';
import { step } from '../../services/core/flow/flow.ts';
import { createState } from '../../services/core/flow/state.ts';
import { decode, encode } from '../../services/core/records/codec.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import type { Worker } from '../../services/worker/worker.ts';
import { allOf, drained, type Installation, install, mixed, rowsOf, start, storyOf } from './installation.ts';

async function untilWorked({ records, checkpoints }: Installation, worker: Worker): Promise<void> {
  await expect.poll(() => worker.troubles()).toEqual([]);
  await worker.stop();
  const { next } = await records.bounds();
  expect(
    Math.max(...(await Promise.all((await checkpoints.lanes()).map((lane) => checkpoints.list(lane)))).flat()),
  ).toBe(next - 1);
}

test('each lane is worked as the flow alone would, and its outputs keep its order', async () => {
  const installation = install();
  await installation.records.append(mixed(8));
  const { worker } = start(installation, { batchRecordsMax: 7, checkpointIntervalMs: 0 });
  const { next } = await installation.records.bounds();
  await expect.poll(() => worker.lanes().bolt?.position).toBe(next - 1);
  await worker.stop();
  expect((await installation.checkpoints.list('bolt')).at(-1)).toBe(next - 1);
  for (const tenant of ['acme', 'bolt']) {
    const lane = (await installation.records.read(0, { records: 1e6, bytes: 1e9 })).filter(({ key }) => key === tenant);
    const { outputs } = step(
      createState(),
      lane.map(({ position, frame }) => ({ position, record: decode(frame) })),
    );
    const written = (await allOf(installation.outputs)).filter(({ value }) => value.tenant === tenant);
    expect(written).toEqual(outputs.map(({ kind, value }) => decode(encode(kind, value as never))));
  }
});

test('crashes at any point lead to the same rows', async () => {
  const calm = install();
  await calm.records.append(mixed(10));
  await untilWorked(calm, await drained(calm));

  const rough = install();
  const records = mixed(10);
  for (let from = 0; from < records.length; from += 9) {
    await rough.records.append(records.slice(from, from + 9));
    // Every other worker dies without having saved anything.
    const dying = {
      ...rough,
      checkpoints:
        from % 2 === 0 ? rough.checkpoints : { ...rough.checkpoints, save: () => Promise.reject(new Error('killed')) },
    };
    const { worker } = start(dying, { checkpointIntervalMs: 0, batchRecordsMax: 4 });
    const before = (await rough.outputs.bounds()).next;
    await expect.poll(async () => (await rough.outputs.bounds()).next).toBeGreaterThan(before);
    await worker.stop();
  }
  await untilWorked(rough, await drained(rough));
  expect(await rowsOf(rough.outputs)).toEqual(await rowsOf(calm.outputs));
});

test('a checkpoint never stands for outputs that were not acknowledged', async () => {
  const installation = install();
  await installation.records.append(storyOf('acme', 3));
  const refuse = { ...installation.outputs, append: () => Promise.reject(new Error('disk full')) };
  const { failed } = start({ ...installation, outputs: refuse }, { checkpointIntervalMs: 0 });
  expect(await failed).toMatchObject({ message: 'disk full' });
  expect(await installation.checkpoints.lanes()).toEqual([]);
});

describe('a lane that cannot go on is left, and said so', () => {
  async function worked(): Promise<Installation> {
    const installation = install();
    await installation.records.append(storyOf('acme', 3));
    await (await drained(installation)).stop();
    return installation;
  }
  const troublesOf = (installation: Installation) => expect.poll(start(installation).worker.troubles);

  test('when it does not begin with settings', async () => {
    const installation = install();
    await installation.records.append(storyOf('acme', 3).slice(1));
    await troublesOf(installation).toEqual([expect.stringContaining('lane acme stopped: Cannot work on position 0')]);
  });

  test('when the log has another record where the checkpoint was taken', async () => {
    const { checkpoints, outputs } = await worked();
    const records = createMemoryLog();
    await records.append(storyOf('acme', 3).reverse());
    await troublesOf({ records, outputs, checkpoints }).toEqual([
      expect.stringContaining('its state ends with record'),
    ]);
  });

  test('when the log ends before the checkpoint', async () => {
    const { checkpoints, outputs } = await worked();
    await troublesOf({ records: createMemoryLog(), outputs, checkpoints }).toEqual([
      expect.stringContaining('the log ends before it: records were lost'),
    ]);
  });

  test('when records behind the checkpoint were trimmed', async () => {
    const installation = await worked();
    await installation.records.append(storyOf('acme', 3));
    const { next } = await installation.records.bounds();
    await installation.records.trim(next - 2);
    await troublesOf(installation).toEqual([expect.stringContaining('records were lost')]);
  });

  test('when a frame is damaged', async () => {
    const installation = install();
    await installation.records.append([...storyOf('acme', 1), { key: 'acme', frame: Buffer.from('garbage') }]);
    await troublesOf(installation).toEqual([expect.stringContaining('Cannot decode frame')]);
  });

  test('while the others are worked on to the end, and nothing of it is saved', async () => {
    const installation = install();
    const broken = storyOf('acme', 6).slice(1);
    const whole = storyOf('bolt', 6);
    await installation.records.append(whole.flatMap((record, n) => [record, ...(broken[n] ? [broken[n]] : [])]));
    const { worker } = start(installation);
    const { next } = await installation.records.bounds();
    await expect.poll(() => worker.lanes().bolt?.position).toBe(next - 1);
    await worker.stop();
    expect(await installation.checkpoints.lanes()).toEqual(['bolt']);
  });
});

test('a tenant that is no longer configured is left alone, whatever has become of its records', async () => {
  const installation = install();
  await installation.records.append(mixed(3));
  await (await drained(installation)).stop();
  const { next } = await installation.records.bounds();
  await installation.records.append(storyOf('bolt', 3).map(({ key, frame }) => ({ key, frame })));
  await installation.records.trim(next);
  const { worker } = start(installation, { tenants: ['bolt'] });
  await expect.poll(() => worker.lanes().bolt?.position).toBeGreaterThan(next);
  expect(worker.troubles()).toEqual([]);
});

test('the ledger of the lane is exported, and balances', async () => {
  const installation = install();
  await installation.records.append(storyOf('acme', 5));
  const { metrics } = start(installation);
  const values = async (gauge: { get(): Promise<{ values: { labels: object; value: number }[] }> }) =>
    (await gauge.get()).values;
  await expect
    .poll(() => values(metrics.ledger))
    .toContainEqual(expect.objectContaining({ labels: { tenant: 'acme', outcome: 'journaled' }, value: 6 }));
  expect(await values(metrics.ledgerImbalance)).toContainEqual(
    expect.objectContaining({ labels: { tenant: 'acme' }, value: 0 }),
  );
});

test('while the outputs are full the lanes wait, and say so', async () => {
  const installation = install();
  await installation.records.append(storyOf('acme', 3));
  let full = true;
  const { worker } = start(installation, { outputsFull: () => full });
  await expect.poll(worker.troubles).toEqual([expect.stringContaining('worker: it waits')]);
  expect(await installation.outputs.bounds()).toEqual({ first: 0, next: 0 });
  full = false;
  await expect.poll(worker.troubles).toEqual([]);
  await expect.poll(async () => (await installation.outputs.bounds()).next).toBeGreaterThan(0);
});

test('a log that was trimmed up to the checkpoint is resumed', async () => {
  const installation = install();
  const records = storyOf('acme', 6);
  await installation.records.append(records.slice(0, 8));
  await (await drained(installation)).stop();
  await installation.records.trim(8);
  await installation.records.append(records.slice(8));
  await (await drained(installation)).stop();
  const straight = install();
  await straight.records.append(records);
  await (await drained(straight)).stop();
  expect(await rowsOf(installation.outputs)).toEqual(await rowsOf(straight.outputs));
});
