import { expect, test } from 'vitest';
import { decode, encode } from '../../../services/core/records/codec.ts';
import type { Progress, Snapshot } from '../../../services/core/records/generated.ts';
import type { CheckpointDamagedError } from '../../../services/ports/checkpoints/checkpoints.ts';
import { createLogCheckpoints, type LogCheckpointsOptions } from '../../../services/ports/checkpoints/logs.ts';
import { type Log, LogUnavailableError } from '../../../services/ports/log/log.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { checkpointsContract, chunksOf, headOf, textOf } from './contract.ts';

function open(parts: Partial<LogCheckpointsOptions> = {}) {
  const logs = { pieces: createMemoryLog(), progress: createMemoryLog(), ...parts };
  const damages: CheckpointDamagedError[] = [];
  const again = (more: Partial<LogCheckpointsOptions> = {}) =>
    createLogCheckpoints({ ...logs, onDamage: (error) => damages.push(error), ...more });
  return { ...logs, damages, again, checkpoints: again() };
}

checkpointsContract('logs', async () => ({ checkpoints: open().checkpoints, close: async () => {} }));

checkpointsContract('logs, moved often', async () => ({
  checkpoints: open({ pieceBytesMax: 50_000, deadPiecesMin: 0 }).checkpoints,
  close: async () => {},
}));

async function all(log: Log) {
  const { first } = await log.bounds();
  return log.read(first, { records: 1e6, bytes: 1e9 });
}

/** The last progress record, changed and appended once more. */
async function announceAgain(log: Log, change: (record: Progress) => Partial<Progress>): Promise<void> {
  const { key, frame } = (await all(log)).at(-1)!;
  const record = decode(frame).value as Progress;
  await log.append([{ key, frame: encode('progress', { ...record, ...change(record) }) }]);
}

const snapshotOf = (record: Progress, parts: Partial<Snapshot>) => ({ snapshot: { ...record.snapshot!, ...parts } });
const unavailable = () => Promise.reject(new LogUnavailableError('cut off'));

test.each<[string, (log: Log, appends: number) => Promise<number> | undefined]>([
  ['its first piece', (_, appends) => (appends === 0 ? unavailable() : undefined)],
  ['a piece in the middle', (_, appends) => (appends === 2 ? unavailable() : undefined)],
])('a snapshot that is torn at %s does not count, and is not in the way of the next', async (_name, fail) => {
  const pieces = createMemoryLog();
  let appends = 0;
  const torn = { ...pieces, append: (batch: never) => fail(pieces, appends++) ?? pieces.append(batch) };
  const { checkpoints, progress, again } = open({ pieces, pieceBytesMax: 4 });
  await checkpoints.save('acme', headOf(1), chunksOf('an older state'));
  await expect(again({ pieces: torn }).save('acme', headOf(2), chunksOf('a newer state'))).rejects.toThrow('cut off');
  expect((await all(progress)).length).toBe(1);
  expect(await textOf(await checkpoints.newest('acme'))).toBe('an older state');
  await again({ pieces: torn }).save('acme', headOf(3), chunksOf('a third state'));
  expect(await textOf(await checkpoints.newest('acme'))).toBe('a third state');
});

test('a snapshot whose announcement was not acknowledged counts if it landed', async () => {
  const { checkpoints, progress, again } = open();
  const deaf = { ...progress, append: (batch: never) => progress.append(batch).then(unavailable) };
  await expect(again({ progress: deaf }).save('acme', headOf(1), chunksOf('a state'))).rejects.toThrow('cut off');
  expect(await textOf(await checkpoints.newest('acme'))).toBe('a state');
});

test.each<[string, (record: Progress) => Partial<Progress>, string]>([
  ['that lacks its last piece', (record) => snapshotOf(record, { pieces: 5 }), 'piece 4 of 5 is not there'],
  ['that begins elsewhere', (record) => snapshotOf(record, { first: 6 }), 'piece 0 of 4 is not there'],
  ['with another digest', (record) => snapshotOf(record, { sha256: 'f'.repeat(64) }), 'its digest is another one'],
])('a snapshot %s is passed over, and said so once', async (_name, change, why) => {
  const { checkpoints, progress, damages } = open({ pieceBytesMax: 4 });
  await checkpoints.save('acme', headOf(1), chunksOf('an older state'));
  await checkpoints.save('acme', headOf(2), chunksOf('a newer state'));
  await announceAgain(progress, (record) => ({ ...change(record), position: 9 }));
  const id = (decode((await all(progress)).at(-1)!.frame).value as Progress).snapshot!.id;
  const damaged = await checkpoints.newest('acme');
  expect(damaged?.position).toBe(9);
  await expect(textOf(damaged)).rejects.toThrow(why);
  await expect(textOf(damaged)).rejects.toThrow(why);
  // What was announced before under the same id is the same bytes.
  expect((await checkpoints.newest('acme'))?.position).toBe(1);
  expect(damages.map(({ message }) => message)).toEqual([expect.stringContaining(id)]);
});

