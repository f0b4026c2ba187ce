/** Positions over Kafka: a partition begins at 0, and what is restored into it does not. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRestoredLog } from '../../../services/commands/restore/kafka-target.ts';
import type { Log } from '../../../services/ports/log/log.ts';
import { startKafka, type TestKafka } from '../../kafka/broker.ts';
import { openLanes } from '../../kafka/lanes.ts';
import { record, textsOf } from '../backup/fixture.ts';

let kafka: TestKafka;

beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka.dispose());

async function withLog(use: (log: Log) => Promise<void>): Promise<void> {
  const lanes = await openLanes(kafka);
  try {
    await use(lanes.records(0));
  } finally {
    await lanes.close();
  }
}

/** More than fit into one batch of fillers. */
const first = 1_234_567;

test('records have the positions that they had, with holes where there were some', () =>
  withLog(async (log) => {
    const said: number[] = [];
    const restored = await openRestoredLog(log, 0, first, (position) => said.push(position));
    expect(await log.bounds()).toEqual({ first, next: first });
    expect(said.length).toBeGreaterThan(1);
    expect(said.at(-1)).toBe(first);
    expect(await restored.append([record('a'), record('b')])).toBe(first);
    await restored.skipTo(first + 5);
    expect(await restored.append([record('c')])).toBe(first + 5);
    await restored.skipTo(first + 6);
    await restored.skipTo(first + 9);
    expect(await log.bounds()).toEqual({ first, next: first + 9 });
    expect(await textsOf(log)).toEqual([`${first} a`, `${first + 1} b`, `${first + 5} c`]);
    await expect(log.read(first - 1, { records: 1, bytes: 1 })).rejects.toMatchObject({ code: 'LOG_TRIMMED' });
  }));

test('a partition in which there were no records has none, and goes on where it ended', () =>
  withLog(async (log) => {
    const restored = await openRestoredLog(log, 0, 42, () => {});
    await restored.skipTo(42);
    expect(await log.bounds()).toEqual({ first: 42, next: 42 });
    expect(await log.append([record('next')])).toBe(42);
  }));

test('whoever writes to it meanwhile is noticed', () =>
  withLog(async (log) => {
    const restored = await openRestoredLog(log, 3, 10, () => {});
    await log.append([record('a stranger'), record('and another')]);
    await expect(restored.skipTo(11)).rejects.toMatchObject({
      code: 'BACKUP_NOT_ALONE',
      message: expect.stringContaining('partition 3 has come to position 12 by itself'),
    });
    await expect(openRestoredLog(log, 3, 5, () => {})).rejects.toMatchObject({ code: 'BACKUP_NOT_ALONE' });
  }));
