/** A minute in the life of two resellers, by the simulator, worked on by the flow and stored in a real ClickHouse. */
import type { Output } from '../../../services/core/flow/context.ts';
import { step } from '../../../services/core/flow/flow.ts';
import { createState } from '../../../services/core/flow/state.ts';
import { encode, schemaIdOf } from '../../../services/core/records/codec.ts';
import type { RecordTypes } from '../../../services/core/records/generated.ts';
import type { Warehouse } from '../../../services/ports/warehouse/warehouse.ts';
import type { Item } from '../../../services/simulator/item.ts';
import { generateScenario } from '../../../services/simulator/scenario.ts';
import { alertBody, iso, laneOf, startMs } from '../../core/flow/lane.ts';

export { startMs };

/** Length of the simulated life. */
export const lifeMs = 60_000;
/** Counts are said at ticks: the last one is after all that happened. */
const endMs = lifeMs + 10_000;
const tickMs = 1_000;
/** How long before the start of the life an alert of the memory came on that never ends. */
export const memoryAlertMs = 1_800_000;

export interface Life {
  tenant: string;
  /** What happened, as only the simulator knows it. */
  items: Item[];
  outputs: Output[];
}

/** Everything that happens to a tenant, and what the flow makes of it. */
export function live(tenant: string, seed: number): Life {
  const root = tenant.toUpperCase();
  const items = [...generateScenario({ seed, startMs, rate: 10, seconds: lifeMs / 1000, root })];
  const lane = laneOf({}, { roots: [`centurylink:${root}`] });
  let ticked = 0;
  const tickUntil = (atMs: number) => {
    for (; ticked + tickMs <= atMs; ticked += tickMs) lane.tick(ticked + tickMs);
  };
  for (const { atMs, event, body } of items) {
    tickUntil(atMs);
    lane.post(event, body.toString(), atMs, { account: `centurylink:${root}` });
  }
  tickUntil(lifeMs);
  // The simulator's alerts are all of the processor.
  const opened = { metric: 'memory', state: 'triggered', stateStartTime: iso(startMs - memoryAlertMs) };
  lane.post('Alert.Notification', alertBody(root, `${root}DB1`, opened), lifeMs, { account: `centurylink:${root}` });
  tickUntil(endMs);
  for (const { record } of lane.records) record.value.tenant = tenant;
  return { tenant, items, outputs: step(createState(), lane.records).outputs };
}

/** Stores all outputs, every version of them. */
export async function store(warehouse: Warehouse, { outputs }: Life): Promise<void> {
  for (const kind of new Set(outputs.map((output) => output.kind))) {
    const frames = outputs.flatMap((output) => (output.kind === kind ? [encode(kind, output.value as never)] : []));
    await warehouse.insert(kind, schemaIdOf(frames[0]!), frames.map(bodyOf));
  }
}

/** A frame without its framing. */
const bodyOf = (frame: Uint8Array) => frame.subarray(5);

/** Outputs of a kind as they stand at the end: the highest version of each id that was not withdrawn. */
export function finalOf<K extends Output['kind']>({ outputs }: Life, kind: K): RecordTypes[K][] {
  const newest = new Map<string, RecordTypes[K]>();
  for (const output of outputs) {
    if (output.kind !== kind) continue;
    const value = output.value as RecordTypes[K];
    const known = newest.get(value.id);
    if (!known || value.version > known.version) newest.set(value.id, value);
  }
  return [...newest.values()].filter(({ withdrawn }) => !withdrawn);
}

/** Accounts → servers whose creation was told, once or several times. */
export function createdServers({ items }: Life): Map<string, Set<string>> {
  const created = new Map<string, Set<string>>();
  for (const { event, account, subject } of items) {
    if (event !== 'Server.Created') continue;
    const name = `centurylink:${account}`;
    created.set(name, (created.get(name) ?? new Set()).add(subject.toUpperCase()));
  }
  return created;
}

/** The account whose creation carries a label. */
export function accountLabelled({ items }: Life, label: Item['label']): string {
  const item = items.find((candidate) => candidate.label === label && candidate.event === 'Account.Created');
  if (!item) throw new Error(`No account was created with the label ${label}`);
  return `centurylink:${item.account}`;
}
