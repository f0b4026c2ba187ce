/** Positions before a lane's first record, which a restore over Kafka has to fill. */
import { pino } from 'pino';
import { openRestoredLog } from '../services/commands/restore/kafka-target.ts';
import { connectLanes } from '../services/kafka-lanes.ts';
import type { NewRecord } from '../services/ports/log/log.ts';
import { wantedTopics } from '../services/ports/log/topics.ts';
import { startKafka } from '../test/kafka/broker.ts';
import { kafkaSettings } from '../test/kafka/lanes.ts';
import { type Figure, figureOf } from './figure.ts';
import { generateLane } from './lane.ts';
import { batchesOf } from './lanes.ts';
import { alternate } from './rounds.ts';

const positions = 5_000_000;
const rounds = 3;
const startMs = Date.UTC(2026, 0, 5, 9);
const lane = { tenant: 'northwind', seed: 1, startMs, rate: 500, seconds: 60 };

/** Filled, against real records that are appended one batch after the other. */
export async function measurePositions(say: (line: string) => void): Promise<Figure[]> {
  const batches = [...batchesOf(lane.tenant, generateLane(lane))];
  const broker = await startKafka();
  try {
    const settings = kafkaSettings(broker, { prefix: 'positions', partitions: 2 * (rounds + 1) });
    const lanes = connectLanes(settings, 'bench', pino({ level: 'warn' }));
    try {
      await lanes.kafka.admin.create(wantedTopics(settings));
      let partition = 0;
      const timed = async (work: (partition: number) => Promise<number>) => {
        const startedMs = performance.now();
        const count = await work(partition++);
        return (count * 1_000) / (performance.now() - startedMs);
      };
      const { ours, ratios } = await alternate({
        ours: () =>
          timed(async (empty) => {
            await openRestoredLog(lanes.records(empty), empty, positions, () => {});
            return positions;
          }),
        bare: () => timed((empty) => appendAll(lanes.records(empty), batches)),
        rounds,
        say: (line) => say(`positions filled, to records appended, ${line}`),
      });
      return [
        figureOf({ name: 'Kafka: positions filled', unit: '/s' }, ours),
        figureOf({ name: 'the same, ratio to appending records', unit: '' }, ratios),
      ];
    } finally {
      await lanes.close();
    }
  } finally {
    await broker.dispose();
  }
}

async function appendAll(
  log: { append(records: readonly NewRecord[]): Promise<number> },
  batches: readonly NewRecord[][],
): Promise<number> {
  for (const batch of batches) await log.append(batch);
  return batches.reduce((sum, { length }) => sum + length, 0);
}
