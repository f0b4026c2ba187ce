/**
 * The log in Apache Kafka, and what else is asked of it: the only file that knows kafkajs.
 *
 * kafkajs 2.2.4 has faults that cannot bite as it is used here (DESIGN: exactly once, without transactions):
 * - a send over several partitions may resolve although one of them was not written: every request carries one batch of
 *   one partition, and its reply must name that partition and the position;
 * - its retries may reorder: nothing is retried, and a partition has one append under way;
 * - its consumer pushes records, decides positions by itself and jumps when they are gone: records are pulled by fetches
 *   from a given position, through the cluster that kafkajs hands to partition assigners, and groups only share out
 *   partitions;
 * - its request queue sets a timer after every answer although nothing is queued, which sets the next one a millisecond
 *   later, for ever; as the time is negative, Node 24 prints a TimeoutNegativeWarning. See mendRequestQueue.
 */
import { createRequire } from 'node:module';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs, { type Admin, type Kafka as Client, type LogEntry } from 'kafkajs';
import type { Logger } from '../../logger.ts';
import { createBounds } from './kafka-bounds.ts';
import {
  type Connection,
  createConnection,
  discard,
  type KafkaBroker,
  type KafkaCluster,
  type ProduceReply,
  withFaults,
} from './kafka-cluster.ts';
import { decodeFetch, type FetchReply } from './kafka-fetch.ts';
import { type GroupOptions, joinGroup, type Membership } from './kafka-group.ts';
import { createAppends, createPartitionLog, type Shared } from './kafka-log.ts';
import { encodeProduce, type ProduceRequest } from './kafka-produce.ts';
import { createReads, type FetchRequest } from './kafka-reads.ts';
import type { Log } from './log.ts';

export interface KafkaSettings {
  /** `host:port` each; any of them leads to the others. */
  brokers: readonly string[];
  clientId: string;
  tls: boolean;
  sasl?: { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string } | undefined;
  /** After so long a broker counts as not reached. Default 10 s. */
  requestTimeoutMs?: number;
}

export interface Kafka {
  /** A partition of a topic as a log. `trim` is exact; `close` lets go of nothing that others use. */
  log(topic: string, partition: number): Log;
  /** Joins a consumer group, now or as soon as Kafka is reached. Reads through logs. */
  join(options: GroupOptions): Membership;
  /** The positions that a group has committed, by partition; those without one are absent. */
  committed(group: string, topic: string): Promise<ReadonlyMap<number, number>>;
  /** Commits as the member that this process is. Without one the group must have no members at all. */
  commit(group: string, topic: string, positions: ReadonlyMap<number, number>): Promise<void>;
  readonly admin: KafkaAdmin;
  close(): Promise<void>;
}

/** What can be seen and done of topics. Everything rejects with LogUnavailableError where Kafka is not reached. */
export interface KafkaAdmin {
  /** Those of the topics that exist. */
  describe(names: readonly string[]): Promise<ReadonlyMap<string, KafkaTopic>>;
  /** Creates those that do not exist, and leaves the others as they are. All take requests when it resolves. */
  create(topics: ReadonlyMap<string, KafkaTopic>): Promise<void>;
  /** Changes some of a topic's settings and leaves the others as they are. */
  configure(name: string, config: Readonly<Record<string, string>>): Promise<void>;
  brokersCount(): Promise<number>;
}

export interface KafkaTopic {
  partitions: number;
  replication: number;
  /** By name; of a topic that exists, all that are in force. */
  config: Readonly<Record<string, string>>;
}

const {
  AssignerProtocol,
  CompressionTypes,
  ConfigResourceTypes,
  ConfigSource,
  logLevel,
  PartitionAssigners,
  Partitioners,
} = kafkajs;

const connectTimeoutMs = 3_000;
/** With four, eight outputs that are appended together take half as long as with one; with eight hardly less again. */
const appendConnections = 4;
const createMsMax = 10_000;
const createPollMs = 10;
const chunkBytesMin = 64 * 1024;
const inflatedBytesMax = 256 * 1024 * 1024;

const inside = (module: string) => createRequire(import.meta.url)(`kafkajs/src/${module}`);
const fetchProtocol = inside('protocol/requests/fetch/index.js').protocol({ version: 11 });
const produceResponse = inside('protocol/requests/produce/v7/response.js');
const crc32c = inside('protocol/recordBatch/crc32C/crc32C.js') as (bytes: Buffer) => number;
mendRequestQueue();
const partitionByKey = Partitioners.DefaultPartitioner();

/** The partition of a tenant's lane: as Kafka's own default partitioner has it, so that others who write by key agree. */
export function partitionOf(tenant: string, partitions: number): number {
  return partitionByKey({ topic: '', partitionMetadata: new Array(partitions), message: { key: tenant, value: null } });
}

