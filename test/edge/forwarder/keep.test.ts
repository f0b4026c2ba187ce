import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { keepForwarding } from '../../../services/edge/forwarder/keep.ts';
import type { Log } from '../../../services/ports/log/log.ts';
import { createMemoryProgress } from '../../../services/ports/progress/memory.ts';
import { createRegistry, forwarderMetrics } from '../../../services/telemetry.ts';
import { startMs } from '../../core/flow/lane.ts';
import { temporaryFolder } from '../fixture.ts';
import { createTestJournal, createTestPartition, eventually, recordsOf, type TestPartition } from './fixture.ts';

interface Fields {
  log: Log;
  partition: TestPartition;
  hintFile?: string;
  lane?: () => TestPartition;
}

async function keep({ log, partition, hintFile = join(temporaryFolder(), 'hint'), lane = () => partition }: Fields) {
  const metrics = forwarderMetrics(createRegistry('edge'));
  const lines: { level: number; msg: string }[] = [];
  const options = {
    journal: log,
    lane,
    progress: createMemoryProgress(),
    tenants: ['acme'],
    hintFile,
    metrics,
    logger: pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
    now: () => startMs,
    limits: { pollIntervalMs: 1, lookIntervalMs: 2, noteIntervalMs: 2 },
  };
  const forwarder = await keepForwarding(options, 1);
  onTestFinished(() => forwarder.stop(0));
  const metric = async (name: 'forwarding' | 'unforwardedRecords') => (await metrics[name].get()).values[0]!.value;
  return { forwarder, metric, lines };
}

async function written() {
  const journal = createTestJournal();
  await journal.boot();
  await journal.deliver(3);
  return { log: journal.log, partition: createTestPartition() };
}

test('one that cannot begin is begun until it can; meanwhile all is said to be late, and nothing is let go', async () => {
  const { log, partition } = await written();
  const folder = temporaryFolder();
  const inTheWay = join(folder, 'edge');
  writeFileSync(inTheWay, '');
  const { forwarder, metric, lines } = await keep({ log, partition, hintFile: join(inTheWay, 'forwarded.json') });
  await eventually(async () => expect(await metric('unforwardedRecords')).toBe(5));
  expect(await metric('forwarding')).toBe(0);
  expect(forwarder.troubles()).toEqual(['Forwarding cannot begin: it is tried again']);
  expect([forwarder.catchingUp('acme'), forwarder.covered(), forwarder.acknowledged()]).toEqual([true, 0, 0]);

  rmSync(inTheWay);
  await eventually(async () => expect(await recordsOf(partition)).toHaveLength(5));
  await eventually(async () => expect(await metric('forwarding')).toBe(1));
  await eventually(async () => expect(await metric('unforwardedRecords')).toBe(0));
  expect(forwarder.troubles()).toEqual([]);
  expect(forwarder.catchingUp('acme')).toBe(false);
  expect(lines.filter(({ level }) => level >= 50)).toHaveLength(1);
  expect(lines.map(({ msg }) => msg)).toContain('Forwarding has begun');
});

test('one that fails is begun again, also where that fails a few times', async () => {
  const { log, partition } = await written();
  let faults = 2;
  let failures = 0;
  const flaky: Log = {
    ...log,
    async bounds() {
      if (failures-- > 0) throw new Error('disk I/O error');
      return log.bounds();
    },
    async read(from, limits) {
      if (from > 0 || faults-- <= 0) return log.read(from, limits);
      failures = 20;
      return [{ position: 0, key: 'acme', frame: null as unknown as Uint8Array }];
    },
  };
  const { forwarder, metric } = await keep({ log: flaky, partition });
  await eventually(async () => expect(await recordsOf(partition)).toHaveLength(5));
  await eventually(async () => expect(await metric('forwarding')).toBe(1));
  expect(faults).toBeLessThanOrEqual(0);
  await forwarder.stop(1000);
});
