/**
 * A member of a consumer group that shares out the partitions of a topic, fetches nothing and commits nothing. What two
 * members do to one partition for a while, at a change or after a long pause, does no harm: their outputs are the same.
 * So a member keeps what it has while it does not reach Kafka, and lets go when it is told that it is no member.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from '../../logger.ts';
import { type Connection, errorType, type KafkaCluster } from './kafka-cluster.ts';
import { LogUnavailableError } from './log.ts';

export interface GroupOptions {
  group: string;
  topic: string;
  /** Is told which partitions this member has from now on, each time that they change; none where it lost them. */
  assigned(partitions: readonly number[]): void;
  /** A member that is not heard of for so long has left. Default 10 s. */
  sessionTimeoutMs?: number;
}

export interface Membership {
  /** By which the broker knows this member; undefined while it is none. */
  identity(): { groupGenerationId: number; memberId: string } | undefined;
  /** Resolves when the others may share out what this member had. */
  leave(): Promise<void>;
}

/** How members say what they want and are told what they get: kafkajs's AssignerProtocol. */
export interface GroupProtocol {
  MemberMetadata: {
    encode(metadata: { version: number; topics: string[]; userData: Buffer }): Buffer;
    decode(buffer: Buffer): { userData: Buffer } | null;
  };
  MemberAssignment: {
    encode(assignment: { version: number; assignment: Record<string, number[]>; userData: Buffer }): Buffer;
    decode(buffer: Buffer): { assignment: Record<string, number[]> } | null;
  };
}

/** The group's tools show it. */
const protocolName = 'hookwatch';
const retryMs = 500;

export function joinGroup(
  connection: Connection,
  { MemberMetadata, MemberAssignment }: GroupProtocol,
  { group, topic, assigned, sessionTimeoutMs = 10_000 }: GroupOptions,
  logger: Logger,
): Membership {
  const left = new AbortController();
  let memberId = '';
  let generation: number | undefined;
  let owned: readonly number[] = [];

  /** Joins and stays until something changes, which the broker tells by an error. */
  async function takePart(cluster: KafkaCluster): Promise<void> {
    await cluster.addTargetTopic(topic);
    const coordinator = await cluster.findGroupCoordinator({ groupId: group });
    const metadata = MemberMetadata.encode({ version: 1, topics: [topic], userData: encodeOwned(owned) });
    const joined = await coordinator.joinGroup({
      groupId: group,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: sessionTimeoutMs,
      memberId,
      groupProtocols: [{ name: protocolName, metadata }],
    });
    memberId = joined.memberId;
    const { memberAssignment } = await coordinator.syncGroup({
      groupId: group,
      generationId: joined.generationId,
      memberId,
      groupAssignment: joined.leaderId === memberId ? shareOut(cluster, joined.members) : [],
    });
    generation = joined.generationId;
    announce(MemberAssignment.decode(memberAssignment)?.assignment[topic] ?? []);
    while (!left.signal.aborted) {
      await coordinator.heartbeat({ groupId: group, groupGenerationId: generation, memberId });
      await pause(sessionTimeoutMs / 3);
    }
  }
  function shareOut(cluster: KafkaCluster, members: readonly { memberId: string; memberMetadata: Buffer }[]) {
    const shares = sharePartitions(
      cluster.findTopicPartitionMetadata(topic).length,
      members.map(({ memberId, memberMetadata }) => ({
        id: memberId,
        owned: decodeOwned(MemberMetadata.decode(memberMetadata)?.userData),
      })),
    );
    return [...shares].map(([memberId, partitions]) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({
        version: 1,
        assignment: { [topic]: partitions },
        userData: Buffer.alloc(0),
      }),
    }));
  }
  function announce(partitions: readonly number[]): void {
    const sorted = partitions.toSorted((a, b) => a - b);
    if (sorted.join() === owned.join()) return;
    owned = sorted;
    logger.info({ group, partitions: sorted }, 'partitions assigned');
    assigned(sorted);
  }
  async function stay(): Promise<void> {
    while (!left.signal.aborted) {
      try {
        await connection.use(takePart);
      } catch (error) {
        const type = errorType(error);
        if (type === 'REBALANCE_IN_PROGRESS' || type === 'ILLEGAL_GENERATION') continue;
        generation = undefined;
        if (type === 'UNKNOWN_MEMBER_ID') {
          memberId = '';
          announce([]);
          continue;
        }
        if (!(error instanceof LogUnavailableError)) logger.warn({ err: error, group }, 'cannot join the group');
        await pause(retryMs);
      }
    }
  }
  function pause(ms: number): Promise<void> {
    return wait(ms, undefined, { signal: left.signal }).catch(() => {});
  }
  const staying = stay();

  return {
    identity: () => (generation === undefined ? undefined : { groupGenerationId: generation, memberId }),
    async leave() {
      left.abort();
      await staying;
      const goodbye = async (cluster: KafkaCluster) => {
        const coordinator = await cluster.findGroupCoordinator({ groupId: group });
        await coordinator.leaveGroup({ groupId: group, memberId });
      };
      // Where it is not heard, the session ends by itself.
      if (generation !== undefined) await connection.use(goodbye).catch(() => {});
      await connection.close();
    },
  };
}

/**
 * Shares 0 to `count - 1` out evenly. Everybody keeps of their own as much as fits their share: to go on with a
 * partition costs nothing, to begin with one a checkpoint.
 */
export function sharePartitions(
  count: number,
  members: readonly { id: string; owned: readonly number[] }[],
): Map<string, number[]> {
  const byOwned = members.toSorted((a, b) => b.owned.length - a.owned.length || (a.id < b.id ? -1 : 1));
  const free = new Set(Array.from({ length: count }, (_, partition) => partition));
  const room = (index: number) => Math.floor(count / members.length) + (index < count % members.length ? 1 : 0);
  const shares = byOwned.map(({ owned }, index) => {
    const kept: number[] = [];
    for (const partition of owned) if (kept.length < room(index) && free.delete(partition)) kept.push(partition);
    return kept;
  });
  const rest = [...free];
  for (const [index, share] of shares.entries()) share.push(...rest.splice(0, room(index) - share.length));
  return new Map(byOwned.map(({ id }, index) => [id, shares[index]!.toSorted((a, b) => a - b)]));
}

function encodeOwned(owned: readonly number[]): Buffer {
  return Buffer.from(JSON.stringify(owned));
}

function decodeOwned(userData: Buffer | undefined): number[] {
  try {
    const owned = JSON.parse(`${userData}`);
    return Array.isArray(owned) ? owned : [];
  } catch {
    return [];
  }
}