/** Connects at first use: a process may start while Kafka is down. */
export function connectKafka(settings: KafkaSettings, logger: Logger): Kafka {
  const requestTimeoutMs = settings.requestTimeoutMs ?? 10_000;
  const client = createClient(settings, requestTimeoutMs, logger);
  const connections: Connection[] = [];
  const connect = (purpose: string) => {
    const connection = createConnection(
      () => connectAny(settings.brokers, () => openCluster(client)),
      (err) => (err ? logger.warn({ err, purpose }, 'Kafka is away') : logger.info({ purpose }, 'Kafka is back')),
    );
    connections.push(connection);
    return connection;
  };
  const prompt = connect('requests');
  const appending = Array.from({ length: appendConnections }, (_, index) => connect(`appends ${index}`));
  const shared: Shared = {
    append: createAppends(appending, produce, requestTimeoutMs),
    read: createReads(prompt, connect('reads'), fetch),
    bounds: createBounds(prompt),
    connection: prompt,
  };
  const memberships = new Map<string, Membership>();

  return {
    log: (topic, partition) => createPartitionLog(topic, partition, shared),
    join(options) {
      const membership = joinGroup(connect(`group ${options.group}`), AssignerProtocol, options, logger);
      memberships.set(options.group, membership);
      return membership;
    },
    committed: (group, topic) => prompt.use((cluster) => fetchPositions(cluster, group, topic)),
    commit: (group, topic, positions) =>
      prompt.use(async (cluster) => {
        await cluster.addTargetTopic(topic);
        const coordinator = await cluster.findGroupCoordinator({ groupId: group });
        const member = memberships.get(group)?.identity() ?? { groupGenerationId: -1, memberId: '' };
        const partitions = [...positions].map(([partition, position]) => ({ partition, offset: `${position}` }));
        await coordinator.offsetCommit({ groupId: group, ...member, topics: [{ topic, partitions }] });
      }),
    admin: createAdmin(() => connectAny(settings.brokers, () => client.admin())),
    async close() {
      await Promise.all([...memberships.values()].map((membership) => membership.leave()));
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
}

async function fetchPositions(cluster: KafkaCluster, group: string, topic: string): Promise<Map<number, number>> {
  await cluster.addTargetTopic(topic);
  const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({ partition: partitionId }));
  const coordinator = await cluster.findGroupCoordinator({ groupId: group });
  const { responses } = await coordinator.offsetFetch({ groupId: group, topics: [{ topic, partitions }] });
  const found = responses.flatMap(({ partitions }) => partitions);
  return new Map(
    found.map(({ partition, offset }): [number, number] => [partition, Number(offset)]).filter(([, at]) => at >= 0),
  );
}

function createClient(settings: KafkaSettings, requestTimeoutMs: number, logger: Logger): Client {
  const { brokers, clientId, tls, sasl } = settings;
  let turn = 0;
  return new kafkajs.Kafka({
    // Whoever connects takes the first: another one each time.
    brokers: () => [brokers[turn++ % brokers.length]!],
    clientId,
    ssl: tls,
    // One type per mechanism there; one for all here.
    ...(sasl && { sasl: sasl as { mechanism: 'plain'; username: string; password: string } }),
    connectionTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    retry: { retries: 0 },
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => passOn(entry, logger),
  });
}

/** Connects to whichever broker answers first, each being asked once. */
async function connectAny<T extends { connect(): Promise<void>; disconnect(): Promise<void> }>(
  brokers: readonly string[],
  create: () => T,
): Promise<T> {
  for (let left = brokers.length - 1; ; left--) {
    const connected = create();
    try {
      await connected.connect();
      return connected;
    } catch (error) {
      discard(connected);
      if (left <= 0) throw error;
    }
  }
}

/**
 * Whatever fails reaches the caller as a rejection: what kafkajs says besides is for whoever looks for the cause. It calls
 * an error what is none, such as a coordinator that still loads or every try to connect anew.
 */
function passOn({ namespace, level, log }: LogEntry, logger: Logger): void {
  const { message, timestamp: _, logger: library, stack, ...fields } = log;
  logger[level === logLevel.INFO ? 'trace' : 'debug']({ ...fields, library, namespace }, message);
}

/** The cluster of a consumer that is never started: kafkajs hands it to whoever assigns partitions. */
function openCluster(client: Client): KafkaCluster {
  let found: unknown;
  client.consumer({
    groupId: 'none',
    readUncommitted: true,
    allowAutoTopicCreation: false,
    partitionAssigners: [
      (config) => {
        found = config.cluster;
        return PartitionAssigners.roundRobin(config);
      },
    ],
  });
  return found as KafkaCluster;
}

/** Each call connects anew: they are few, and far between. */
function createAdmin(connect: () => Promise<Admin>): KafkaAdmin {
  const use = <T>(action: (admin: Admin) => Promise<T>) =>
    withFaults(async () => {
      const admin = await connect();
      try {
        return await action(admin);
      } finally {
        discard(admin);
      }
    });
  const describeConfigs = async (admin: Admin, names: readonly string[]) => {
    const resources = names.map((name) => ({ type: ConfigResourceTypes.TOPIC, name }));
    return (await admin.describeConfigs({ resources, includeSynonyms: false })).resources;
  };

  return {
    describe: (names) =>
      use(async (admin) => {
        const there = (await admin.listTopics()).filter((name) => names.includes(name));
        if (there.length === 0) return new Map();
        const { topics } = await admin.fetchTopicMetadata({ topics: there });
        const configs = await describeConfigs(admin, there);
        return new Map(
          topics.map(({ name, partitions }): [string, KafkaTopic] => {
            const entries = configs.find(({ resourceName }) => resourceName === name)?.configEntries ?? [];
            const config = Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]));
            return [name, { partitions: partitions.length, replication: partitions[0]!.replicas.length, config }];
          }),
        );
      }),
    create: (topics) =>
      use(async (admin) => {
        const wanted = [...topics].map(([topic, { partitions, replication, config }]) => ({
          topic,
          numPartitions: partitions,
          replicationFactor: replication,
          configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
        }));
        await admin.createTopics({ topics: wanted, waitForLeaders: false });
        await waitForTopics(admin, [...topics.keys()]);
      }),
    configure: (name, config) =>
      use(async (admin) => {
        const [found] = await describeConfigs(admin, [name]);
        // The request replaces all that was ever set on the topic.
        const set = found!.configEntries.filter(({ configSource }) => configSource === ConfigSource.TOPIC_CONFIG);
        const kept = Object.fromEntries(set.map(({ configName, configValue }) => [configName, configValue]));
        const configEntries = Object.entries({ ...kept, ...config }).map(([name, value]) => ({ name, value }));
        await admin.alterConfigs({
          validateOnly: false,
          resources: [{ type: ConfigResourceTypes.TOPIC, name, configEntries }],
        });
      }),
    brokersCount: () => use(async (admin) => (await admin.describeCluster()).brokers.length),
  };
}

