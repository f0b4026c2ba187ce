import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { decode, encode } from '../../services/core/records/codec.ts';
import type { Control } from '../../services/core/records/generated.ts';
import { type Log, LogUnavailableError, type NewRecord } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { createMemoryProgress } from '../../services/ports/progress/memory.ts';
import { createRandom } from '../../services/simulator/random.ts';
import { drained, type Installation, install, mixed, patience, rowsOf, start, storyOf } from './installation.ts';

const cut = () => Promise.reject(new LogUnavailableError('cut off'));

/** A log that is not reached every now and then; an append that is rejected may be there all the same. */
function flaky(log: Log, fails: () => boolean): Log {
  return {
    append: (batch) => (fails() ? (fails() ? log.append(batch).then(cut) : cut()) : log.append(batch)),
    read: (from, limits) => (fails() ? cut() : log.read(from, limits)),
    bounds: () => (fails() ? cut() : log.bounds()),
    trim: (position) => (fails() ? cut() : log.trim(position)),
    close: () => log.close(),
  };
}

async function calmRows(records: readonly NewRecord[]) {
  const calm = install();
  await calm.records.append(records);
  await (await drained(calm)).stop();
  return rowsOf(calm.outputs);
}

test('whatever is not reached for a while, the rows are the same', async () => {
  const seed = Number(process.env.OUTAGE_SEED ?? randomInt(2 ** 31));
  console.log(`OUTAGE_SEED=${seed}`);
  const random = createRandom(seed);
  const records = mixed(20);
  const rough = install();
  const fails = () => random.fraction() < 0.15;
  const installation: Installation = {
    records: flaky(rough.records, fails),
    outputs: flaky(rough.outputs, fails),
    checkpoints: {
      ...rough.checkpoints,
      save: (...save) => (fails() ? cut() : rough.checkpoints.save(...save)),
      newest: (...lane) => (fails() ? cut() : rough.checkpoints.newest(...lane)),
    },
  };
  const options = { checkpointIntervalMs: 0, batchRecordsMax: 5, retryIntervalMs: 1, reopenIntervalMs: 1 };
  for (let from = 0; from < records.length; from += 20) {
    await rough.records.append(records.slice(from, from + 20));
    const { worker } = start(installation, options);
    await expect.poll(() => worker.lanes().acme?.position, patience).toBeGreaterThan(from);
    await worker.stop();
  }
  await (await drained(rough)).stop();
  expect(await rowsOf(rough.outputs)).toEqual(await calmRows(records));
});

test('what the outputs did not acknowledge is written again, before anything else', async () => {
  const installation = install();
  await installation.records.append(storyOf('acme', 3));
  const attempts: string[] = [];
  let reached = false;
  const outputs = {
    async append(batch: readonly NewRecord[]) {
      attempts.push(batch.map(({ frame }) => Buffer.from(frame).toString('hex')).join());
      return reached ? installation.outputs.append(batch) : cut();
    },
  };
  const { worker } = start(
    { ...installation, outputs: outputs as Log },
    { batchRecordsMax: 4, retryIntervalMs: 1, checkpointIntervalMs: 0 },
  );
  await expect.poll(worker.troubles).toEqual(['worker: the log is not reached: cut off']);
  expect(await installation.checkpoints.lanes()).toEqual([]);
  const failed = attempts.length;
  reached = true;
  await expect.poll(worker.troubles).toEqual([]);
  await worker.stop();
  expect(failed).toBeGreaterThan(1);
  expect(new Set(attempts.slice(0, failed + 1)).size).toBe(1);
  expect(new Set(attempts.slice(failed)).size).toBe(attempts.length - failed);
});

test('a state that is ahead of the outputs is not saved', async () => {
  const installation = install();
  await installation.records.append(storyOf('acme', 3));
  const deaf = { ...installation, outputs: { ...installation.outputs, append: cut } };
  const { worker } = start(deaf, { checkpointIntervalMs: 0, retryIntervalMs: 1 });
  await expect.poll(worker.troubles).toEqual([expect.stringContaining('not reached')]);
  await worker.stop();
  expect(await installation.checkpoints.lanes()).toEqual([]);
});

test('a log that has other records when it is reached again stops its lanes', async () => {
  const installation = install();
  await installation.records.append(mixed(3));
  let reached: Log | undefined = installation.records;
  const records = new Proxy(installation.records, { get: (_, name: keyof Log) => reached?.[name] ?? cut });
  const { worker } = start({ ...installation, records }, { retryIntervalMs: 1 });
  await expect.poll(worker.troubles).toEqual([]);
  reached = undefined;
  await expect.poll(worker.troubles).toEqual([expect.stringContaining('not reached')]);
  const other = createMemoryLog();
  // The last of acme stands where the last of bolt stood.
  await other.append(mixed(3).toReversed());
  reached = other;
  await expect
    .poll(worker.troubles)
    .toEqual(['acme', 'bolt'].map((lane) => expect.stringMatching(`lane ${lane} stopped.*its state ends with record`)));
});

