/** The bounds of many partitions: those that are asked for together go out as one request per broker and end. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Connection, concernsAll, type KafkaCluster, leaderOf } from './kafka-cluster.ts';

export interface Bounds {
  first: number;
  next: number;
}

export type AskBounds = (topic: string, partition: number) => Promise<Bounds>;

interface Question extends PromiseWithResolvers<Bounds> {
  topic: string;
  partition: number;
}

export function createBounds(connection: Connection): AskBounds {
  let open: Question[] = [];
  let running = false;

  async function run(): Promise<void> {
    running = true;
    while (open.length > 0) {
      await nextTurn();
      const round = open;
      open = [];
      await answer(connection, round);
    }
    running = false;
  }

  return (topic, partition) => {
    const question = { topic, partition, ...Promise.withResolvers<Bounds>() };
    open.push(question);
    if (!running) void run();
    return question.promise;
  };
}

/** Never rejects. */
async function answer(connection: Connection, round: readonly Question[]): Promise<void> {
  try {
    const found = await connection.use((cluster) => ask(cluster, round));
    for (const [index, { resolve }] of round.entries()) resolve(found[index]!);
  } catch (error) {
    if (round.length === 1 || concernsAll(error)) for (const { reject } of round) reject(error);
    else for (const question of round) await answer(connection, [question]);
  }
}

async function ask(cluster: KafkaCluster, round: readonly Question[]): Promise<Bounds[]> {
  const partitionsOf = new Map<string, Set<number>>();
  for (const { topic, partition } of round) {
    await leaderOf(cluster, topic, partition);
    partitionsOf.set(topic, (partitionsOf.get(topic) ?? new Set()).add(partition));
  }
  const end = async (fromBeginning: boolean) => {
    const topics = [...partitionsOf].map(([topic, partitions]) => ({
      topic,
      partitions: [...partitions].map((partition) => ({ partition })),
      fromBeginning,
    }));
    const found = await cluster.fetchTopicsOffset(topics);
    return ({ topic, partition }: Question) => {
      const offsets = found.find((one) => one.topic === topic)?.partitions;
      return Number(offsets!.find((one) => one.partition === partition)!.offset);
    };
  };
  const [first, next] = await Promise.all([end(true), end(false)]);
  return round.map((question) => ({ first: first(question), next: next(question) }));
}