/** Until every partition answers at its leader: the controller knows of a topic before they do. */
async function waitForTopics(admin: Admin, topics: string[]): Promise<void> {
  for (const untilMs = performance.now() + createMsMax; ; await wait(createPollMs)) {
    try {
      for (const topic of topics) await admin.fetchTopicOffsets(topic);
      return;
    } catch (error) {
      if (performance.now() > untilMs) throw error;
    }
  }
}

/** The answer is read by kafkajs, which knows what the errors in it mean. */
async function produce({ connectionPool }: KafkaBroker, request: ProduceRequest): Promise<ProduceReply> {
  const encoded = await encodeProduce(request, { id: CompressionTypes.ZSTD, compress }, crc32c);
  return (await connectionPool.send({ request: encoded, response: produceResponse })) as ProduceReply;
}

/** Errors in the answer are found by kafkajs, too; its records are read by us. */
async function fetch({ connectionPool }: KafkaBroker, request: FetchRequest): Promise<FetchReply> {
  const { response, ...protocol } = fetchProtocol(request);
  const decode = (bytes: Buffer) => decodeFetch(bytes, { [CompressionTypes.ZSTD]: decompress });
  return (await connectionPool.send({ ...protocol, response: { ...response, decode } })) as FetchReply;
}

/**
 * With a checksum, which Kafka's own is no substitute for: kafkajs does not look at that. Chunks are large, since each is
 * a turn of the event loop.
 */
function compress(records: Buffer): Promise<Buffer> {
  const params = { [constants.ZSTD_c_checksumFlag]: 1 };
  const chunkSize = Math.max(chunkBytesMin, records.length >> 2);
  return promisify(zstdCompress)(records, { params, chunkSize, pledgedSrcSize: records.length });
}

function decompress(buffer: Buffer): Promise<Buffer> {
  // In one chunk, which then need not be copied.
  const chunkSize = Math.min(Math.max(chunkBytesMin, contentSizeOf(buffer) ?? 8 * buffer.length), inflatedBytesMax);
  return promisify(zstdDecompress)(buffer, { maxOutputLength: inflatedBytesMax, chunkSize });
}

/** What the header of a Zstandard frame says of its content, where it says it in 32 bits (RFC 8878, 3.1.1.1). */
function contentSizeOf(frame: Buffer): number | undefined {
  const descriptor = frame[4] ?? 0;
  const [sizeFlag, singleSegment, dictionaryFlag] = [descriptor >> 6, (descriptor >> 5) & 1, descriptor & 3];
  if (sizeFlag !== 2 || dictionaryFlag !== 0 || frame.length < 10) return undefined;
  return frame.readUInt32LE(singleSegment ? 5 : 6);
}

function mendRequestQueue(): void {
  const RequestQueue = inside('network/requestQueue/index.js');
  const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;
  RequestQueue.prototype.scheduleCheckPendingRequests = function (this: { pending: unknown[] }) {
    if (this.pending.length > 0) schedule.call(this);
  };
}
