import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { placeOf } from '../../services/core/records/place.ts';
import { createSqliteLog } from '../../services/ports/log/sqlite.ts';
import { startKafka } from '../kafka/broker.ts';
import { openLanes } from '../kafka/lanes.ts';
import { isAlive, type PartName, startInstallation } from '../supervisor/installation.ts';
import { type Deployment, survivesKills } from './crash.ts';
import { allOf, untilInClickHouse } from './lanes.ts';

const kills = { edge: 5, worker: 5, sink: 4, clickhouse: 3, kafka: 3 };
const brokerId = 1;

async function open(): Promise<Deployment> {
  const kafka = await startKafka();
  onTestFinished(kafka.dispose);
  const prefix = 'killed';
  const lanes = await openLanes(kafka, { prefix, partitions: 2 });
  const installation = await startInstallation({
    env: {
      HOOKWATCH_KAFKA_BROKERS: kafka.bootstrap.join(','),
      HOOKWATCH_KAFKA_PREFIX: prefix,
      HOOKWATCH_KAFKA_PARTITIONS: '2',
      HOOKWATCH_KAFKA_REPLICATION: '1',
      HOOKWATCH_KAFKA_MIN_ISR: '1',
      HOOKWATCH_KAFKA_SESSION_SECONDS: '6',
      HOOKWATCH_CHECKPOINT_SECONDS: '2',
    },
  });
  onTestFinished(installation.dispose);
  const records = lanes.records(lanes.partitionOf('northwind'));
  const urlOf = (part: 'worker' | 'sink') => installation.url(part)!;
  return {
    installation,
    kills,
    pid(part) {
      if (part !== 'kafka') return installation.pid(part as PartName);
      const pid = kafka.pid(brokerId);
      return isAlive(pid) ? pid : undefined;
    },
    async revive(part) {
      if (part === 'kafka') await kafka.start(brokerId);
    },
    records,
    sendsAgain: true,
    workerUrl: () => urlOf('worker'),
    async untilForwarded() {
      const journal = createSqliteLog({ folder: join(installation.dataFolder, 'records'), segmentBytesMax: 1 });
      const { next } = await journal.bounds();
      const [last] = await journal.read(next - 1, { records: 1, bytes: 1 });
      await journal.close();
      const arrived = async () => {
        const ids: string[] = [];
        for await (const { frame } of allOf(records)) ids.push(placeOf(frame).id);
        expect(ids.slice(-2_000)).toContain(placeOf(last!.frame).id);
      };
      await vi.waitFor(arrived, { timeout: 60_000, interval: 100 });
    },
    untilStored: () => untilInClickHouse(lanes, [urlOf('sink')]),
    close: lanes.close,
  };
}

test(
  'twenty kills under load over Kafka, of the broker too: each 202 exactly once, and nothing else',
  { timeout: 300_000 },
  () => survivesKills(open),
);
