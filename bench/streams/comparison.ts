/** Whether two sides have made the same of the same lanes: every row, in every field. */
import { isDeepStrictEqual } from 'node:util';
import { decode, type OutputKind, outputKinds } from '../../services/core/records/codec.ts';
import type { Arena } from './arena.ts';
import type { Side } from './side.ts';

/** By kind, tenant, id and version. */
type Rows = Map<string, unknown>;

export interface Comparison {
  /** By kind. */
  counts: Record<OutputKind, number>;
  /** One line each, some at the most. */
  differences: string[];
}

const differencesMax = 10;

export async function compareSides(arena: Arena, ours: Side, theirs: Side): Promise<Comparison> {
  const counts = {} as Record<OutputKind, number>;
  const differences: string[] = [];
  for (const kind of outputKinds) {
    const [mine, others] = [await readRows(arena, ours.topics[kind]), await readRows(arena, theirs.topics[kind])];
    counts[kind] = mine.size;
    for (const key of new Set([...mine.keys(), ...others.keys()])) {
      if (isDeepStrictEqual(mine.get(key), others.get(key))) continue;
      differences.push(`${key}: ${describe(mine.get(key))} and ${describe(others.get(key))}`);
    }
  }
  return { counts, differences: differences.slice(0, differencesMax) };
}

async function readRows({ lanes }: Arena, topic: string): Promise<Rows> {
  const rows: Rows = new Map();
  for (let partition = 0; partition < lanes.partitions; partition++) {
    const log = lanes.kafka.log(topic, partition);
    const { first, next } = await log.bounds();
    for (let position = first; position < next; ) {
      const batch = await log.read(position, { records: 2_000, bytes: 4 * 1024 * 1024 });
      for (const { frame } of batch) {
        const { kind, value } = decode(frame);
        if (!('id' in value && 'version' in value)) throw new Error(`${topic} holds a ${kind}`);
        // JSON parsers differ in the words with which they refuse.
        rows.set(
          `${kind} ${value.tenant} ${value.id} ${value.version}`,
          kind === 'reject' ? { ...value, detail: '' } : value,
        );
      }
      position = (batch.at(-1)?.position ?? next) + 1;
    }
  }
  return rows;
}

function describe(row: unknown): string {
  if (row === undefined) return 'nothing';
  return JSON.stringify(row, (_, value) => (value?.type === 'Buffer' ? `${value.data.length} bytes` : value)).slice(
    0,
    2_000,
  );
}
