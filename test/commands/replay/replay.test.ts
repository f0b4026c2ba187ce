import { expect, test } from 'vitest';
import { createLogSource, type LaneSource } from '../../../services/commands/replay/lane-source.ts';
import { createReplay, type Replay } from '../../../services/commands/replay/replay.ts';
import type { Output } from '../../../services/core/flow/context.ts';
import { step } from '../../../services/core/flow/flow.ts';
import { createState } from '../../../services/core/flow/state.ts';
import { encode } from '../../../services/core/records/codec.ts';
import { restoreNewest } from '../../../services/ports/checkpoints/restore.ts';
import { createMemoryWarehouse } from '../../../services/ports/warehouse/memory.ts';
import { controlOf } from '../../core/flow/lane.ts';
import { flow, install, livesOf, readLane, startMs } from './installation.ts';

const tenants = ['acme', 'bolt'];

async function start() {
  const warehouse = createMemoryWarehouse();
  await warehouse.migrate();
  const installation = install(warehouse, tenants);
  await installation.records.append(livesOf(tenants));
  const { next } = await installation.records.bounds();
  return { ...installation, source: createLogSource(installation.records, 'acme'), last: next - 1 };
}

const fromGenesis = (by = flow) => createReplay({ tenant: 'acme', state: createState(), upTo: -1, flow: by });

async function run(replay: Replay, source: LaneSource, until: number): Promise<Output[]> {
  const outputs: Output[] = [];
  for await (const batch of replay.run(source, until)) outputs.push(...batch.outputs);
  return outputs;
}

test('it leads to what the flow leads to, in as many parts as one likes', async () => {
  const { records, source, last } = await start();
  const expected = step(createState(), await readLane(records, 'acme')).outputs;
  expect(await run(fromGenesis(), source, last)).toEqual(expected);
  const inParts = fromGenesis();
  const parts = [];
  for (const until of [0, 1, 77, 78, last - 1, last, last + 10]) parts.push(...(await run(inParts, source, until)));
  expect(parts).toEqual(expected);
  expect(inParts.upTo).toBe(last);
});

test('it goes on from a checkpoint of the same place, and of no other', async () => {
  const installation = await start();
  const { source, checkpoints, last } = installation;
  await installation.work(100);
  const saved = await installation.save();
  const restored = (await restoreNewest(checkpoints, 'acme'))!;
  const replay = fromGenesis();
  await run(replay, source, saved - 2);
  expect(() => replay.adopt(restored, flow)).toThrow('Cannot go on with lane acme from its checkpoint');
  await run(replay, source, saved);
  replay.adopt(restored, flow);
  const straight = fromGenesis();
  await run(straight, source, saved);
  expect(await run(replay, source, last)).toEqual(await run(straight, source, last));
});

test('it ends before another flow takes over, but not before what is no takeover', async () => {
  const { records, source, last } = await start();
  const takeover = (boot: string, epoch: number, to: string) => {
    const document = JSON.stringify({ epoch, flow: to, previous: '' });
    const value = controlOf({ tenant: 'acme', boot, id: boot, received_at: startMs, kind: 'takeover', document });
    return { key: 'acme', frame: encode('control', value) };
  };
  await records.append([takeover('stale', 7, 'another'), takeover('own', 2, flow)]);
  const replay = fromGenesis();
  await run(replay, source, last + 2);
  expect(replay.summary()).toMatchObject({ epoch: 2, flow });
  await records.append([takeover('foreign', 3, 'another')]);
  // Its document says that it follows upon an unknown flow: the lane does not believe it.
  await run(replay, source, last + 3);
  replay.holdEpoch(2);
  await records.append([takeover('true', 3, 'another')]);
  await expect(run(replay, source, last + 4)).rejects.toMatchObject({ code: 'OTHER_FLOW' });
});

test('what it emits bears the epoch that it is held in', async () => {
  const { source, last } = await start();
  const replay = fromGenesis();
  await run(replay, source, 50);
  replay.holdEpoch(9);
  const outputs = await run(replay, source, last);
  expect(new Set(outputs.map(({ value }) => Math.floor(value.version / 2 ** 32)))).toEqual(new Set([9]));
});
