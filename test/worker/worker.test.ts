import pino from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Output } from '../../services/core/flow/context.ts';
import { step } from '../../services/core/flow/flow.ts';
import { createState } from '../../services/core/flow/state.ts';
import { type DecodedRecord, decode, encode } from '../../services/core/records/codec.ts';
import type { Checkpoints } from '../../services/ports/checkpoints/checkpoints.ts';
import { createMemoryCheckpoints } from '../../services/ports/checkpoints/memory.ts';
import type { Log } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { createRegistry, workerMetrics } from '../../services/telemetry.ts';
import { createWorker, type Worker } from '../../services/worker/worker.ts';
import { accountBody, laneOf, serverBody } from '../core/flow/lane.ts';

const logger = pino({ level: 'silent' });

interface Installation {
  records: Log;
  outputs: Log;
  checkpoints: Checkpoints;
}

const install = (): Installation => ({
  records: createMemoryLog(),
  outputs: createMemoryLog(),
  checkpoints: createMemoryCheckpoints(),
});

/** A lane's records as an edge would have framed them, for a tenant. */
function storyOf(tenant: string, servers: number): { key: string; frame: Buffer }[] {
  const lane = laneOf();
  lane.post('Account.Created', accountBody('NEW'), 0);
  for (let n = 1; n <= servers; n++) {
    lane.post('Server.Created', serverBody('NEW', `S${n}`, n * 1000), n * 1000);
    lane.tick(n * 1000 + 500);
  }
  return lane.records.map(({ record }) => {
    const value = { ...record.value, tenant };
    return { key: tenant, frame: encode(record.kind, value as never) };
  });
}

/** Two tenants' lanes in one log, a record of each in turn. */
function mixed(servers: number) {
  const [a, b] = [storyOf('acme', servers), storyOf('bolt', servers)];
  return a.flatMap((record, index) => [record, b[index]!]);
}

function start(installation: Installation, more: Partial<Parameters<typeof createWorker>[0]> = {}) {
  const metrics = workerMetrics(createRegistry('test'));
  const worker = createWorker({
    tenants: ['acme', 'bolt'],
    ...installation,
    metrics,
    logger,
    pollIntervalMs: 1,
    ...more,
  });
  const failed = worker.run().then(
    () => undefined,
    (error: Error) => error,
  );
  onTestFinished(() => worker.stop());
  return { worker, failed, metrics };
}

async function allOf(log: Log): Promise<DecodedRecord[]> {
  const { first } = await log.bounds();
  return (await log.read(first, { records: 1e6, bytes: 1e9 })).map(({ frame }) => decode(frame));
}

/** What readers of the outputs end up with: an id's highest version. */
async function rowsOf(log: Log): Promise<Map<string, Output>> {
  const rows = new Map<string, Output>();
  for (const record of (await allOf(log)) as Output[]) {
    const key = `${record.kind} ${record.value.tenant} ${record.value.id}`;
    const known = rows.get(key);
    if (!known || known.value.version <= record.value.version) rows.set(key, record);
  }
  return rows;
}

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
  await expect.poll(async () => Math.max(-1, ...(await installation.checkpoints.list('bolt')))).toBe(next - 1);
  await worker.stop();
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

/** A worker that has reached the end of the log. */
async function drained(installation: Installation): Promise<Worker> {
  const { worker, metrics } = start(installation);
  const { next } = await installation.records.bounds();
  await expect
    .poll(async () => Math.max(...(await metrics.position.get()).values.map(({ value }) => value)))
    .toBe(next - 1);
  return worker;
}

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
      expect.stringContaining('not of one installation, or records were lost'),
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
