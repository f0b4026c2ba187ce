import type { ProducerProgress } from '../../core/records/generated.ts';

/** What a saved state of a lane stands for. */
export interface CheckpointHead {
  /** Position of the last record that the state contains. */
  position: number;
  /** Identity of that record, compared on resume: another record at this position stops the lane. */
  recordId: string;
  /** Hash of the flow that has worked on the lane; empty in what was saved before flows were told apart. */
  flow: string;
  /** True where its worker ended there: that flow has worked on nothing behind the position. */
  final: boolean;
  /** How far the state contains each producer's records, by boot. */
  producers: readonly ProducerProgress[];
}

export interface Checkpoint extends CheckpointHead {
  /**
   * The bytes of the state, cut anywhere, read as they are asked for; they may be read again. Ends with
   * CheckpointDamagedError where they are not the ones that were saved: nothing may be done with them before the end.
   */
  chunks: AsyncIterable<Uint8Array>;
}

/**
 * Whole snapshots of lanes.
 *
 * Guarantees, held by one contract suite over every backend:
 * - a checkpoint is there whole or not at all: `newest` passes over torn ones to an older one, and so it does over
 *   damaged ones from the moment that reading their chunks has shown it;
 * - when `save` resolves, the checkpoint survives a crash of the process and of the machine (memory: of nothing);
 * - two writers of one lane cannot damage each other; the higher position is the newer one, of two at the same position
 *   the one that was saved later;
 * - `prune` never removes the newest checkpoint, nor the newest of those at or before `position`, nor all that are near
 *   it: a log that is trimmed further on still has one near its start.
 */
export interface Checkpoints {
  /**
   * Takes the bytes as they come, so that the caller can make them bit by bit. They may be left unread where the same
   * flow's state at the same position is saved already.
   */
  save(lane: string, head: CheckpointHead, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** The newest checkpoint of a lane, of those at or before `upTo` where it is given; or undefined. */
  newest(lane: string, upTo?: number): Promise<Checkpoint | undefined>;
  /** The lanes that have a checkpoint, sorted. */
  lanes(): Promise<readonly string[]>;
  /** Positions of a lane's checkpoints, oldest first, whole or not. */
  list(lane: string): Promise<readonly number[]>;
  /** Removes what is not needed to rebuild a lane whose log starts at `position`; a backend may keep more. */
  prune(lane: string, position: number): Promise<void>;
}

/** The bytes of a checkpoint are not those that were saved. A retry does not help: an older one may. */
export class CheckpointDamagedError extends Error {
  readonly code = 'CHECKPOINT_DAMAGED';
}

/** What the log holds is divided into so many parts: a lane is rebuilt from a checkpoint within the first of them. */
const parts = 4;

/**
 * Which of a lane's positions `prune` keeps: see the port. Besides, some between the log's start and its end, for the
 * start moves on, and there must still be one near it then.
 */
export function keptPositions(positions: readonly number[], position: number): Set<number> {
  // Two behind the newest, should the newest turn out to be damaged.
  const kept = new Set(positions.slice(-3));
  const base = positions.findLast((candidate) => candidate <= position);
  if (base !== undefined) kept.add(base);
  // Of the records behind this one none has been trimmed.
  let last = positions.find((candidate) => candidate + 1 >= position) ?? Infinity;
  if (last !== Infinity) kept.add(last);
  const distance = ((positions.at(-1) ?? position) - position) / parts;
  for (const [index, candidate] of positions.entries()) {
    const next = positions[index + 1] ?? candidate;
    if (candidate <= last || next - last <= distance) continue;
    kept.add(candidate);
    last = candidate;
  }
  return kept;
}
