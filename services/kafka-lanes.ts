/**
 * Where everything of an installation over Kafka lies. All topics have the same number of partitions, and whatever
 * belongs to a lane has one number in all of them:
 *
 *   <prefix>.records       lanes, as edges send them; key: the tenant
 *   <prefix>.deliveries …  what follows from them: a topic per kind of output, named like its table
 *   <prefix>.checkpoints   states of lanes, in pieces
 *   <prefix>.progress      how far lanes have been worked on, and which states are whole
 */
import type { Logger } from 'pino';
import type { Output } from './core/flow/context.ts';
import { kindOf, type OutputKind, outputKinds, schemaIdOf } from './core/records/codec.ts';
import type { KafkaConfig } from './kafka-settings.ts';
import type { Checkpoints } from './ports/checkpoints/checkpoints.ts';
import { createLogCheckpoints } from './ports/checkpoints/logs.ts';
import { connectKafka, type Kafka, partitionOf } from './ports/log/kafka.ts';
import type { Log, NewRecord } from './ports/log/log.ts';
import { type TopicNames, topicsOf } from './ports/log/topics.ts';
import { createLogsProgress } from './ports/progress/logs.ts';
import type { Progress } from './ports/progress/progress.ts';

export interface KafkaLanes {
  readonly kafka: Kafka;
  /** Number of every topic's partitions. */
  readonly partitions: number;
  readonly topics: TopicNames;
  partitionOf(tenant: string): number;
  /** One object per partition. */
  records(partition: number): Log;
  /** Takes outputs of every kind, each into its topic. */
  outputs(partition: number): Pick<Log, 'append'>;
  /** The topics of outputs, one by one, to be read. */
  outputLogs(partition: number, kinds?: readonly OutputKind[]): { topic: string; log: Log }[];
  checkpoints(partition: number): Checkpoints;
  progress(): Progress;
  close(): Promise<void>;
}

export function connectLanes(settings: KafkaConfig, clientId: string, logger: Logger): KafkaLanes {
  const { brokers, tls, sasl, prefix, partitions } = settings;
  const kafka = connectKafka({ brokers, clientId, tls, sasl }, logger);
  const topics = topicsOf(prefix);
  const laneOf = (tenant: string) => partitionOf(tenant, partitions);
  const records = perPartition((partition) => kafka.log(topics.records, partition));
  const progress = perPartition((partition) => kafka.log(topics.progress, partition));

  return {
    kafka,
    partitions,
    topics,
    partitionOf: laneOf,
    records,
    outputs(partition) {
      const logs = new Map(outputKinds.map((kind) => [kind, kafka.log(topics.outputs[kind], partition)]));
      return { append: (batch) => appendByKind(logs, batch) };
    },
    outputLogs: (partition, kinds = outputKinds) =>
      kinds.map((kind) => ({
        topic: topics.outputs[kind],
        log: kafka.log(topics.outputs[kind], partition),
      })),
    checkpoints: (partition) =>
      createLogCheckpoints({
        pieces: kafka.log(topics.checkpoints, partition),
        progress: progress(partition),
        onDamage: (error) => logger.error({ err: error, partition }, 'a checkpoint is damaged: an older one is used'),
      }),
    progress: () =>
      createLogsProgress({
        log: (tenant) => progress(laneOf(tenant)),
        onDamage: (error) => logger.error({ err: error }, 'a record of progress cannot be read'),
      }),
    close: kafka.close,
  };
}

function perPartition<T>(make: (partition: number) => T): (partition: number) => T {
  const made = new Map<number, T>();
  return (partition) => {
    const value = made.get(partition) ?? make(partition);
    made.set(partition, value);
    return value;
  };
}

/** Resolves when all are acknowledged; where one is not, all are to be appended again. */
async function appendByKind(logs: ReadonlyMap<Output['kind'], Log>, batch: readonly NewRecord[]): Promise<number> {
  const byKind = Map.groupBy(batch, ({ frame }) => kindOf(schemaIdOf(frame)) as OutputKind);
  const appends = [...byKind].map(([kind, records]) => logs.get(kind)!.append(records));
  // None may still be under way when the caller begins again.
  const results = await Promise.allSettled(appends);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return (await appends[0]) ?? 0;
}
