import { describe, expect, test } from 'vitest';
import { findStart, recallLane, restoreJoin } from '../../../services/commands/replay/history.ts';
import { createLogSource } from '../../../services/commands/replay/lane-source.ts';
import { encode } from '../../../services/core/records/codec.ts';
import { createMemoryWarehouse } from '../../../services/ports/warehouse/memory.ts';
import { controlOf } from '../../core/flow/lane.ts';
import { flow, type Installation, install, livesOf, startMs } from './installation.ts';

const tenants = ['acme', 'bolt'];

async function start(): Promise<Installation> {
  const warehouse = createMemoryWarehouse();
  await warehouse.migrate();
  const installation = install(warehouse, tenants);
  await installation.records.append(livesOf(tenants));
  return installation;
}

/** Works up to each of the positions, and saves there; gives where acme's checkpoints are. */
async function saveAt(installation: Installation, ...positions: number[]): Promise<number[]> {
  const saved: number[] = [];
  for (const position of positions) {
    await installation.work(position);
    saved.push(await installation.save());
  }
  return saved;
}

const recall = ({ records, checkpoints }: Installation, by = flow) =>
  recallLane('acme', createLogSource(records, 'acme'), checkpoints, by);

const begin = async (installation: Installation) => {
  const { from, after, upTo } = await findStart(await recall(installation), installation.checkpoints);
  return { from, after, upTo };
};

describe('a replay begins', () => {
  test('with the first record of the lane, whatever was saved since', async () => {
    const installation = await start();
    await saveAt(installation, 50, 100);
    expect(await begin(installation)).toEqual({ from: 'genesis', after: -1, upTo: -1 });
  });

  test('with the first record of a lane that is younger than its log', async () => {
    const installation = install(createMemoryWarehouse(), tenants);
    await installation.records.append(livesOf(['bolt']));
    await installation.records.trim(100);
    const { next } = await installation.records.bounds();
    await installation.records.append(livesOf(['acme']));
    const history = await recall(installation);
    expect(history.survey.begin).toMatchObject({ position: next, genesis: true, seq: 0 });
    expect(await begin(installation)).toEqual({ from: 'genesis', after: -1, upTo: 99 });
  });

  test('behind the newest checkpoint before what is left of the lane', async () => {
    const installation = await start();
    const [, second] = await saveAt(installation, 50, 100, 150);
    await installation.records.trim(second! + 1);
    expect(await begin(installation)).toEqual({ from: 'checkpoint', after: second, upTo: second });
  });

  test('behind an older checkpoint where that one is damaged, if nothing is missing between', async () => {
    const installation = await start();
    const [first, second] = await saveAt(installation, 50, 100, 150);
    await installation.records.trim(first! + 1);
    const { checkpoints } = installation;
    const damaged = {
      ...checkpoints,
      newest: (lane: string, upTo?: number) => checkpoints.newest(lane, upTo === second ? first : upTo),
    };
    expect(await begin({ ...installation, checkpoints: damaged })).toEqual({
      from: 'checkpoint',
      after: first,
      upTo: first,
    });
  });

  test('behind the oldest checkpoint that no gap follows, where records were trimmed without one', async () => {
    const installation = await start();
    const [first, second] = await saveAt(installation, 50, 100, 150);
    await installation.records.trim(first! + 20);
    expect(await begin(installation)).toEqual({ from: 'checkpoint', after: second, upTo: second });
  });

  test("behind a checkpoint from which only other lanes' records were trimmed", async () => {
    const installation = await start();
    const [first] = await saveAt(installation, 50);
    const { records } = installation;
    await records.append(livesOf(['bolt']).map(({ frame }) => ({ key: 'stranger', frame })));
    const { next } = await records.bounds();
    const rest = await records.read(first! + 1, { records: 1e6, bytes: 1e9 });
    await records.append(rest.filter(({ key }) => key !== 'stranger'));
    await records.trim(next);
    expect(await begin(installation)).toEqual({ from: 'checkpoint', after: first, upTo: next - 1 });
  });

  test('nowhere, if there is neither', async () => {
    const installation = await start();
    await installation.records.trim(10);
    await expect(begin(installation)).rejects.toMatchObject({ code: 'START_MISSING' });
  });

  test('with the newest checkpoint, if the log holds no record of the lane any more', async () => {
    const installation = await start();
    const [, second] = await saveAt(installation, 50, 100);
    const { next } = await installation.records.bounds();
    await installation.records.trim(next);
    expect(await begin(installation)).toEqual({ from: 'empty', after: second, upTo: next - 1 });
  });

  test('with nothing, if there never was one', async () => {
    expect(await begin(install(createMemoryWarehouse(), tenants))).toEqual({ from: 'empty', after: -1, upTo: -1 });
  });
});

describe('where another flow worked', () => {
  const takeover = (epoch: number, to: string, previous: string) => {
    const boot = `taken-${epoch}`;
    const document = JSON.stringify({ epoch, flow: to, previous });
    const value = controlOf({ tenant: 'acme', boot, id: boot, received_at: startMs, kind: 'takeover', document });
    return { key: 'acme', frame: encode('control', value) };
  };

  test('nothing is replayed while it works on the lane', async () => {
    const installation = await start();
    await saveAt(installation, 50);
    await expect(recall(installation, 'another')).rejects.toMatchObject({ code: 'OTHER_FLOW' });
  });

  test('a replay joins at the first checkpoint behind the takeover', async () => {
    const installation = await start();
    const { records, checkpoints } = installation;
    await installation.work();
    await installation.save({ flow: 'another', final: true });
    await records.append([takeover(2, flow, '')]);
    await installation.work();
    const taken = await installation.save();
    const join = await restoreJoin(await recall(installation), checkpoints);
    expect(join?.head.position).toBe(taken);
  });

  test('a replay waits for that checkpoint', async () => {
    const installation = await start();
    await installation.work();
    await installation.save();
    await installation.records.append([takeover(2, flow, '')]);
    await expect(restoreJoin(await recall(installation), installation.checkpoints)).rejects.toMatchObject({
      code: 'START_MISSING',
      message: expect.stringContaining('Wait for its first checkpoint'),
    });
  });

  test('a takeover by another one is none of ours', async () => {
    const installation = await start();
    await installation.records.append([takeover(2, 'another', '')]);
    const history = await recall(installation);
    expect(history.survey.takeovers).toMatchObject([{ flow: 'another', epoch: 2 }]);
    expect(await restoreJoin(history, installation.checkpoints)).toBeUndefined();
  });
});
