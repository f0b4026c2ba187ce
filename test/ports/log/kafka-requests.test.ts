import { describe, expect, test } from 'vitest';
import { createConnection, type KafkaCluster, type ProduceReply } from '../../../services/ports/log/kafka-cluster.ts';
import type { FetchReply } from '../../../services/ports/log/kafka-fetch.ts';
import { createAppends } from '../../../services/ports/log/kafka-log.ts';
import { createReads, type FetchRequest } from '../../../services/ports/log/kafka-reads.ts';

type Answer = (request: { topic: string; partition: number }) => Promise<unknown>;
type Find = (request: FetchRequest, place: string) => Promise<unknown>;

/** A cluster whose one broker leads everything and answers as a test says. */
function cluster(more: Partial<KafkaCluster> = {}): KafkaCluster {
  const partitions = Array.from({ length: 4 }, (_, partitionId) => ({ partitionId, leader: 1 }));
  return {
    addTargetTopic: async () => {},
    findTopicPartitionMetadata: () => partitions,
    findBroker: async () => ({}),
    disconnect: async () => {},
    ...more,
  } as unknown as KafkaCluster;
}
const connection = () => createConnection(async () => cluster());
const kafkaError = (fields: { name?: string; type?: string; retriable?: boolean; cause?: Error }) =>
  Object.assign(new Error(fields.type ?? fields.name), fields);

const batch = [{ key: 'acme', frame: Buffer.from('x') }];
const appends = (answer: Answer) =>
  createAppends([connection()], (_, request) => answer(request) as Promise<ProduceReply>, 1_000);
const reply = (fields: { topicName?: string; partition?: number; errorCode?: number; baseOffset?: string } = {}) => {
  const { topicName = 'lanes', ...rest } = fields;
  return { topics: [{ topicName, partitions: [{ partition: 3, errorCode: 0, baseOffset: '7', ...rest }] }] };
};

