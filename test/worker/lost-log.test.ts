/** Logs that have lost what was acknowledged, and worked on. */
import { describe, expect, test } from 'vitest';
import { recallLane, restoreJoin } from '../../services/commands/replay/history.ts';
import { createLogSource } from '../../services/commands/replay/lane-source.ts';
import type { Log, NewRecord } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { type Installation, install, patience, rowsOf, storyOf } from './installation.ts';
import { expectedRows, overLogs, startOf, story, versions, waits, worksAt } from './versions.ts';

/** A log that loses its end, as by a leader that was out of step. */
function installLosing(installed: () => Installation = install) {
  let kept = createMemoryLog();
  const records: Log = {
    append: (batch) => kept.append(batch),
    read: (from, limits) => kept.read(from, limits),
    bounds: () => kept.bounds(),
    trim: (position) => kept.trim(position),
    close: () => kept.close(),
  };
  const installation: Installation = { ...installed(), records };
  /** Resolves to what is lost. */
  async function loseFrom(next: number): Promise<NewRecord[]> {
    const all = await kept.read(0, { records: 1e6, bytes: 1e9 });
    kept = createMemoryLog();
    await kept.append(all.slice(0, next));
    return all.slice(next);
  }
  const append = async (batch: readonly NewRecord[]) => (await records.append(batch)) + batch.length - 1;
  return { installation, append, loseFrom, ...versions() };
}

/** A lane that is saved at `saved` and `position`, and has lost what follows `kept`; nobody works on it. */
async function loseSaved(installed = install, count = 4) {
  const losing = installLosing(installed);
  const { installation, append, loseFrom, a } = losing;
  const lane = story();
  const positions: number[] = [];
  for (const events of [2, count]) {
    const worker = startOf(installation, a);
    positions.push(await append(lane.more(events)));
    await worksAt(worker, positions.at(-1)!);
    await worker.leave();
  }
  const [saved, position] = positions as [number, number];
  const lost = await loseFrom(saved + 3);
  return { ...losing, lane, saved, position, lost };
}

const again = (saved: number, { a }: ReturnType<typeof versions>) => [
  { flow: a, epoch: 1, from: 0 },
  { flow: a, epoch: 2, from: saved + 1 },
];

test('what no checkpoint was made of is worked on when it comes again, and so is what came in its place', async () => {
  const { installation, append, loseFrom, a } = installLosing();
  const options = { tenants: ['acme', 'bolt'], reopenIntervalMs: 1 };
  const [acme, bolt] = [storyOf('acme', 8), storyOf('bolt', 8)];
  const before = startOf(installation, a, options);
  await worksAt(before, await append([...bolt.slice(0, 6), ...acme.slice(0, 6)]));
  await before.leave();
  const worker = startOf(installation, a, options);
  await worksAt(worker, await append(acme.slice(6, 12)));
  const lost = await loseFrom(14);
  await worksAt(worker, 13);
  const last = await append([...bolt.slice(6, 12), ...lost]);
  await worksAt(worker, last);
  expect(worker.lanes().bolt?.position).toBe(19);
  await worker.stop();
  const calm = install();
  await calm.records.append([...bolt.slice(0, 12), ...acme.slice(0, 12)]);
  const whole = startOf(calm, a, options);
  await worksAt(whole, 23);
  await whole.stop();
  expect([...(await rowsOf(installation.outputs)).keys()].sort()).toEqual(
    [...(await rowsOf(calm.outputs)).keys()].sort(),
  );
});

test('what comes in the place of another lane’s lost records is not passed over', async () => {
  const { installation, append, loseFrom, a } = installLosing();
  const bolt = storyOf('bolt', 8);
  let from = 0;
  const read: Log['read'] = (position, limits) => {
    from = position;
    return installation.records.read(position, limits);
  };
  const last = await append([...bolt.slice(0, 6), ...storyOf('acme', 8)]);
  const worker = startOf({ ...installation, records: { ...installation.records, read } }, a, { tenants: ['bolt'] });
  await expect.poll(() => from).toBe(last + 1);
  await loseFrom(8);
  await expect.poll(() => from, patience).toBe(8);
  const end = await append(bolt.slice(6));
  await expect.poll(() => worker.lanes().bolt).toMatchObject({ position: end, producersBehind: 0, stopped: '' });
});

