import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createLogCheckpoints } from '../../services/ports/checkpoints/logs.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { createRandom } from '../../services/simulator/random.ts';
import { type Installation, install, rowsOf } from './installation.ts';
import { expectedRows, overLogs, startOf, story, versions, waits, worksAt } from './versions.ts';

describe.each([
  ['checkpoints in memory', install],
  ['checkpoints over logs', overLogs],
])('a takeover to another flow and back, %s', (_name, installed) => {
  test('with old and new workers side by side', async () => {
    const installation = installed();
    const { a, b, steps } = versions();
    const lane = story();
    const append = async (records: { key: string; frame: Buffer }[]) =>
      (await installation.records.append(records)) + records.length - 1;

    const old = startOf(installation, a);
    await worksAt(old, await append(lane.more(10)));
    await old.leave();
    const before = await Promise.all([installation.records.bounds(), installation.outputs.bounds()]);
    const young = startOf(installation, b);
    await waits(young, /flow a has worked on it, and this is flow b: run "hookwatch upgrade"/);
    expect(young.lanes().acme).toMatchObject({ epoch: 1, flow: 'a' });
    expect(young.troubles()).toEqual([expect.stringContaining('lane acme stopped: flow a has worked on it')]);
    expect(await Promise.all([installation.records.bounds(), installation.outputs.bounds()])).toEqual(before);
    const again = startOf(installation, a);
    await worksAt(again, await append(lane.more(5)));

    const first = await append(lane.takeover(2, 'b', 'a'));
    await waits(again, /^flow b .*, and this is flow a: /);
    await worksAt(young, await append(lane.more(10)));
    expect(young.lanes().acme).toMatchObject({ epoch: 2, flow: 'b' });

    const second = await append(lane.takeover(3, 'a', 'b'));
    await waits(young, /^flow a .*, and this is flow b: /);
    await worksAt(again, await append(lane.more(10)));
    expect(again.lanes().acme).toMatchObject({ epoch: 3, flow: 'a' });
    await again.stop();

    const positions = (hash: 'a' | 'b') => [...steps[hash]];
    expect(positions('a').filter((position) => position >= first && position < second)).toEqual([]);
    expect(positions('b').filter((position) => position < first || position >= second)).toEqual([]);
    const eras = [
      { flow: a, epoch: 1, from: 0 },
      { flow: b, epoch: 2, from: first },
      { flow: a, epoch: 3, from: second },
    ];
    expect(await rowsOf(installation.outputs)).toEqual(await expectedRows(installation, eras));
  });

  test('with workers that die at any moment', async () => {
    const seed = Number(process.env.TAKEOVER_SEED ?? randomInt(2 ** 31));
    console.log(`TAKEOVER_SEED=${seed}`);
    const random = createRandom(seed);
    const installation = installed();
    const { a, b } = versions();
    const lane = story();
    const owner = startOf(installation, a);
    await worksAt(owner, (await installation.records.append(lane.more(1))) + 3);
    await owner.leave();
    const records = [lane.more(8), lane.takeover(2, 'b', 'a'), lane.more(8), lane.takeover(3, 'a', 'b'), lane.more(8)];
    const flat = records.flat();
    for (let from = 0; from < flat.length; ) {
      const count = random.between(1, 6);
      await installation.records.append(flat.slice(from, from + count));
      from += count;
      const killed = random.fraction() < 0.5;
      const save = killed ? () => Promise.reject(new Error('killed')) : installation.checkpoints.save;
      const place = { ...installation, checkpoints: { ...installation.checkpoints, save } };
      const options = { batchRecordsMax: random.between(1, 4), checkpointIntervalMs: 0 };
      const workers = [a, b].map((flow) => startOf(place, flow, options));
      for (let turns = random.between(0, 40); turns > 0; turns--) await new Promise(setImmediate);
      await Promise.all(workers.map((worker) => worker.leave()));
    }
    const workers = [a, b].map((flow) => startOf(installation, flow));
    const { next } = await installation.records.bounds();
    await worksAt(workers[0]!, next - 1);
    await Promise.all(workers.map((worker) => worker.stop()));
    const second = next - records.at(-1)!.length - 1;
    const eras = [
      { flow: a, epoch: 1, from: 0 },
      { flow: b, epoch: 2, from: second - records[2]!.length - 1 },
      { flow: a, epoch: 3, from: second },
    ];
    expect(await rowsOf(installation.outputs)).toEqual(await expectedRows(installation, eras));
  });
});

