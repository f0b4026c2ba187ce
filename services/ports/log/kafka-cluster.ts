/**
 * The connection to Kafka: opened at first use, thrown away when it breaks. kafkajs mends a broken one itself, by rules
 * that differ per call and leave dead sockets in its pool; a new one knows nothing that has become wrong.
 */
import { LogUnavailableError } from './log.ts';

interface OfTopic<Partition> {
  topic: string;
  partitions: Partition[];
}

/** What is used of a broker of kafkajs. Part of it is not among its types, which is why its version is exact. */
export interface KafkaBroker {
  /** Takes requests that were encoded elsewhere. */
  connectionPool: {
    send(protocol: { request: unknown; response: unknown; requestTimeout?: number }): Promise<unknown>;
  };
  deleteRecords(request: { topics: OfTopic<{ partition: number; offset: string }>[] }): Promise<unknown>;
  offsetCommit(request: {
    groupId: string;
    groupGenerationId: number;
    memberId: string;
    topics: OfTopic<{ partition: number; offset: string }>[];
  }): Promise<unknown>;
  offsetFetch(request: { groupId: string; topics: OfTopic<{ partition: number }>[] }): Promise<{
    responses: OfTopic<{ partition: number; offset: string }>[];
  }>;
  joinGroup(request: {
    groupId: string;
    sessionTimeout: number;
    rebalanceTimeout: number;
    memberId: string;
    groupProtocols: { name: string; metadata: Buffer }[];
  }): Promise<{
    generationId: number;
    leaderId: string;
    memberId: string;
    members: { memberId: string; memberMetadata: Buffer }[];
  }>;
  syncGroup(request: {
    groupId: string;
    generationId: number;
    memberId: string;
    groupAssignment: { memberId: string; memberAssignment: Buffer }[];
  }): Promise<{ memberAssignment: Buffer }>;
  heartbeat(request: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>;
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
}

export interface ProduceReply {
  topics: { topicName: string; partitions: { partition: number; errorCode: number; baseOffset: string }[] }[];
}

/** What is used of a cluster of kafkajs. */
export interface KafkaCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[];
  findBroker(node: { nodeId: string }): Promise<KafkaBroker>;
  findGroupCoordinator(group: { groupId: string }): Promise<KafkaBroker>;
  fetchTopicsOffset(
    topics: { topic: string; partitions: { partition: number }[]; fromBeginning: boolean }[],
  ): Promise<OfTopic<{ partition: number; offset: string }>[]>;
}

export interface Connection {
  /**
   * Runs an action on the connected cluster. Rejects with LogUnavailableError where a retry may help; the next action
   * then finds a new connection or newly read metadata, whichever was at fault.
   */
  use<T>(action: (cluster: KafkaCluster) => Promise<T>): Promise<T>;
  /** Ends when the requests under way are answered. */
  close(): Promise<void>;
}

/**
 * What went wrong: the connection, perhaps the connection, what was known of the cluster, something that passes, or
 * something that does not.
 */
type Fault = 'connection' | 'doubtful' | 'metadata' | 'passing' | 'lasting';

const connectionFaults = /^KafkaJS(Connection(Closed)?Error|RequestTimeoutError|LockTimeout|BrokerNotFound)$/;
/** No broker answered, or there is no coordinator yet, as for seconds in a new cluster: kafkajs does not say which. */
const doubtfulFault = 'KafkaJSGroupCoordinatorNotFound';
const metadataFaults =
  /^(UNKNOWN_TOPIC_OR_PARTITION|LEADER_NOT_AVAILABLE|NOT_LEADER_FOR_PARTITION|KAFKA_STORAGE_ERROR|.*_LEADER_EPOCH)$/;
/** A member is told of a change of its group by an error. */
const groupFaults = /^(REBALANCE_IN_PROGRESS|ILLEGAL_GENERATION|UNKNOWN_MEMBER_ID)$/;

