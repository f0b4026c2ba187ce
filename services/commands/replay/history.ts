/** Where the replay of a lane begins, and what it can be compared with. */
import { createState, type FlowState } from '../../core/flow/state.ts';
import type { Takeover } from '../../core/flow/takeover.ts';
import type { CheckpointHead, Checkpoints } from '../../ports/checkpoints/checkpoints.ts';
import { type Restored, restoreNewest } from '../../ports/checkpoints/restore.ts';
import type { LaneSource, Survey } from './lane-source.ts';
import { ReplayError } from './replay.ts';

export interface LaneHistory {
  tenant: string;
  survey: Survey;
  /** Of the checkpoints that are kept, oldest first. */
  heads: readonly CheckpointHead[];
  /**
   * The last takeover by this flow. What the lane led to before was made by another one; a replay joins what this one
   * made at a checkpoint behind it.
   */
  takeover: (Takeover & { position: number }) | undefined;
}

export interface ReplayStart {
  /** genesis: the lane's first record is there; checkpoint: its state is that of one; empty: nothing is left of it. */
  from: 'genesis' | 'checkpoint' | 'empty';
  state: FlowState;
  /** Everything behind this position is replayed; -1 for the whole lane. */
  after: number;
  /** Where reading begins. */
  upTo: number;
}

/**
 * Looks through a lane and its checkpoints.
 * @param flow hash of this code's flow
 * @throws ReplayError OTHER_FLOW where another one works on the lane
 */
export async function recallLane(
  tenant: string,
  source: LaneSource,
  checkpoints: Checkpoints,
  flow: string,
): Promise<LaneHistory> {
  const heads: CheckpointHead[] = [];
  for (const position of await checkpoints.list(tenant)) {
    const head = await checkpoints.newest(tenant, position);
    if (head?.position === position) heads.push(head);
  }
  const worker = heads.at(-1)?.flow ?? '';
  if (worker !== '' && worker !== flow) {
    throw new ReplayError(
      'OTHER_FLOW',
      `Cannot replay lane ${tenant}: flow ${worker} works on it, and this is ${flow}. Use the version that runs, or bring this one in with hookwatch upgrade.`,
    );
  }
  const survey = await source.survey();
  return { tenant, survey, heads, takeover: survey.takeovers.findLast((takeover) => takeover.flow === flow) };
}

/** The oldest checkpoint of this flow behind its takeover: from there on a replay leads to what its worker made. */
export async function restoreJoin(
  { tenant, heads, takeover }: LaneHistory,
  checkpoints: Checkpoints,
): Promise<Restored | undefined> {
  if (!takeover) return undefined;
  const candidates = heads.filter(({ position, flow }) => flow === takeover.flow && position >= takeover.position);
  const restored = await restoreFirst(tenant, candidates, checkpoints);
  if (restored) return restored;
  throw new ReplayError(
    'START_MISSING',
    `Cannot replay lane ${tenant}: flow ${takeover.flow} took it over at position ${takeover.position}, and its worker has saved nothing since. Wait for its first checkpoint.`,
  );
}

/**
 * The oldest state from which all that follows is there: the lane's genesis, else the newest checkpoint before the
 * source's first record of the lane, else the oldest one behind it.
 */
export async function findStart(history: LaneHistory, checkpoints: Checkpoints): Promise<ReplayStart> {
  const { tenant, survey, heads } = history;
  const { begin, first } = survey;
  if (!begin) {
    const newest = await restoreFirst(tenant, heads.toReversed(), checkpoints);
    const start = newest && startAt(newest, first);
    return { state: createState(), after: -1, upTo: first - 1, ...start, from: 'empty' };
  }
  const before = heads.filter((head) => head.position < begin.position && isFollowed(head, survey));
  const base = await restoreFirst(tenant, before.reverse(), checkpoints);
  if (base) return startAt(base, first);
  if (begin.genesis) return { from: 'genesis', state: createState(), after: -1, upTo: first - 1 };
  const later = heads.filter(({ position }) => position >= begin.position);
  const oldest = await restoreFirst(tenant, later, checkpoints);
  if (oldest) return startAt(oldest, first);
  throw new ReplayError(
    'START_MISSING',
    `Cannot replay lane ${tenant}: its records begin at position ${begin.position}, without its first settings and without a checkpoint before them`,
  );
}

export function startAt({ head, state }: Restored, first: number): ReplayStart {
  return { from: 'checkpoint', state, after: head.position, upTo: Math.max(head.position, first - 1) };
}

/** Nothing is missing between a checkpoint and the first record that is left, going by that record's number. */
function isFollowed(head: CheckpointHead, { begin, first }: Survey): boolean {
  if (!begin || head.position + 1 >= first) return true;
  const producer = head.producers.find(({ boot }) => boot === begin.boot);
  return begin.seq <= (producer?.last_seq ?? -1) + 1;
}

/** The first of the checkpoints that turns out to be whole. */
async function restoreFirst(
  tenant: string,
  heads: readonly CheckpointHead[],
  checkpoints: Checkpoints,
): Promise<Restored | undefined> {
  for (const { position } of heads) {
    const restored = await restoreNewest(checkpoints, tenant, position);
    if (restored?.head.position === position) return restored;
  }
  return undefined;
}
