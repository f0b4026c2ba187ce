/** Records that a newer version has written: what this one cannot read waits for that, and nothing else does. */
import { describe, expect, test } from 'vitest';
import type { Log, LogRecord, NewRecord } from '../../services/ports/log/log.ts';
import { type Installation, install, patience, rowsOf, start, storyOf } from './installation.ts';
import { expectedRows, overLogs, startOf, story, versions, waits, worksAt } from './versions.ts';

/** Schema ids as the newer version has them; the shapes have not changed. */
const newerIds = 1_000;

function shiftId<R extends NewRecord>(record: R, by: number): R {
  const frame = Buffer.from(record.frame);
  frame.writeInt32BE(frame.readInt32BE(1) + by, 1);
  return { ...record, frame };
}

const asNewer = (records: readonly NewRecord[]) => records.map((record) => shiftId(record, newerIds));

/** The log as the newer version reads it. */
function known(log: Log): Log {
  const isNewer = ({ frame }: LogRecord) => Buffer.from(frame).readInt32BE(1) > newerIds;
  const read: Log['read'] = async (from, limits) =>
    (await log.read(from, limits)).map((record) => (isNewer(record) ? shiftId(record, -newerIds) : record));
  return { ...log, read };
}

async function append({ records }: Installation, batch: readonly NewRecord[]): Promise<number> {
  return (await records.append(batch)) + batch.length - 1;
}

/** A lane of flow a up to `last`, then records that only a newer version can read. */
async function worked(installation: Installation) {
  const flows = versions();
  const lane = story();
  const last = await append(installation, lane.more(3));
  await append(installation, asNewer(lane.more(2)));
  return { ...flows, lane, last, first: last + 1 };
}

describe.each([
  ['checkpoints in memory', install],
  ['checkpoints over logs', overLogs],
])('a record of a schema that came later, %s', (_name, installed) => {
  test('waits for the version that knows it, which takes over in front of it', async () => {
    const installation = installed();
    const { lane, last, first, a, b } = await worked(installation);
    const old = startOf(installation, a);
    await waits(old, new RegExp(`^written by a newer version: the record at position ${first} .*"hookwatch upgrade"`));
    expect(old.lanes().acme).toMatchObject({ position: last, epoch: 1, flow: 'a' });
    expect(await installation.checkpoints.newest('acme')).toMatchObject({ position: last, final: true, flow: 'a' });

    const renewed = { ...installation, records: known(installation.records) };
    const young = startOf(renewed, b);
    await waits(young, /^flow a has worked on it/);
    const at = await append(installation, asNewer(lane.takeover(2, 'b', 'a')));
    await worksAt(young, at);
    await worksAt(young, await append(installation, lane.more(1)));
    expect(young.lanes().acme).toMatchObject({ epoch: 2, flow: 'b' });
    await young.stop();
    await waits(old, /^flow b has worked on it/);
    const eras = [
      { flow: a, epoch: 1, from: 0 },
      { flow: b, epoch: 2, from: first },
    ];
    expect(await rowsOf(installation.outputs)).toEqual(await expectedRows(renewed, eras));
  });

  test('waits without being worked on once more, and sees the takeover behind it', async () => {
    const installation = installed();
    const { lane, a } = await worked(installation);
    let saves = 0;
    let looks = 0;
    const { save, newest } = installation.checkpoints;
    const checkpoints: Installation['checkpoints'] = {
      ...installation.checkpoints,
      save(...saved) {
        saves++;
        return save(...saved);
      },
      newest(...asked) {
        looks++;
        return newest(...asked);
      },
    };
    const worker = startOf({ ...installation, checkpoints }, a);
    await waits(worker, /^written by a newer version/);
    const [before, until] = [saves, looks + 10];
    await expect.poll(() => looks).toBeGreaterThan(until);
    expect(saves).toBe(before);
    const position = await append(installation, lane.takeover(2, 'b', 'a'));
    await waits(worker, /^flow b takes over/);
    expect(worker.lanes().acme?.takeover).toEqual({ position, flow: 'b', ready: true });
  });
});

test('other lanes go on past what a newer version has written, also where a lane begins with it', async () => {
  const installation = install();
  const { records } = installation;
  const story = storyOf('bolt', 5);
  const froms: number[] = [];
  const read: Log['read'] = (from, limits) => {
    froms.push(from);
    return records.read(from, limits);
  };
  for (const [index, record] of storyOf('acme', 3).entries()) {
    await append(installation, [...asNewer([record]), story[index]!]);
  }
  const { worker } = start({ ...installation, records: { ...records, read } }, { reopenIntervalMs: 1 });
  await expect.poll(() => worker.lanes().acme?.stopped, patience).toMatch(/^written by a newer version.* position 0 /);
  const last = await append(installation, story.slice(7));
  await expect.poll(() => worker.lanes().bolt, patience).toMatchObject({ position: last, stopped: '' });
  expect(froms.filter((from) => from === 0)).toHaveLength(1);
  expect(await installation.checkpoints.newest('acme')).toBeUndefined();
});

test('a version is given back a lane whose last record it cannot read', async () => {
  const installation = install();
  const { lane, a, b } = await worked(installation);
  const old = startOf(installation, a);
  await waits(old, /^written by a newer version/);
  await append(installation, asNewer([...lane.takeover(2, 'b', 'a'), ...lane.more(1)]));
  const last = await append(installation, lane.takeover(3, 'a', 'b'));
  startOf({ ...installation, records: known(installation.records) }, b);
  await worksAt(old, last);
  expect(old.lanes().acme).toMatchObject({ epoch: 3, flow: 'a' });
});
