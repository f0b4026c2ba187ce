/** An installation's topics on a broker of the test's own. */
import pino from 'pino';
import { connectLanes, type KafkaLanes } from '../../services/kafka-lanes.ts';
import type { KafkaConfig } from '../../services/kafka-settings.ts';
import { wantedTopics } from '../../services/ports/log/topics.ts';
import type { TestKafka } from './broker.ts';

let prefixes = 0;

export function kafkaSettings(
  { bootstrap }: Pick<TestKafka, 'bootstrap'>,
  fields: Partial<KafkaConfig> = {},
): KafkaConfig {
  return {
    brokers: bootstrap,
    prefix: `test-${prefixes++}`,
    partitions: 1,
    replication: 1,
    minInSyncReplicas: 1,
    recordsRetentionMs: 3_600_000,
    outputsRetentionMs: 3_600_000,
    tls: false,
    sasl: undefined,
    sessionTimeoutMs: 6_000,
    ...fields,
  };
}

/** Topics that nobody else has, made and connected to. */
export async function openLanes(
  kafka: Pick<TestKafka, 'bootstrap'>,
  fields: Partial<KafkaConfig> = {},
): Promise<KafkaLanes> {
  const settings = kafkaSettings(kafka, fields);
  const lanes = connectLanes(settings, 'test', pino({ level: 'silent' }));
  await lanes.kafka.admin.create(wantedTopics(settings));
  return lanes;
}