test('a snapshot whose pieces were trimmed is passed over, and said so once', async () => {
  const { checkpoints, pieces, damages } = open();
  await checkpoints.save('acme', headOf(2), chunksOf('first'));
  await checkpoints.save('acme', headOf(1), chunksOf('second'));
  const before = await checkpoints.newest('acme');
  await pieces.trim(1);
  await expect(textOf(before)).rejects.toThrow('starts at 1');
  expect(await textOf(await checkpoints.newest('acme'))).toBe('second');
  expect(await checkpoints.list('acme')).toEqual([1]);
  expect(damages.length).toBe(1);
});

test('a piece that was appended twice is taken once', async () => {
  const pieces = createMemoryLog();
  const twice = { ...pieces, append: (batch: never) => pieces.append(batch).then(() => pieces.append(batch)) };
  const { checkpoints } = open({ pieces: twice, pieceBytesMax: 2 });
  await checkpoints.save('acme', headOf(1), chunksOf('a state'));
  expect(await textOf(await checkpoints.newest('acme'))).toBe('a state');
});

test('what others write into the logs is passed over', async () => {
  const { checkpoints, pieces, progress } = open({ pieceBytesMax: 2 });
  const foreign = [{ key: 'acme', frame: Buffer.from('garbage') }];
  await progress.append(foreign);
  const saved = checkpoints.save('acme', headOf(1), chunksOf('a ', 'state'));
  await pieces.append([{ key: 'bolt', frame: Buffer.from('garbage') }]);
  await saved;
  const { snapshot: _, ...said } = decode((await all(progress)).at(-1)!.frame).value as Progress;
  await progress.append([{ key: 'acme', frame: encode('progress', { ...said, position: 9, snapshot: null }) }]);
  const newest = await checkpoints.newest('acme');
  expect(newest?.position).toBe(1);
  expect(await textOf(newest)).toBe('a state');
});

test('a state that is saved already is only announced again', async () => {
  const { checkpoints, pieces, again } = open();
  await checkpoints.save('acme', headOf(1), chunksOf('a state'));
  let read = false;
  async function* unread() {
    read = true;
    yield* chunksOf('a state');
  }
  await again().save('acme', headOf(1, { final: true }), unread());
  expect(await checkpoints.newest('acme')).toMatchObject({ position: 1, final: true });
  expect(await textOf(await checkpoints.newest('acme'))).toBe('a state');
  expect(read).toBe(false);
  expect((await pieces.bounds()).next).toBe(1);
});

test('nothing is trimmed of a snapshot that is still being written', async () => {
  const { checkpoints, again } = open({ pieceBytesMax: 1, deadPiecesMin: 0 });
  const other = again();
  async function* slow() {
    yield* chunksOf('a state ');
    for (const position of [2, 3, 4, 5]) await checkpoints.save('bolt', headOf(position), chunksOf(`bolt ${position}`));
    await checkpoints.prune('bolt', 5);
    yield* chunksOf('of many pieces');
  }
  await checkpoints.save('acme', headOf(1), slow());
  expect(await textOf(await other.newest('acme'))).toBe('a state of many pieces');
  expect(await other.list('bolt')).toEqual([3, 4, 5]);
});

test('what is kept long does not keep all that lies behind it', async () => {
  const { checkpoints, pieces, progress, again } = open({ pieceBytesMax: 10, deadPiecesMin: 20 });
  await checkpoints.save('gone', headOf(1, { final: true }), chunksOf('of a tenant that is gone'));
  const lengths: number[] = [];
  for (let position = 10; position < 2_000; position += 10) {
    for (const lane of ['acme', 'bolt']) {
      await checkpoints.save(lane, headOf(position), chunksOf(`${lane} at ${position}, in pieces`));
      await checkpoints.prune(lane, 105);
    }
    const bounds = await Promise.all([pieces, progress].map((log) => log.bounds()));
    lengths.push(...bounds.map(({ first, next }) => next - first));
  }
  // Kept: at most a dozen snapshots of each lane of 3 pieces and one of 3, twice that behind the oldest, and a round.
  expect(Math.max(...lengths)).toBeLessThan(3 * (2 * 12 * 3 + 3) + 12);
  for (const reader of [checkpoints, again()]) {
    expect(await textOf(await reader.newest('acme', 105))).toBe('acme at 100, in pieces');
    expect(await textOf(await reader.newest('bolt'))).toBe('bolt at 1990, in pieces');
    expect(await reader.newest('gone')).toMatchObject({ position: 1, final: true });
    expect(await textOf(await reader.newest('gone'))).toBe('of a tenant that is gone');
  }
});

test('a copy does not take back what was said of its position meanwhile', async () => {
  const { checkpoints, again, pieces } = open({ pieceBytesMax: 10, deadPiecesMin: 0 });
  await checkpoints.save('acme', headOf(1, { final: true }), chunksOf('a state'));
  for (let position = 1; position <= 20; position++) {
    await checkpoints.save('bolt', headOf(position), chunksOf('x'));
  }
  let said: Promise<void> | undefined;
  const slow = {
    ...pieces,
    // Between the copy and its announcement the lane is worked on again.
    async append(batch: never) {
      const position = await pieces.append(batch);
      said ??= again().save('acme', headOf(1, { final: false }), chunksOf('a state'));
      await said;
      return position;
    },
  };
  await again({ pieces: slow }).prune('bolt', 20);
  expect(said).toBeDefined();
  expect(await again().newest('acme')).toMatchObject({ position: 1, final: false });
  expect(await textOf(await again().newest('acme'))).toBe('a state');
});
