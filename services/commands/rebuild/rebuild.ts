/**
 * Makes the rows of lanes anew, in tables beside those that people read, and changes them over:
 *
 *   1. rows that are not made anew are copied: other tenants', and those that precede the oldest kept snapshot;
 *   2. each lane is worked on from there to its end, and what follows is stored;
 *   3. the tables change places; what a sink was just writing into the old ones is carried over;
 *   4. each lane is worked on once more from where 2 ended to its end now, into the tables that people read: what
 *      the sink wrote meanwhile went into the old ones, and is the same.
 *
 * Workers and sinks go on all the while. Before 3 nothing has happened that anybody sees.
 */
import { type OutputKind, outputKinds } from '../../core/records/codec.ts';
import type { SqlWarehouse } from '../../ports/warehouse/warehouse.ts';
import { changeOver, clearRebuild, noteChangeover, readChangeover } from './changeover.ts';
import { createStore } from './fill.ts';
import { copyRows, keptSql, rebuildDatabase } from './kept.ts';
import { type Advance, type LaneOptions, type Origin, openRebuiltLane, type RebuiltLane } from './lane.ts';

export interface RebuildOptions {
  /** Whose lanes to work on anew. */
  tenants: readonly string[];
  records: (tenant: string) => LaneOptions['records'];
  checkpoints: (tenant: string) => LaneOptions['checkpoints'];
  /** The tables that people read. */
  warehouse: SqlWarehouse;
  /** The same ClickHouse, with its tables in the database `hookwatch_rebuild`. */
  rebuilt: Pick<SqlWarehouse, 'migrate' | 'insert'>;
  flow: string;
  origin: Origin;
  stored: () => Promise<void>;
  /** Told of every step that is done. */
  onStep?: (text: string) => void;
  onProgress?: (text: () => string) => void;
}

/** Rounds that follow the end of lanes which grow meanwhile, so that little is left to do after the change. */
const roundsMax = 5;
const recordsAtOnceMax = 2_000;

/**
 * @throws ReplayError, WarehouseError and what logs and checkpoints throw. It may be called again after any of it, and
 *   after it was killed.
 */
export async function rebuild(options: RebuildOptions): Promise<void> {
  const { warehouse, rebuilt, origin, onStep = () => {} } = options;
  await warehouse.migrate();
  await finishInterrupted(options);
  const lanes = await openLanes(options);
  const remade = lanes.filter(({ from }) => from !== 'empty');
  if (remade.length === 0) return onStep('There is nothing to work on.');
  await clearRebuild(warehouse);
  await rebuilt.migrate();
  const kept = Object.fromEntries(outputKinds.map((kind) => [kind, keptOf(kind, origin, remade)])) as Kept;
  for (const kind of outputKinds) await copyRows(warehouse, { kind, where: kept[kind], params: {} }, rebuildDatabase);
  await fillLanes(remade, options);
  await changeOver(warehouse, await noteChangeover(warehouse, kept));
  onStep('The tables are changed over.');
  const again = await advance(remade, warehouse, options);
  onStep(`What came meanwhile was worked on once more: ${again.records} records, ${again.rows} rows.`);
  await clearRebuild(warehouse);
}

type Kept = Record<OutputKind, string>;

async function finishInterrupted({ warehouse, onStep }: RebuildOptions): Promise<void> {
  const interrupted = await readChangeover(warehouse);
  if (!interrupted) return;
  await changeOver(warehouse, interrupted);
  onStep?.(
    'An earlier rebuild was interrupted while it changed the tables over: that is finished, and it begins anew.',
  );
}

async function openLanes(options: RebuildOptions): Promise<RebuiltLane[]> {
  const { tenants, records, checkpoints, onStep } = options;
  const lanes: RebuiltLane[] = [];
  for (const tenant of tenants) {
    const lane = await openRebuiltLane({
      ...options,
      tenant,
      records: records(tenant),
      checkpoints: checkpoints(tenant),
    });
    lanes.push(lane);
    if (lane.from === 'empty') onStep?.(`${tenant}: no records are left of its lane; its rows stay as they are.`);
  }
  return lanes;
}

/** Deliveries and controls that rows are made of stay as they are. */
function keptOf(kind: OutputKind, origin: Origin, lanes: readonly RebuiltLane[]): string {
  const isSource = origin === 'tables' && (kind === 'delivery' || kind === 'control');
  return isSource ? '1' : keptSql(lanes);
}

async function fillLanes(lanes: readonly RebuiltLane[], options: RebuildOptions): Promise<void> {
  for (const lane of lanes) {
    const { records, rows } = await advance([lane], options.rebuilt, options);
    const begin = lane.from === 'genesis' ? 'from its first record' : `behind its checkpoint at ${lane.after}`;
    options.onStep?.(`${lane.tenant}: ${records} records ${begin} led to ${rows} rows.`);
  }
  for (let round = 0; round < roundsMax; round++) {
    if ((await advance(lanes, options.rebuilt, options)).records <= recordsAtOnceMax) return;
  }
}

async function advance(
  lanes: readonly RebuiltLane[],
  into: Pick<SqlWarehouse, 'insert'>,
  { warehouse, onProgress }: RebuildOptions,
): Promise<Advance> {
  const sum = { records: 0, rows: 0 };
  for (const lane of lanes) {
    const { records, rows } = await lane.advance(createStore(into, warehouse), (upTo, until) =>
      onProgress?.(() => `${lane.tenant}: worked on up to position ${upTo} of ${until}`),
    );
    sum.records += records;
    sum.rows += rows;
  }
  return sum;
}