/** A lane that flow a has worked on to its end, and was left there. */
async function worked(how: 'left' | 'stopped') {
  const installation = install();
  const flows = versions();
  const lane = story();
  const append = async (records: { key: string; frame: Buffer }[]) =>
    (await installation.records.append(records)) + records.length - 1;
  const worker = startOf(installation, flows.a);
  const position = await append(lane.more(5));
  await worksAt(worker, position);
  await (how === 'left' ? worker.leave() : worker.stop());
  return { installation, lane, append, position, ...flows };
}

describe('where another flow may begin', () => {
  test('at the last record before the takeover, whoever worked up to it', async () => {
    const { installation, lane, append, position, a, b } = await worked('left');
    const at = await append(lane.takeover(2, 'b', 'a'));
    expect(at).toBe(position + 1);
    await worksAt(startOf(installation, b), at);
    await waits(startOf(installation, a), /^flow b /);
  });

  test('not where the one before it may have gone on: that must finish first', async () => {
    const { installation, lane, append, a, b } = await worked('left');
    await append(lane.more(3));
    const at = await append(lane.takeover(2, 'b', 'a'));
    const young = startOf(installation, b);
    await waits(young, new RegExp(`takes over at position ${at}, but the one before it \\(flow a\\) has not finished`));
    const old = startOf(installation, a);
    await worksAt(young, at);
    await waits(old, /^flow b /);
    await young.stop();
    const eras = [
      { flow: a, epoch: 1, from: 0 },
      { flow: b, epoch: 2, from: at },
    ];
    expect(await rowsOf(installation.outputs)).toEqual(await expectedRows(installation, eras));
  });

  test('where the one before it was stopped, although the lane has gone on', async () => {
    const { installation, lane, append, position, a, b } = await worked('stopped');
    await append(lane.more(3));
    const young = startOf(installation, b);
    await waits(young, /run "hookwatch upgrade"/);
    const at = await append(lane.takeover(2, 'b', 'a'));
    await worksAt(young, at);
    await young.stop();
    const eras = [
      { flow: a, epoch: 1, from: 0 },
      { flow: b, epoch: 2, from: position + 1 },
    ];
    expect(await rowsOf(installation.outputs)).toEqual(await expectedRows(installation, eras));
  });

  test('not where it was stopped, started again, and died', async () => {
    const { installation, lane, append, a, b } = await worked('stopped');
    const position = await append(lane.more(3));
    let opened = false;
    const checkpoints = {
      ...installation.checkpoints,
      save: ((...save) => {
        if (opened) return Promise.reject(new Error('killed'));
        opened = true;
        return installation.checkpoints.save(...save);
      }) as Installation['checkpoints']['save'],
    };
    const dying = startOf({ ...installation, checkpoints }, a);
    await worksAt(dying, position);
    await dying.leave();
    await append(lane.takeover(2, 'b', 'a'));
    await waits(startOf(installation, b), /has not finished/);
  });

  test('not beyond it for the one before, although its last checkpoint cannot be written', async () => {
    const { installation, lane, append, position, a, steps } = await worked('left');
    const save = () => Promise.reject(new Error('disk full'));
    let readFrom = 0;
    const read: typeof installation.records.read = (from, limits) => {
      readFrom = Math.max(readFrom, from);
      return installation.records.read(from, limits);
    };
    const full = {
      ...installation,
      records: { ...installation.records, read },
      checkpoints: { ...installation.checkpoints, save },
    };
    await append(lane.takeover(2, 'b', 'a'));
    const last = await append([...lane.more(3), ...lane.takeover(3, 'a', 'b')]);
    const worker = startOf(full, a, { batchRecordsMax: 2 });
    await expect.poll(() => readFrom).toBe(last + 1);
    expect(worker.lanes().acme?.position).toBe(position);
    expect([...steps.a].filter((at) => at > position && at <= last)).toEqual([]);
  });

  test('not while a third one is to work first', async () => {
    const { installation, lane, append, a } = await worked('left');
    await append(lane.takeover(2, 'b', 'a'));
    await append(lane.takeover(3, 'c', 'b'));
    await waits(startOf(installation, { ...a, hash: 'c' }), /^flow b takes over at position/);
  });

  test('not at a takeover that does not take effect', async () => {
    const { installation, lane, append, a, b } = await worked('left');
    await append(lane.takeover(3, 'b', 'a'));
    await append(lane.takeover(9, 'b', 'b'));
    const young = startOf(installation, b);
    await worksAt(startOf(installation, a), await append(lane.more(2)));
    await waits(young, /^flow a has worked on it/);
    const rows = [...(await rowsOf(installation.outputs)).values()];
    const remarks = rows.flatMap(({ kind, value }) => (kind === 'control' && value.remark ? [value.remark] : []));
    expect(remarks.map((remark) => remark.slice(0, 9))).toEqual(['ignored: ', 'ignored: ']);
  });

  test('anywhere in what was saved before flows were told apart, and at takeovers from there on', async () => {
    const installation = install();
    const { a, b } = versions();
    const lane = story();
    await installation.records.append(lane.more(1));
    const lines = readFileSync(new URL('../recorded/state-before-flows.jsonl', import.meta.url));
    const head = { position: 3, recordId: '019b8d627c74-b000000000000001-3', flow: '', final: false, producers: [] };
    await installation.checkpoints.save('acme', head, Readable.from([lines.subarray(0, 99), lines.subarray(99)]));
    const old = startOf(installation, a);
    await worksAt(old, (await installation.records.append(lane.more(1))) + 1);
    const young = startOf(installation, b);
    const at = await installation.records.append(lane.takeover(2, 'b', 'a'));
    await worksAt(young, at);
    expect(young.lanes().acme).toMatchObject({ epoch: 2, flow: 'b' });
    await waits(old, /^flow b /);
    await young.stop();
    const eras = [
      { flow: a, epoch: 1, from: 0 },
      { flow: b, epoch: 2, from: at },
    ];
    // The first rows are of the old version, which knew nothing of coverage: it is told from the new one's beginning on.
    const withoutCoverage = (rows: Awaited<ReturnType<typeof rowsOf>>) =>
      [...rows].filter(([, { kind }]) => kind !== 'coverage');
    const expected = new Map(withoutCoverage(await expectedRows(installation, eras)));
    const rows = withoutCoverage(await rowsOf(installation.outputs));
    expect(new Map([...expected, ...rows])).toEqual(expected);
  });

  test('in the epoch of a damaged checkpoint’s predecessor', async () => {
    const pieces = createMemoryLog();
    const progress = createMemoryLog();
    const installation = { ...install(), checkpoints: createLogCheckpoints({ pieces, progress }) };
    const { a, b } = versions();
    const lane = story();
    for (const records of [lane.more(2), lane.more(2)]) {
      const worker = startOf(installation, a);
      await worksAt(worker, (await installation.records.append(records)) + records.length - 1);
      await worker.leave();
    }
    const at = await installation.records.append(lane.takeover(2, 'b', 'a'));
    const torn = createMemoryLog();
    for (const { position, ...record } of await pieces.read(0, { records: 1e6, bytes: 1e9 })) {
      const isLast = position === (await pieces.bounds()).next - 1;
      await torn.append([isLast ? { ...record, frame: Buffer.from('garbage') } : record]);
    }
    const damaged = { ...installation, checkpoints: createLogCheckpoints({ pieces: torn, progress }) };
    const young = startOf(damaged, b);
    await waits(young, /has not finished/);
    await waits(startOf(damaged, a), /^flow b /);
    await worksAt(young, at);
    expect(young.lanes().acme).toMatchObject({ epoch: 2, flow: 'b' });
  });
});
