import { expect, test } from 'vitest';
import { encode } from '../../../services/core/records/codec.ts';
import { type Log, LogUnavailableError } from '../../../services/ports/log/log.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { createLogsProgress } from '../../../services/ports/progress/logs.ts';
import { createMemoryProgress } from '../../../services/ports/progress/memory.ts';
import { progressContract, progressOf } from './contract.ts';

progressContract('memory', () => createMemoryProgress());

progressContract('one log for all', () => {
  const log = createMemoryLog();
  return createLogsProgress({ log: () => log });
});

progressContract('a log each', () => {
  const logs = new Map(['acme', 'bolt', 'contoso'].map((tenant) => [tenant, createMemoryLog()]));
  return createLogsProgress({ log: (tenant) => logs.get(tenant)! });
});

/** A memory log that counts the records it hands out. */
function countedLog() {
  const log = createMemoryLog();
  let handedOut = 0;
  const counted: Log = {
    ...log,
    async read(from, limits) {
      const records = await log.read(from, limits);
      handedOut += records.length;
      return records;
    },
  };
  return { log: counted, handedOut: () => handedOut };
}

test('a log is read from its beginning once, however many lanes it holds, and then only what is new', async () => {
  const { log, handedOut } = countedLog();
  const writer = createLogsProgress({ log: () => log });
  for (let position = 0; position < 50; position++) await writer.publish(progressOf({ position }));
  const reader = createLogsProgress({ log: () => log });
  for (const tenant of ['acme', 'bolt', 'acme']) await reader.latest(tenant);
  expect(handedOut()).toBe(50);
  await writer.publish(progressOf({ position: 50 }));
  expect((await reader.latest('acme')).live?.position).toBe(50);
  expect(handedOut()).toBe(51);
});

test('many that ask at once are answered by one read', async () => {
  const log = createMemoryLog();
  let reads = 0;
  const counted: Log = {
    ...log,
    async read(from, limits) {
      reads++;
      return log.read(from, limits);
    },
  };
  const progress = createLogsProgress({ log: () => counted });
  await progress.publish(progressOf({ position: 7 }));
  const answers = await Promise.all(Array.from({ length: 50 }, () => progress.latest('acme')));
  expect(answers.map(({ live }) => live?.position)).toEqual(Array(50).fill(7));
  // What there is, and then nothing.
  expect(reads).toBe(2);
});

test('a log that was trimmed meanwhile is read on from its start', async () => {
  const log = createMemoryLog();
  const progress = createLogsProgress({ log: () => log });
  await progress.publish(progressOf({ position: 1 }));
  await progress.latest('acme');
  for (const position of [2, 3, 4]) await progress.publish(progressOf({ position }));
  await log.trim(3);
  expect((await progress.latest('acme')).live?.position).toBe(4);
  expect((await createLogsProgress({ log: () => log }).latest('acme')).live?.position).toBe(4);
});

test('a record that cannot be read is passed over and told', async () => {
  const log = createMemoryLog();
  const damage: unknown[] = [];
  const progress = createLogsProgress({ log: () => log, onDamage: (error) => damage.push(error) });
  await progress.publish(progressOf({ position: 1 }));
  const frame = encode('progress', { ...progressOf({ position: 2 }), published_at: 0 });
  await log.append([{ key: 'acme', frame: frame.subarray(0, 9) }]);
  await progress.publish(progressOf({ position: 3 }));
  expect((await progress.latest('acme')).live?.position).toBe(3);
  expect(damage).toMatchObject([{ code: 'FRAME_INVALID' }]);
});

test('a log that was not reached is read once it is', async () => {
  const { log, handedOut } = countedLog();
  let away = true;
  const flaky: Log = {
    ...log,
    async read(from, limits) {
      if (away) throw new LogUnavailableError('away');
      return log.read(from, limits);
    },
  };
  const reader = createLogsProgress({ log: () => flaky });
  await reader.publish(progressOf({ position: 1 }));
  await expect(reader.latest('acme')).rejects.toThrow(LogUnavailableError);
  away = false;
  expect((await reader.latest('acme')).live?.position).toBe(1);
  expect(handedOut()).toBe(1);
});