/** An error of kafkajs, without what its retries have wrapped around it. */
interface KafkaError extends Error {
  type?: string;
  retriable?: boolean;
  /** Of KafkaJSDeleteTopicRecordsError. */
  partitions?: { error: Error }[];
}

/** The broker's name for what an action rejected with, such as OFFSET_OUT_OF_RANGE; undefined where it gave none. */
export function errorType(error: unknown): string | undefined {
  return unwrap(error as Error).type;
}

/** Whether an error of requests that went out together concerns each of them; kafkajs does not say whose it is. */
export function concernsAll(error: unknown): boolean {
  return error instanceof LogUnavailableError && errorType(error) === undefined;
}

/**
 * @param open connects to a cluster
 * @param report hears of each outage once, and once of its end
 */
export function createConnection(
  open: () => Promise<KafkaCluster>,
  report: (outage: Error | undefined) => void = () => {},
): Connection {
  let opening: Promise<KafkaCluster> | undefined;
  let stale = false;
  let away = false;
  let closed = false;

  async function connect(): Promise<KafkaCluster> {
    const cluster = await open();
    if (away) report(undefined);
    away = false;
    return cluster;
  }
  function tellAway(error: Error): void {
    if (!away) report(error);
    away = true;
  }

  return {
    async use(action) {
      if (closed) throw new Error('Cannot use Kafka: its connection is closed');
      opening ??= connect();
      const mine = opening;
      let cluster: KafkaCluster | undefined;
      try {
        cluster = await mine;
        if (stale) await cluster.refreshMetadata();
        stale = false;
        return await action(cluster);
      } catch (raw) {
        const error = unwrap(raw as Error);
        const fault = faultOf(error);
        if (fault === 'metadata') stale = true;
        // What keeps us out, such as a user that is not known yet, may be put right while this process runs.
        const lost = !cluster || fault === 'connection' || fault === 'doubtful';
        if (lost && opening === mine) {
          opening = undefined;
          mine.then(discard).catch(() => {});
          if (fault === 'connection') tellAway(error);
        }
        throw fault === 'lasting' ? error : unavailable(error);
      }
    },
    async close() {
      closed = true;
      const cluster = await opening?.catch(() => undefined);
      await cluster?.disconnect();
    },
  };
}

/** Not waited for: it asks for the answers to all that was sent, and a broker that hangs gives none. */
export function discard(cluster: { disconnect(): Promise<void> }): void {
  cluster.disconnect().catch(() => {});
}

/** Runs an action that is no part of a connection; rejects as those do. */
export async function withFaults<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (raw) {
    const error = unwrap(raw as Error);
    throw faultOf(error) === 'lasting' ? error : unavailable(error);
  }
}

function unavailable(cause: Error): LogUnavailableError {
  return new LogUnavailableError(`Kafka: ${cause.message}`, { cause });
}

/** The leader of a partition; asks the cluster about a topic when it is first used. */
export async function leaderOf(cluster: KafkaCluster, topic: string, partition: number): Promise<string> {
  await cluster.addTargetTopic(topic);
  const found = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition);
  if (found) return `${found.leader}`;
  throw new Error(`Cannot use partition ${partition} of ${topic}: there is none`);
}

function unwrap(error: KafkaError): KafkaError {
  const inner = error.partitions?.[0]?.error ?? error.cause;
  const wraps =
    /^KafkaJS(NumberOfRetriesExceeded|NonRetriableError)$/.test(error.name) || error instanceof LogUnavailableError;
  return wraps && inner instanceof Error ? unwrap(inner) : error;
}

function faultOf(error: KafkaError): Fault {
  // The second is what follows where the first request of a connection was not answered: kafkajs takes it for ready.
  if (connectionFaults.test(error.name) || error.message === 'Broker not connected') return 'connection';
  if (error.name === doubtfulFault) return 'doubtful';
  if (error.name.endsWith('MetadataNotLoaded') || metadataFaults.test(error.type ?? '')) return 'metadata';
  return error.retriable || groupFaults.test(error.type ?? '') ? 'passing' : 'lasting';
}
