/**
 * Reads of many partitions over one connection. Kafka answers the requests of a connection in turn, so that a fetch that
 * waits for records at the end of one partition would hold up all others. Therefore reads that are open together go out
 * as one fetch per broker; and each first asks without waiting, on a connection where none waits, and joins those that
 * wait, on another one, only when it has found nothing.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Connection, concernsAll, type KafkaBroker, leaderOf } from './kafka-cluster.ts';
import type { FetchedPartition, FetchReply } from './kafka-fetch.ts';
import type { LogRecord } from './log.ts';

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
export type ReadPartition = (wanted: PartitionRead, waitMs: number) => Promise<readonly LogRecord[]>;

interface OpenRead extends PartitionRead, PromiseWithResolvers<readonly LogRecord[]> {
  untilMs: number;
}

/** Of all partitions in one fetch. */
const fetchBytesMax = 8 * 1024 * 1024;
/** A read that comes while a fetch waits is not part of it: so none waits long, and less where records keep coming. */
const roundMsMin = 5;
const roundMsMax = 50;

export interface FetchRequest {
  isolationLevel: 0;
  /** Milliseconds. */
  maxWaitTime: number;
  minBytes: number;
  maxBytes: number;
  topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[];
}

/** Asks the broker that leads all of these partitions. */
export type Fetch = (broker: KafkaBroker, request: FetchRequest) => Promise<FetchReply>;

/** @param prompt carries no fetch that waits; @param waiting carries nothing else */
export function createReads(prompt: Connection, waiting: Connection, fetch: Fetch): ReadPartition {
  const readAtOnce = createRounds(prompt, fetch);
  const readLater = createRounds(waiting, fetch);
  return async (wanted, waitMs) => {
    const found = await readAtOnce(wanted, 0);
    return found.length > 0 || waitMs <= 0 ? found : readLater(wanted, waitMs);
  };
}

/** Fetches in rounds, one at a time per broker, each of all reads that are open by then. */
function createRounds(connection: Connection, fetch: Fetch): ReadPartition {
  const openByLeader = new Map<string, Set<OpenRead>>();
  const ask: Ask = (leader, request) =>
    connection.use(async (cluster) => fetch(await cluster.findBroker({ nodeId: leader }), request));

  async function run(leader: string, reads: Set<OpenRead>): Promise<void> {
    let roundMs = roundMsMin;
    while (reads.size > 0) {
      await nextTurn();
      const round = new Map([...reads].map((read) => [`${read.topic}/${read.partition}`, read]));
      const answered = await fetchRound(ask, leader, [...round.values()], roundMs);
      for (const read of answered) reads.delete(read);
      roundMs = answered.length > 0 ? roundMsMin : Math.min(2 * roundMs, roundMsMax);
    }
    openByLeader.delete(leader);
  }

  return async (wanted, waitMs) => {
    const untilMs = performance.now() + waitMs;
    const leader = await connection.use((cluster) => leaderOf(cluster, wanted.topic, wanted.partition));
    const read: OpenRead = { ...wanted, untilMs, ...Promise.withResolvers<readonly LogRecord[]>() };
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

type Ask = (leader: string, request: FetchRequest) => Promise<FetchReply>;

/** Never rejects: settles those of the reads that it returns. */
async function fetchRound(ask: Ask, leader: string, round: readonly OpenRead[], roundMs: number): Promise<OpenRead[]> {
  try {
    const found = await fetchPartitions(ask, leader, round, roundMs);
    return round.filter((read) => settle(read, found.get(`${read.topic}/${read.partition}`), round.length === 1));
  } catch (error) {
    if (round.length === 1 || concernsAll(error)) {
      for (const read of round) read.reject(error);
      return [...round];
    }
    // kafkajs throws the whole answer away where a single partition has a fault, and does not say which.
    const answered: OpenRead[] = [];
    for (const read of round) answered.push(...(await fetchRound(ask, leader, [read], 0)));
    return answered;
  }
}

async function fetchPartitions(
  ask: Ask,
  leader: string,
  round: readonly OpenRead[],
  roundMs: number,
): Promise<Map<string, FetchedPartition>> {
  const leftMs = Math.min(...round.map(({ untilMs }) => untilMs)) - performance.now();
  const { responses } = await ask(leader, {
    isolationLevel: 0,
    maxWaitTime: Math.max(0, Math.ceil(Math.min(roundMs, leftMs))),
    minBytes: 1,
    maxBytes: fetchBytesMax,
    topics: round.map(({ topic, partition, from, bytesMax }) => ({
      topic,
      partitions: [{ partition, fetchOffset: `${from}`, maxBytes: bytesMax }],
    })),
  });
  return new Map(
    responses.flatMap(({ topicName, partitions }) =>
      partitions.map((found): [string, FetchedPartition] => [`${topicName}/${found.partition}`, found]),
    ),
  );
}

/**
 * Whether the read is answered. It stays open while it may wait, where its records had no room in the fetch, and where its
 * partition is not in the answer: over a quota Kafka answers with none, and kafkajs waits as long as it is told to.
 */
function settle(read: OpenRead, found: FetchedPartition | undefined, alone: boolean): boolean {
  if (!found) return false;
  const records = found.records.filter(({ position }) => position >= read.from);
  if (records.length > 0) {
    read.resolve(records);
    return true;
  }
  const atEnd = found.highWatermark <= read.from;
  if (!atEnd && alone) {
    read.reject(new Error(`Cannot read ${read.topic}/${read.partition} from ${read.from}: no record can be made out`));
    return true;
  }
  if (!atEnd || performance.now() < read.untilMs) return false;
  read.resolve([]);
  return true;
}
