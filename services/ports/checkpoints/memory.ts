import { type Checkpoint, type Checkpoints, keptPositions } from './checkpoints.ts';

/** Checkpoints in memory: for tests, and the measure of what the others must do. */
export function createMemoryCheckpoints(): Checkpoints {
  const lanes = new Map<string, Map<number, Checkpoint>>();
  const positionsOf = (lane: string) => [...(lanes.get(lane)?.keys() ?? [])].sort((a, b) => a - b);

  return {
    async save(lane, head, source) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of source) chunks.push(Uint8Array.from(chunk));
      const saved = lanes.get(lane) ?? new Map<number, Checkpoint>();
      lanes.set(lane, saved.set(head.position, { ...head, chunks: again(chunks) }));
    },
    async newest(lane, upTo = Infinity) {
      const position = positionsOf(lane).findLast((candidate) => candidate <= upTo);
      return position === undefined ? undefined : lanes.get(lane)?.get(position);
    },
    lanes: async () => [...lanes.keys()].sort(),
    list: async (lane) => positionsOf(lane),
    async prune(lane, position) {
      const positions = positionsOf(lane);
      const kept = keptPositions(positions, position);
      for (const candidate of positions) if (!kept.has(candidate)) lanes.get(lane)?.delete(candidate);
    },
  };
}

function again(chunks: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  return {
    async *[Symbol.asyncIterator]() {
      yield* chunks;
    },
  };
}
