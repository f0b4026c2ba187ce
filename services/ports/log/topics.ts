/** The topics of an installation: their names, what they should be, and how what is there differs from that. */

import { type OutputKind, outputKinds } from '../../core/records/codec.ts';
import type { KafkaConfig } from '../../kafka-settings.ts';
import { viewOf } from '../warehouse/tables.ts';
import type { KafkaAdmin, KafkaTopic } from './kafka.ts';
import { kafkaMessageBytesMax } from './kafka-log.ts';

/** All have the same partitions: what is of one tenant has the same number in each. */
export interface TopicNames {
  /** The lanes. */
  records: string;
  outputs: Readonly<Record<OutputKind, string>>;
  /** The pieces of snapshots. */
  checkpoints: string;
  /** How far lanes have been worked on, and which snapshots are whole. */
  progress: string;
}

export type TopicSettings = Pick<
  KafkaConfig,
  'prefix' | 'partitions' | 'replication' | 'minInSyncReplicas' | 'recordsRetentionMs' | 'outputsRetentionMs'
>;

export interface ConfigChange {
  name: string;
  from: string | undefined;
  to: string;
}

export interface TopicsPlan {
  create: ReadonlyMap<string, KafkaTopic>;
  /** By topic. */
  change: ReadonlyMap<string, readonly ConfigChange[]>;
  /** What differs and cannot be changed from here, and what to do instead. */
  impossible: readonly string[];
}

/** Retention lets whole segments go: with so many of them, a record stays an eighth longer than it says, at most. */
const segmentsPerRetention = 8;
const segmentMsMin = 600_000;
const prunedSegmentBytes = 64 * 1024 * 1024;

/** Outputs are named like the views of ClickHouse: `hookwatch.deliveries`. */
export function topicsOf(prefix: string): TopicNames {
  const outputs = outputKinds.map((kind): [string, string] => [kind, `${prefix}.${viewOf[kind].split('.')[1]}`]);
  return {
    records: `${prefix}.records`,
    outputs: Object.fromEntries(outputs) as Record<OutputKind, string>,
    checkpoints: `${prefix}.checkpoints`,
    progress: `${prefix}.progress`,
  };
}

export function wantedTopics(settings: TopicSettings): Map<string, KafkaTopic> {
  const { partitions, replication, minInSyncReplicas } = settings;
  const names = topicsOf(settings.prefix);
  const config = {
    'cleanup.policy': 'delete',
    'compression.type': 'producer',
    'max.message.bytes': `${kafkaMessageBytesMax}`,
    // Kafka lets records go by it: no clock of ours that is wrong may decide that, nor have records refused.
    'message.timestamp.type': 'LogAppendTime',
    'min.insync.replicas': `${minInSyncReplicas}`,
    'unclean.leader.election.enable': 'false',
    // Nobody else has it: it has to be on disk.
    ...(replication === 1 && { 'flush.messages': '1' }),
  };
  const topic = (more: Record<string, string>) => ({ partitions, replication, config: { ...config, ...more } });
  const kept = (ms: number) =>
    topic({
      'retention.ms': `${ms}`,
      'segment.ms': `${Math.max(segmentMsMin, Math.floor(ms / segmentsPerRetention))}`,
    });
  // Trimmed by those who know which snapshots are still needed.
  const pruned = topic({ 'retention.ms': '-1', 'segment.bytes': `${prunedSegmentBytes}` });
  return new Map([
    [names.records, kept(settings.recordsRetentionMs)],
    ...Object.values(names.outputs).map((name): [string, KafkaTopic] => [name, kept(settings.outputsRetentionMs)]),
    [names.checkpoints, pruned],
    [names.progress, pruned],
  ]);
}

/** What is to be done about the topics that were found. Settings that nothing is said of are left as they are. */
export function planTopics(settings: TopicSettings, found: ReadonlyMap<string, KafkaTopic>): TopicsPlan {
  const create = new Map<string, KafkaTopic>();
  const change = new Map<string, readonly ConfigChange[]>();
  const impossible: string[] = [];
  for (const [name, wanted] of wantedTopics(settings)) {
    const there = found.get(name);
    if (!there) {
      create.set(name, wanted);
      continue;
    }
    if (there.partitions !== wanted.partitions) impossible.push(partitionsDiffer(name, there, wanted));
    if (there.replication !== wanted.replication) {
      impossible.push(
        `${name} has ${there.replication} replicas, not ${wanted.replication}: move it with kafka-reassign-partitions, or set HOOKWATCH_KAFKA_REPLICATION=${there.replication}`,
      );
    }
    const changes = Object.entries(wanted.config)
      .map(([name, to]): ConfigChange => ({ name, from: there.config[name], to }))
      .filter(({ from, to }) => from !== to);
    if (changes.length > 0) change.set(name, changes);
  }
  return { create, change, impossible };
}

function partitionsDiffer(name: string, there: KafkaTopic, wanted: KafkaTopic): string {
  return `${name} has ${there.partitions} partitions, not ${wanted.partitions}: that cannot be changed, for the lanes would go on in other partitions; set HOOKWATCH_KAFKA_PARTITIONS=${there.partitions}, or begin anew under another HOOKWATCH_KAFKA_PREFIX`;
}

/**
 * Compares what a process relies on, at its start: that every topic is there, that a lane's partition is what it was, and
 * that what was acknowledged cannot be lost by an election or by a clock that is wrong.
 *
 * @throws Error that says what to do, LogUnavailableError
 */
export async function checkTopics(admin: Pick<KafkaAdmin, 'describe'>, settings: TopicSettings): Promise<void> {
  const wanted = wantedTopics(settings);
  const found = await admin.describe([...wanted.keys()]);
  const faults: string[] = [];
  for (const [name, topic] of wanted) {
    const there = found.get(name);
    if (!there) {
      faults.push(`${name} is not there: run hookwatch topics --apply`);
      continue;
    }
    if (there.partitions !== topic.partitions) faults.push(partitionsDiffer(name, there, topic));
    if (there.config['unclean.leader.election.enable'] !== 'false') {
      faults.push(`${name} allows unclean elections, which lose records: run hookwatch topics --apply`);
    }
    if (there.config['message.timestamp.type'] !== 'LogAppendTime') {
      faults.push(`${name} lets records go by the clocks of those who write them: run hookwatch topics --apply`);
    }
    const replicas = Number(there.config['min.insync.replicas']);
    if (replicas < settings.minInSyncReplicas) {
      const fault = `${name} acknowledges with ${replicas} replicas in sync, not ${settings.minInSyncReplicas}`;
      faults.push(`${fault}: run hookwatch topics --apply`);
    }
  }
  if (faults.length > 0) throw new Error(`Cannot use Kafka:${faults.map((fault) => `\n  ${fault}`).join('')}`);
}