describe.each([
  ['checkpoints in memory', install],
  ['checkpoints over logs', overLogs],
])('a log that has lost what a checkpoint was made of, %s', (_name, installed) => {
  test('is gone on with from the newest checkpoint before, once people say so', async () => {
    const { installation, append, lane, saved, position, lost, ...flows } = await loseSaved(installed);
    const worker = startOf(installation, flows.a);
    await waits(worker, new RegExp(`at position ${position}: the log ends before it.*lane-stopped.md`));
    expect(worker.lanes().acme).toMatchObject({ epoch: 1, flow: 'a', lost: { from: saved, ready: false } });
    await append([...storyOf('bolt', 3), ...lost]);
    await append(lane.more(2));
    await waits(worker, /its state ends with record/);
    expect(worker.lanes().acme).toMatchObject({ position, lost: { from: saved, ready: true } });
    const at = await append(lane.takeover(2, 'a', 'a'));
    await worksAt(worker, at);
    expect(worker.lanes().acme).toMatchObject({ epoch: 2, flow: 'a', producersBehind: 0 });
    await worker.stop();
    expect(await rowsOf(installation.outputs)).toEqual(await expectedRows(installation, again(saved, flows)));
    // Audit and rebuild hold on to no checkpoint that was made of what is lost.
    const { records, checkpoints } = installation;
    const history = await recallLane('acme', createLogSource(records, 'acme'), checkpoints, 'a');
    expect((await restoreJoin(history, checkpoints))?.head.position).toBe(at);
  });

  test('is so by workers that die on the way', async () => {
    const { installation, append, lane, saved, position, lost, ...flows } = await loseSaved(installed);
    await append([...storyOf('bolt', 3), ...lost, ...lane.more(2)]);
    const at = await append(lane.takeover(2, 'a', 'a'));
    const options = { batchRecordsMax: 1, checkpointIntervalMs: 0 };
    for (const until of [saved + 1, position - 1, position + 1]) {
      const worker = startOf(installation, flows.a, options);
      await expect
        .poll(() => worker.lanes().acme?.stopped === '' && worker.lanes().acme!.position!)
        .toBeGreaterThan(until);
      await worker.leave();
    }
    const worker = startOf(installation, flows.a);
    await worksAt(worker, at);
    await worker.stop();
    expect(await rowsOf(installation.outputs)).toEqual(await expectedRows(installation, again(saved, flows)));
  });

  test.each([
    { what: 'said before the log has come past it', records: 0, epoch: 2, flow: 'a' },
    { what: 'an upgrade', records: 8, epoch: 2, flow: 'b' },
    { what: 'said of another epoch', records: 8, epoch: 3, flow: 'a' },
  ])('is not gone on with by $what', async ({ records, epoch, flow }) => {
    const { installation, append, lane, saved, a, b } = await loseSaved(installed, 8);
    await append(lane.more(records));
    await append(lane.takeover(epoch, flow, 'a'));
    await append(lane.more(records === 0 ? 8 : 0));
    const workers = [a, b].map((flow) => startOf(installation, flow));
    for (const worker of workers) await waits(worker, /its state ends with record/);
    const { next } = await installation.outputs.bounds();
    let looks = 0;
    const { newest } = installation.checkpoints;
    installation.checkpoints.newest = (...asked) => {
      looks++;
      return newest(...asked);
    };
    await expect.poll(() => looks).toBeGreaterThan(10);
    expect(workers.map((worker) => worker.lanes().acme?.lost)).toEqual(
      [saved, saved].map((from) => ({ from, ready: true })),
    );
    expect((await installation.outputs.bounds()).next).toBe(next);
  });

  test('is worked on from its beginning where no checkpoint is of it', async () => {
    const { installation, append, loseFrom, a } = await loseSaved(installed);
    await loseFrom(0);
    const other = story();
    await append([...storyOf('bolt', 1), ...other.more(8)]);
    const worker = startOf(installation, a);
    await waits(worker, /its state ends with record/);
    expect(worker.lanes().acme?.lost).toEqual({ from: -1, ready: true });
    await worksAt(worker, await append(other.takeover(2, 'a', 'a')));
    expect(worker.lanes().acme).toMatchObject({ epoch: 2, producersBehind: 0 });
  });
});

test('a lane whose records left the log before they were worked on goes on once people say so', async () => {
  const { installation, append, a } = installLosing();
  const lane = story();
  const before = startOf(installation, a);
  const position = await append(lane.more(2));
  await worksAt(before, position);
  await before.leave();
  const gone = lane.more(2);
  await append([...gone, ...lane.more(2)]);
  await installation.records.trim(position + 1 + gone.length);
  const worker = startOf(installation, a);
  await waits(worker, /the log begins further on: records were lost/);
  expect(worker.lanes().acme?.lost).toEqual({ from: position, ready: true });
  await worksAt(worker, await append(lane.takeover(2, 'a', 'a')));
  expect(worker.lanes().acme).toMatchObject({ epoch: 2, producersBehind: 1 });
  // As edges do, which have kept what no checkpoint held.
  const records = await installation.records.read(position + 1 + gone.length, { records: 1e6, bytes: 1e9 });
  await worksAt(worker, await append([...gone, ...records]));
  expect(worker.lanes().acme).toMatchObject({ epoch: 2, producersBehind: 0 });
});
