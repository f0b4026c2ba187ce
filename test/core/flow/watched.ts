/** What tests of the ledgers beside the events share: bodies that are facts already, and the newest of each row. */
import type { Output } from '../../../services/core/flow/context.ts';
import { type LaneRecord, step } from '../../../services/core/flow/flow.ts';
import { createState, type FlowState } from '../../../services/core/flow/state.ts';
import { type Decode, type FactParts, fact } from '../../../services/core/providers/provider.ts';
import { decoders } from '../../../services/core/providers/providers.ts';
import type { RecordTypes } from '../../../services/core/records/generated.ts';

/** The body is the fact: these tests are about what the flow makes of one. */
const decodeFact: Decode = (delivery) => fact(JSON.parse(delivery.body.toString()) as FactParts);

/** The provider of such bodies. */
export const plain = 'plain';

export const withPlain = new Map([...decoders, [plain, decodeFact]]);

export interface Worked {
  state: FlowState;
  outputs: Output[];
}

/** Works on a lane in which deliveries of the provider `plain` may stand. */
export function work(records: readonly LaneRecord[], state = createState()): Worked {
  return step(state, records, withPlain);
}

/** The newest version of each row of a kind that was not withdrawn, in the order of their ids. */
export function rowsOf<K extends 'backup' | 'coverage' | 'change' | 'reconciliation'>(
  outputs: readonly Output[],
  kind: K,
): RecordTypes[K][] {
  const newest = new Map<string, RecordTypes[K]>();
  for (const output of outputs) {
    if (output.kind !== kind) continue;
    const row = output.value as RecordTypes[K];
    if (row.version > (newest.get(row.id)?.version ?? 0)) newest.set(row.id, row);
  }
  return [...newest.values()].filter(({ withdrawn }) => !withdrawn).sort((a, b) => (a.id < b.id ? -1 : 1));
}
