/**
 * Reads of many partitions over one connection. Kafka answers the requests of a connection in turn, so that a fetch that
 * waits for records at the end of one partition would hold up all others. Therefore reads that are open together go out
 * as one fetch per broker; and each first asks without waiting, on a connection where none waits, and joins those that
 * wait, on another one, only when it has found nothing.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Connection, concernsAll, type KafkaRecord, leaderOf } from './kafka-cluster.ts';

export interface PartitionRead {
  topic: string;
  partition: number;
  /** The first position wanted. */
  from: number;
  /** Compressed; one batch is returned whatever its size. */
  bytesMax: number;
}

/**
 * Resolves to the records from `from` on that came with it, or to none at the end, after `waitMs`. Rejects with
 * LogUnavailableError or, where `from` is outside of the log, with an error of the type OFFSET_OUT_OF_RANGE.
 */
export type ReadPartition = (wanted: PartitionRead, waitMs: number) => Promise<readonly KafkaRecord[]>;

interface OpenRead extends PartitionRead, PromiseWithResolvers<readonly KafkaRecord[]> {
  untilMs: number;
}

/** Of all partitions in one fetch. */
const fetchBytesMax = 8 * 1024 * 1024;
/** A read that comes while a fetch waits is not part of it: so none waits long, and less where records keep coming. */
const roundMsMin = 5;
const roundMsMax = 50;

/** @param prompt carries no fetch that waits; @param waiting carries nothing else */
export function createReads(prompt: Connection, waiting: Connection): ReadPartition {
  const readAtOnce = createRounds(prompt);
  const readLater = createRounds(waiting);
  return async (wanted, waitMs) => {
    const found = await readAtOnce(wanted, 0);
    return found.length > 0 || waitMs <= 0 ? found : readLater(wanted, waitMs);
  };
}

/** Fetches in rounds, one at a time per broker, each of all reads that are open by then. */
function createRounds(connection: Connection): ReadPartition {
  const openByLeader = new Map<string, Set<OpenRead>>();

  async function run(leader: string, reads: Set<OpenRead>): Promise<void> {
    let roundMs = roundMsMin;
    while (reads.size > 0) {
      await nextTurn();
      const round = new Map([...reads].map((read) => [`${read.topic}/${read.partition}`, read]));
      const answered = await fetchRound(connection, leader, [...round.values()], roundMs);
      for (const read of answered) reads.delete(read);
      roundMs = answered.length > 0 ? roundMsMin : Math.min(2 * roundMs, roundMsMax);
    }
    openByLeader.delete(leader);
  }

  return async (wanted, waitMs) => {
    const untilMs = performance.now() + waitMs;
    const leader = await connection.use((cluster) => leaderOf(cluster, wanted.topic, wanted.partition));
    const read: OpenRead = { ...wanted, untilMs, ...Promise.withResolvers<readonly KafkaRecord[]>() };
    const reads = openByLeader.get(leader);
    if (reads) reads.add(read);
    else {
      const first = new Set([read]);
      openByLeader.set(leader, first);
      void run(leader, first);
    }
    return read.promise;
  };
}

/** Never rejects: settles those of the reads that it returns. */
async function fetchRound(
  connection: Connection,
  leader: string,
  round: readonly OpenRead[],
  roundMs: number,
): Promise<OpenRead[]> {
  try {
    const found = await fetchPartitions(connection, leader, round, roundMs);
    return round.filter((read) => settle(read, found.get(`${read.topic}/${read.partition}`), round.length === 1));
  } catch (error) {
    if (round.length === 1 || concernsAll(error)) {
      for (const read of round) read.reject(error);
      return [...round];
    }
    // kafkajs throws the whole answer away where a single partition has a fault, and does not say which.
    const answered: OpenRead[] = [];
    for (const read of round) answered.push(...(await fetchRound(connection, leader, [read], 0)));
    return answered;
  }
}

interface Found {
  highWatermark: string;
  messages: KafkaRecord[];
}

async function fetchPartitions(
  connection: Connection,
  leader: string,
  round: readonly OpenRead[],
  roundMs: number,
): Promise<Map<string, Found>> {
  const leftMs = Math.min(...round.map(({ untilMs }) => untilMs)) - performance.now();
  const { responses } = await connection.use(async (cluster) => {
    const broker = await cluster.findBroker({ nodeId: leader });
    return broker.fetch({
      isolationLevel: 0,
      maxWaitTime: Math.max(0, Math.ceil(Math.min(roundMs, leftMs))),
      minBytes: 1,
      maxBytes: fetchBytesMax,
      topics: round.map(({ topic, partition, from, bytesMax }) => ({
        topic,
        partitions: [{ partition, fetchOffset: `${from}`, maxBytes: bytesMax }],
      })),
    });
  });
  return new Map(
    responses.flatMap(({ topicName, partitions }) =>
      partitions.map((found): [string, Found] => [`${topicName}/${found.partition}`, found]),
    ),
  );
}

/**
 * Whether the read is answered. It stays open while it may wait, where its records had no room in the fetch, and where its
 * partition is not in the answer: over a quota Kafka answers with none, and kafkajs waits as long as it is told to.
 */
function settle(read: OpenRead, found: Found | undefined, alone: boolean): boolean {
  if (!found) return false;
  const records = found.messages.filter(({ offset }) => Number(offset) >= read.from);
  if (records.length > 0) {
    read.resolve(records);
    return true;
  }
  const atEnd = Number(found.highWatermark) <= read.from;
  if (!atEnd && alone) {
    read.reject(new Error(`Cannot read ${read.topic}/${read.partition} from ${read.from}: no record can be made out`));
    return true;
  }
  if (!atEnd || performance.now() < read.untilMs) return false;
  read.resolve([]);
  return true;
}