describe('an append', () => {
  test('resolves to the position in the reply', async () => {
    expect(await appends(async () => reply())('lanes', 3, batch)).toBe(7);
  });

  test.each([
    { what: 'of another topic', answer: reply({ topicName: 'others' }) },
    { what: 'of another partition', answer: reply({ partition: 0 }) },
    { what: 'with an error', answer: reply({ errorCode: 6 }) },
    { what: 'without a position', answer: reply({ baseOffset: '-1' }) },
    { what: 'without anything', answer: { topics: [] } },
  ])('does not take a reply $what for its own', async ({ answer }) => {
    const append = appends(async () => answer);
    await expect(append('lanes', 3, batch)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  });

  test('goes alone for its partition, waits for the one before, and goes on after its failure', async () => {
    const under: string[] = [];
    const answers: ((failed: boolean) => void)[] = [];
    const append = appends(async ({ topic, partition }) => {
      under.push(`${topic}/${partition}`);
      const failed = await new Promise<boolean>((resolve) => answers.push(resolve));
      if (failed) throw kafkaError({ type: 'REQUEST_TIMED_OUT', retriable: true });
      return reply({ partition, baseOffset: `${answers.length}` });
    });
    const [first, second, other] = [append('lanes', 3, batch), append('lanes', 3, batch), append('lanes', 2, batch)];
    await expect.poll(() => under).toEqual(['lanes/3', 'lanes/2']);
    answers[0]!(true);
    await expect(first).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await expect.poll(() => under).toEqual(['lanes/3', 'lanes/2', 'lanes/3']);
    for (const answer of answers.slice(1)) answer(false);
    expect(await Promise.all([second, other])).toEqual([3, 3]);
  });
});

describe('a fault', () => {
  test.each([
    { error: { name: 'KafkaJSConnectionClosedError', retriable: true }, retry: true, opened: 2, refreshed: 0 },
    { error: { name: 'KafkaJSRequestTimeoutError', retriable: true }, retry: true, opened: 2, refreshed: 0 },
    { error: { type: 'NOT_LEADER_FOR_PARTITION', retriable: true }, retry: true, opened: 1, refreshed: 1 },
    { error: { type: 'NOT_ENOUGH_REPLICAS', retriable: true }, retry: true, opened: 1, refreshed: 0 },
    { error: { type: 'REBALANCE_IN_PROGRESS', retriable: false }, retry: true, opened: 1, refreshed: 0 },
    { error: { type: 'TOPIC_AUTHORIZATION_FAILED', retriable: false }, retry: false, opened: 1, refreshed: 0 },
    { error: { name: 'KafkaJSSASLAuthenticationError', retriable: false }, retry: false, opened: 1, refreshed: 0 },
    { error: { name: 'TypeError' }, retry: false, opened: 1, refreshed: 0 },
  ])('$error: a retry may help: $retry', async ({ error, retry, opened, refreshed }) => {
    const count = { opened: 0, refreshed: 0 };
    const open = async () => {
      count.opened++;
      return cluster({ refreshMetadata: async () => void count.refreshed++ });
    };
    const { use } = createConnection(open);
    const wrapped = kafkaError({ name: 'KafkaJSNumberOfRetriesExceeded', cause: kafkaError(error) });
    const failing = use(() => Promise.reject(wrapped));
    await expect(failing).rejects.toMatchObject(retry ? { code: 'LOG_UNAVAILABLE', cause: error } : error);
    expect(await use(async () => 'goes on')).toBe('goes on');
    expect(count).toEqual({ opened, refreshed });
  });

  test.each([
    { error: { name: 'KafkaJSConnectionError', retriable: true } },
    { error: { name: 'KafkaJSSASLAuthenticationError', retriable: false } },
    { error: { type: 'REQUEST_TIMED_OUT', retriable: true } },
    { error: { name: 'TypeError' } },
  ])('of a try to connect is not remembered: $error', async ({ error }) => {
    let opened = 0;
    const { use } = createConnection(async () => {
      if (opened++ === 0) throw kafkaError(error);
      return cluster();
    });
    const both = await Promise.allSettled([use(async () => {}), use(async () => {})]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await use(async () => 'goes on')).toBe('goes on');
    expect(opened).toBe(2);
  });

  test('of the connection is told once, and its end once', async () => {
    const told: string[] = [];
    let reached = false;
    const open = async () => {
      if (!reached) throw kafkaError({ name: 'KafkaJSConnectionError' });
      return cluster();
    };
    const { use } = createConnection(open, (error) => told.push(error ? 'away' : 'back'));
    for (let n = 0; n < 3; n++) await expect(use(async () => {})).rejects.toThrow();
    reached = true;
    for (let n = 0; n < 3; n++) await use(async () => {});
    expect(told).toEqual(['away', 'back']);
  });

  test('that may be of the connection begins a new one, and is told where that fails', async () => {
    const told: string[] = [];
    let reached = true;
    const open = async () => {
      if (!reached) throw kafkaError({ name: 'KafkaJSConnectionError' });
      return cluster();
    };
    const { use } = createConnection(open, (error) => told.push(error ? 'away' : 'back'));
    const find = () => use(() => Promise.reject(kafkaError({ name: 'KafkaJSGroupCoordinatorNotFound' })));
    await expect(find()).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await expect(find()).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    expect(told).toEqual([]);
    reached = false;
    await expect(find()).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    expect(told).toEqual(['away']);
  });
});

describe('reads', () => {
  const wanted = (partition: number) => ({ topic: 'lanes', partition, from: 0, bytesMax: 1_000 });
  const record = { position: 0, key: 'acme', frame: Buffer.from('x') };
  const found = (partition: number, records: unknown[], highWatermark = 0) => ({ partition, records, highWatermark });
  const responses = (...partitions: unknown[]) => ({ responses: [{ topicName: 'lanes', partitions }] });
  const at = (place: string) => createConnection(async () => cluster({ findBroker: async () => place as never }));
  const reads = (find: Find) =>
    createReads(at('prompt'), at('waiting'), (place, request) => find(request, `${place}`) as Promise<FetchReply>);
  const partitionsOf = ({ topics }: FetchRequest) =>
    topics.flatMap(({ partitions }) => partitions.map(({ partition }) => partition));

  test('that are open together go out as one fetch', async () => {
    const fetches: number[][] = [];
    const read = reads(async (request) => {
      fetches.push(partitionsOf(request));
      return responses(...partitionsOf(request).map((partition) => found(partition, [record], 1)));
    });
    await Promise.all([0, 1, 2, 3].map((partition) => read(wanted(partition), 0)));
    expect(fetches).toEqual([[0, 1, 2, 3]]);
  });

  test('a fault of one partition is not that of the others', async () => {
    const read = reads(async (request) => {
      if (partitionsOf(request).includes(2)) throw kafkaError({ type: 'OFFSET_OUT_OF_RANGE', retriable: false });
      return responses(...partitionsOf(request).map((partition) => found(partition, [record], 1)));
    });
    const outcomes = await Promise.allSettled([0, 1, 2, 3].map((partition) => read(wanted(partition), 0)));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  });

  test('what had no room in the fetch is read in the next one, and never taken for the end', async () => {
    let room = 0;
    const read = reads(async (request) => {
      const turn = room++ % 4;
      return responses(
        ...partitionsOf(request).map((partition) => found(partition, partition === turn ? [record] : [], 1)),
      );
    });
    const all = await Promise.all([0, 1].map((partition) => read(wanted(partition), 0)));
    expect(all).toEqual([[record], [record]]);
  });

  test.each([
    { what: 'nothing', without: responses() },
    { what: 'no topic', without: { responses: [] } },
    { what: 'other partitions', without: responses(found(1, [], 0)) },
  ])('an answer with $what, as comes over a quota, is no answer', async ({ without }) => {
    const answers = [without, without, responses(found(0, [record], 1))];
    const read = reads(async () => answers.shift());
    expect(await read(wanted(0), 0)).toEqual([record]);
  });

  test('records that cannot be made out are no end either', async () => {
    const read = reads(async () => responses(found(0, [], 5)));
    await expect(read(wanted(0), 0)).rejects.toThrow('no record can be made out');
  });

  test('none waits before it has looked, nor where others look', async () => {
    const waits: string[] = [];
    const read = reads(async (request, place) => {
      waits.push(`${place}: ${request.maxWaitTime > 0 ? 'waits' : 'looks'}`);
      return responses(found(0, place === 'waiting' ? [record] : []));
    });
    expect(await read(wanted(0), 60_000)).toEqual([record]);
    expect(waits).toEqual(['prompt: looks', 'waiting: waits']);
  });
});