test('a checkpoint that cannot be written is said, and tried again', async () => {
  const installation = install();
  await installation.records.append(storyOf('acme', 3));
  let full = true;
  const checkpoints = {
    ...installation.checkpoints,
    save: ((...save) =>
      full
        ? Promise.reject(new Error('disk full'))
        : installation.checkpoints.save(...save)) as Installation['checkpoints']['save'],
  };
  const { worker } = start({ ...installation, checkpoints }, { checkpointIntervalMs: 1 });
  await expect.poll(worker.troubles).toEqual(['worker: lane acme: its last checkpoint failed: disk full']);
  full = false;
  await expect.poll(worker.troubles).toEqual([]);
  expect(await installation.checkpoints.lanes()).toEqual(['acme']);
});

test('a lane that is slow to open holds up no other, and is worked from where it stands', async () => {
  const installation = install();
  const records = mixed(6);
  await installation.records.append(records.slice(0, 10));
  await (await drained(installation)).stop();
  await installation.records.append(records.slice(10));
  const opening = Promise.withResolvers<void>();
  const checkpoints = {
    ...installation.checkpoints,
    newest: async (lane: string, upTo?: number) => {
      if (lane === 'acme') await opening.promise;
      return installation.checkpoints.newest(lane, upTo);
    },
  };
  const { worker } = start({ ...installation, checkpoints });
  await expect.poll(() => worker.lanes().bolt?.position).toBe(records.length - 1);
  expect(worker.lanes().acme).toBeUndefined();
  opening.resolve();
  await expect.poll(() => worker.lanes().acme?.position).toBe(records.length - 2);
  await worker.stop();
  expect(await rowsOf(installation.outputs)).toEqual(await calmRows(records));
});

test('appends are bounded, and a record that is larger goes alone', async () => {
  const installation = install();
  await installation.records.append(storyOf('acme', 8));
  const sizes: number[] = [];
  const outputs = {
    ...installation.outputs,
    append(batch: readonly NewRecord[]) {
      const bytes = batch.reduce((sum, { frame, headers }) => sum + frame.length + headers!.name!.length, 0);
      sizes.push(batch.length === 1 ? 0 : bytes);
      return installation.outputs.append(batch);
    },
  };
  const headersOf = () => ({ name: 'x'.repeat(100) });
  await (await drained({ ...installation, outputs }, { appendBytesMax: 1_500, headersOf })).stop();
  expect(Math.max(...sizes)).toBeGreaterThan(0);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1_500);
  expect(await rowsOf(installation.outputs)).toEqual(await calmRows(storyOf('acme', 8)));
});

/** The control records of another boot, of which the log lacks one. */
function ticksOf(boot: string, seqs: readonly number[]): NewRecord[] {
  const last = decode(storyOf('acme', 1).at(-1)!.frame).value as Control;
  return seqs.map((seq) => {
    const value = { ...last, boot, seq, id: `${last.id}-${boot}-${seq}` };
    return { key: 'acme', frame: encode('control', value) };
  });
}

test('progress is published while a producer is behind, once when it no longer is, and not else', async () => {
  const installation = install();
  const progress = createMemoryProgress();
  const published: number[] = [];
  const publish: typeof progress.publish = async (record) => {
    published.push(record.position);
    await progress.publish(record);
  };
  const { worker } = start(installation, { progress: { publish }, publishIntervalMs: 1 });
  const live = async () => (await progress.latest('acme')).live;
  const append = async (records: readonly NewRecord[]) => {
    const position = (await installation.records.append(records)) + records.length - 1;
    await expect.poll(() => worker.lanes().acme?.position).toBe(position);
    return position;
  };
  // A boot that was not known is news: all of its predecessor may be missing.
  const first = await append(storyOf('acme', 3));
  await expect.poll(live).toMatchObject({ position: first, producers: [{ last_seq: 8, seen_seq: 8 }] });
  const behind = await append(ticksOf('b2', [0, 1, 3]));
  await expect.poll(live).toMatchObject({ position: behind, snapshot: null, final: false });
  expect((await live())?.producers[1]).toMatchObject({ boot: 'b2', last_seq: 1, seen_seq: 3 });
  const after = await append(ticksOf('b2', [4]));
  await expect.poll(live).toMatchObject({ position: after });
  const mended = await append(ticksOf('b2', [2, 3, 4]));
  await expect.poll(async () => (await live())?.producers[1]).toMatchObject({ last_seq: 4, seen_seq: 4 });
  await append(ticksOf('b2', [5, 6, 7]));
  await worker.stop();
  expect(Math.max(...published)).toBe(mended);
  expect(new Set(published).size).toBe(published.length);
});
