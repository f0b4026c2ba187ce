/** The ports that lie over logs, over logs of a real broker. */
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { KafkaLanes } from '../../services/kafka-lanes.ts';
import { startKafka, type TestKafka } from '../kafka/broker.ts';
import { openLanes } from '../kafka/lanes.ts';
import { checkpointsContract } from './checkpoints/contract.ts';
import { progressContract } from './progress/contract.ts';

let kafka: TestKafka;
beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka?.dispose());

checkpointsContract('over Kafka', async () => {
  const lanes = await openLanes(kafka);
  return { checkpoints: lanes.checkpoints(0), close: lanes.close };
});

let shared: KafkaLanes | undefined;
afterEach(() => shared?.close());

progressContract('over Kafka', async () => {
  shared = await openLanes(kafka, { partitions: 2 });
  return shared.progress();
});
