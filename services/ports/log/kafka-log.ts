/** A partition of a topic of Kafka as a log. */
import type { AskBounds } from './kafka-bounds.ts';
import { type Connection, errorType, type KafkaBroker, leaderOf, type ProduceReply } from './kafka-cluster.ts';
import type { ProduceRequest } from './kafka-produce.ts';
import type { ReadPartition } from './kafka-reads.ts';
import {
  type Log,
  type LogRecord,
  LogTrimmedError,
  LogUnavailableError,
  type NewRecord,
  type ReadLimits,
} from './log.ts';

/** What a caller may put into one batch, in bytes of its frames: half of the topics' `max.message.bytes`. */
export const kafkaBatchBytesMax = 4 * 1024 * 1024;

export { kafkaMessageBytesMax } from './kafka-produce.ts';

/** Of one partition in one fetch, compressed: what is left over of a read is kept for the next. */
const readBytesMax = 512 * 1024;

/** Appends a batch to a partition; resolves to the position of its first record. */
export type Append = (topic: string, partition: number, batch: readonly NewRecord[]) => Promise<number>;

/** Sends a batch to the broker that leads its partition. */
export type Produce = (broker: KafkaBroker, request: ProduceRequest) => Promise<ProduceReply>;

/**
 * Appends, one at a time per partition in the order of the calls, whichever log they are made through.
 *
 * @param connections among which partitions are shared out: Kafka answers an append when it is on disk and replicated, and
 * takes the next one of its connection only then
 */
export function createAppends(connections: readonly Connection[], produce: Produce, requestTimeoutMs: number): Append {
  const turns = new Map<string, { connection: Connection; last: Promise<unknown> }>();

  function send(
    connection: Connection,
    topic: string,
    partition: number,
    batch: readonly NewRecord[],
  ): Promise<number> {
    return connection.use(async (cluster) => {
      const broker = await cluster.findBroker({ nodeId: await leaderOf(cluster, topic, partition) });
      // The broker gives up before we do: its answer then says what it lacked.
      const timeoutMs = Math.ceil(requestTimeoutMs * 0.8);
      const { topics } = await produce(broker, { topic, partition, batch, timeoutMs });
      const confirmed = topics.find(({ topicName }) => topicName === topic)?.partitions;
      const reply = confirmed?.find((reply) => reply.partition === partition && reply.errorCode === 0);
      const position = Number(reply?.baseOffset ?? -1);
      if (position >= 0) return position;
      throw new LogUnavailableError(`Kafka: an append to ${topic}/${partition} was answered without its position`);
    });
  }

  return (topic, partition, batch) => {
    if (batch.length === 0) throw new RangeError('Cannot append nothing: a batch has one record or more');
    const place = `${topic}/${partition}`;
    const turn = turns.get(place) ?? {
      connection: connections[turns.size % connections.length]!,
      last: Promise.resolve(),
    };
    turns.set(place, turn);
    const position = turn.last.then(() => send(turn.connection, topic, partition, batch));
    turn.last = position.catch(() => {});
    return position;
  };
}

/** What logs share. `connection` carries what the others do not. */
export interface Shared {
  append: Append;
  read: ReadPartition;
  bounds: AskBounds;
  connection: Connection;
}

export function createPartitionLog(
  topic: string,
  partition: number,
  { append, read, bounds, connection }: Shared,
): Log {
  /** What a fetch brought beyond the limits of the read. */
  let ahead: readonly LogRecord[] = [];

  async function fetch(from: number, { bytes, waitMs = 0 }: ReadLimits): Promise<readonly LogRecord[]> {
    const bytesMax = Math.max(1, Math.min(bytes, readBytesMax));
    try {
      return await read({ topic, partition, from, bytesMax }, waitMs);
    } catch (error) {
      if (errorType(error) !== 'OFFSET_OUT_OF_RANGE') throw error;
      const { first, next } = await bounds(topic, partition);
      if (from < first) throw trimmed(from, first);
      if (from >= next) return [];
      throw new LogUnavailableError(`Kafka: ${topic}/${partition} has lost and found position ${from}`, {
        cause: error,
      });
    }
  }
  function trimmed(from: number, first: number): LogTrimmedError {
    return new LogTrimmedError(`Cannot read ${topic}/${partition} from position ${from}: it starts at ${first}`);
  }
  return {
    append: async (batch) => append(topic, partition, batch),
    async read(from, limits) {
      if (from < 0) throw trimmed(from, 0);
      const records = ahead[0]?.position === from ? ahead : await fetch(from, limits);
      const count = countWithin(records, limits);
      ahead = records.slice(count);
      return records.slice(0, count);
    },
    bounds: () => bounds(topic, partition),
    async trim(position) {
      const { first, next } = await bounds(topic, partition);
      const offset = Math.min(position, next);
      ahead = [];
      if (offset <= first) return;
      await connection.use(async (cluster) => {
        const broker = await cluster.findBroker({ nodeId: await leaderOf(cluster, topic, partition) });
        await broker.deleteRecords({ topics: [{ topic, partitions: [{ partition, offset: `${offset}` }] }] });
      });
    },
    async close() {
      ahead = [];
    },
  };
}

/** How many of the records a read may return: at least one. */
function countWithin(records: readonly LogRecord[], limits: ReadLimits): number {
  let bytes = 0;
  for (let count = 0; count < records.length; count++) {
    bytes += records[count]!.frame.byteLength;
    if (count >= limits.records || (count > 0 && bytes > limits.bytes)) return count;
  }
  return records.length;
}
