/** A saved state of a lane: where it stands, and how to read it. */
export interface Checkpoint {
  /** Position of the last record that the state contains. */
  position: number;
  /** Identity of that record, compared on resume: another record at this position stops the lane. */
  recordId: string;
  /** The state, in the chunks in which it was saved. */
  chunks: readonly Uint8Array[];
}

/**
 * Whole snapshots of lanes.
 *
 * Guarantees, held by one contract suite over every backend:
 * - a checkpoint is there whole or not at all: `newest` passes over torn and damaged ones (digest) to an older one;
 * - when `save` resolves, the checkpoint survives a crash of the process and of the machine (memory: of nothing);
 * - two writers of one lane cannot damage each other; the higher position is the newer one;
 * - `prune` never removes the newest checkpoint, nor the newest of those at or before `position`.
 */
export interface Checkpoints {
  /** Takes the chunks as they come, so that the caller can make them bit by bit. */
  save(lane: string, head: Omit<Checkpoint, 'chunks'>, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** The newest valid checkpoint of a lane, or undefined. */
  newest(lane: string): Promise<Checkpoint | undefined>;
  /** The lanes that have a checkpoint, sorted. */
  lanes(): Promise<readonly string[]>;
  /** Positions of a lane's checkpoints, oldest first, valid or not. */
  list(lane: string): Promise<readonly number[]>;
  /** Removes what is not needed to rebuild a lane whose log starts at `position`. */
  prune(lane: string, position: number): Promise<void>;
}

/** Which of a lane's positions `prune` keeps: see the port. */
export function keptPositions(positions: readonly number[], position: number): Set<number> {
  const kept = new Set<number>();
  const newest = positions.at(-1);
  if (newest !== undefined) kept.add(newest);
  // Two behind the newest, should the newest turn out to be damaged.
  for (const spare of positions.slice(-3)) kept.add(spare);
  const base = positions.findLast((candidate) => candidate <= position);
  if (base !== undefined) kept.add(base);
  return kept;
}
