import { setTimeout as wait } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { pino } from 'pino';
import { connectLanes, type KafkaLanes } from '../../services/kafka-lanes.ts';
import type { KafkaConfig } from '../../services/kafka-settings.ts';
import { wantedTopics } from '../../services/ports/log/topics.ts';
import { kafkaSettings } from '../../test/kafka/lanes.ts';

/** Lanes on a broker, and what both sides need to begin anew. */
export interface Arena extends AsyncDisposable {
  readonly settings: KafkaConfig;
  readonly tenants: readonly string[];
  readonly lanes: KafkaLanes;
  /** Makes topics, in place of those of the same names. All have the same settings. */
  renew(topics: readonly string[]): Promise<void>;
  remove(which: (topic: string) => boolean): Promise<void>;
  /** How many records topics hold. */
  count(topics: readonly string[]): Promise<number>;
}

export interface ArenaOptions {
  bootstrap: readonly string[];
  prefix: string;
  partitions: number;
  tenants: readonly string[];
}

/** Opens an arena whose records topic is there and empty. */
export async function openArena({ bootstrap, tenants, ...fields }: ArenaOptions): Promise<Arena> {
  const settings = kafkaSettings({ bootstrap }, fields);
  const lanes = connectLanes(settings, 'bench', pino({ level: 'warn' }));
  const client = new kafkajs.Kafka({ brokers: [...bootstrap], logLevel: kafkajs.logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  // One broker that syncs each batch would measure its disk.
  const { 'flush.messages': _, ...config } = wantedTopics(settings).get(lanes.topics.records)!.config;
  const shape = { partitions: settings.partitions, replication: 1, config };

  const arena: Arena = {
    settings,
    tenants,
    lanes,
    async renew(topics) {
      await arena.remove((topic) => topics.includes(topic));
      await lanes.kafka.admin.create(new Map(topics.map((topic) => [topic, shape])));
    },
    async remove(which) {
      const found = async () => (await admin.listTopics()).filter(which);
      const topics = await found();
      if (topics.length > 0) await admin.deleteTopics({ topics });
      while ((await found()).length > 0) await wait(50);
    },
    async count(topics) {
      const logs = topics.flatMap((topic) =>
        Array.from({ length: settings.partitions }, (_, partition) => lanes.kafka.log(topic, partition)),
      );
      const bounds = await Promise.all(logs.map((log) => log.bounds()));
      return bounds.reduce((sum, { first, next }) => sum + next - first, 0);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([admin.disconnect(), lanes.close()]);
    },
  };
  await arena.renew([lanes.topics.records]);
  return arena;
}
