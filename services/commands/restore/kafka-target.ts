/** Over Kafka: topics that nobody has written to, and a ClickHouse without rows. */
import type { Config } from '../../config.ts';
import { connectLanes, type KafkaLanes } from '../../kafka-lanes.ts';
import type { KafkaConfig } from '../../kafka-settings.ts';
import { createLogger } from '../../logger.ts';
import { openWarehouse } from '../../parts.ts';
import { type Log, LogUnavailableError } from '../../ports/log/log.ts';
import { checkTopics } from '../../ports/log/topics.ts';
import { BackupError } from '../backup/manifest.ts';
import { insertMsMax, type RestoredLog, type RestoreTarget, rowsInTheWay } from './target.ts';

/** Of a batch: as many as one holds, at the nine bytes that an empty record takes. */
const fillerRecords = 500_000;
const empty = { key: '', frame: new Uint8Array() };

export function openKafka(config: Config, kafka: KafkaConfig): RestoreTarget {
  const lanes = connectLanes(kafka, 'hookwatch-restore', createLogger('command', 'error'));
  const warehouse = openWarehouse(config, { timeoutMs: insertMsMax });
  return {
    lanesIn: 'kafka',
    partitions: lanes.partitions,
    remedy:
      'Edges, workers and sinks must not run on it. Set HOOKWATCH_KAFKA_PREFIX to another prefix, or delete the topics of this ' +
      'one, and run hookwatch topics --apply; in ClickHouse DROP DATABASE hookwatch.',
    async obstacles() {
      await checkOrRefuse(lanes, kafka);
      return [...(await recordsInTheWay(lanes)), ...(await rowsInTheWay(warehouse))];
    },
    async begin() {
      return {
        warehouse,
        checkpoints: lanes.checkpoints,
        openLog: ({ partition, first }, onProgress) =>
          openRestoredLog(lanes.records(partition), partition, first, onProgress),
      };
    },
    async finish() {},
    async close() {
      await Promise.all([lanes.close(), warehouse.close()]);
    },
  };
}

async function checkOrRefuse({ kafka }: KafkaLanes, settings: KafkaConfig): Promise<void> {
  try {
    await checkTopics(kafka.admin, settings);
  } catch (error) {
    if (error instanceof LogUnavailableError) throw error;
    throw new BackupError('BACKUP_OTHER', (error as Error).message, { cause: error });
  }
}

async function recordsInTheWay({ kafka, topics, partitions }: KafkaLanes): Promise<string[]> {
  const names = [topics.records, topics.checkpoints, topics.progress, ...Object.values(topics.outputs)];
  const counts = names.map(async (topic) => {
    const logs = Array.from({ length: partitions }, (_, partition) => kafka.log(topic, partition).bounds());
    const records = (await Promise.all(logs)).reduce((sum, { next }) => sum + next, 0);
    return records > 0 ? [`${topic} has had ${records} records`] : [];
  });
  return (await Promise.all(counts)).flat();
}

/**
 * A partition begins at 0, and Kafka gives positions in turn. So that records have theirs again, what was before them is
 * filled with empty ones, which are let go at once.
 */
export async function openRestoredLog(
  log: Log,
  partition: number,
  first: number,
  onProgress: (position: number) => void,
): Promise<RestoredLog> {
  async function skipTo(position: number): Promise<void> {
    const filler = Array<typeof empty>(fillerRecords).fill(empty);
    let { next } = await log.bounds();
    if (next > position) throw notAlone(partition, next);
    while (next < position) {
      const count = Math.min(fillerRecords, position - next);
      const at = await log.append(filler.slice(0, count));
      if (at !== next) throw notAlone(partition, at);
      next += count;
      onProgress(next);
    }
  }
  await skipTo(first);
  await log.trim(first);
  return { append: log.append, skipTo };
}

function notAlone(partition: number, position: number): BackupError {
  return new BackupError(
    'BACKUP_NOT_ALONE',
    `Cannot go on: partition ${partition} has come to position ${position} by itself, so somebody else writes to it. Stop what ` +
      'does, and begin anew',
  );
}
