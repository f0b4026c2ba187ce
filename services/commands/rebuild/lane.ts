import type { FlowState } from '../../core/flow/state.ts';
import { metaOf } from '../../core/flow/state.ts';
import type { Takeover } from '../../core/flow/takeover.ts';
import type { Checkpoints } from '../../ports/checkpoints/checkpoints.ts';
import type { Restored } from '../../ports/checkpoints/restore.ts';
import type { Log } from '../../ports/log/log.ts';
import { tableOf } from '../../ports/warehouse/tables.ts';
import type { SqlWarehouse } from '../../ports/warehouse/warehouse.ts';
import { findStart, type ReplayStart, recallLane, restoreJoin } from '../replay/history.ts';
import { createLogSource, type LaneSource } from '../replay/lane-source.ts';
import { createReplay, type Replay, ReplayError } from '../replay/replay.ts';
import { createTableSource } from '../replay/table-source.ts';
import { type FillOptions, fill } from './fill.ts';

/** Where records come from: the log behind the oldest kept snapshot, or the tables of deliveries and controls. */
export type Origin = 'snapshot' | 'tables';

export interface LaneOptions {
  tenant: string;
  records: Pick<Log, 'read' | 'bounds'>;
  checkpoints: Checkpoints;
  warehouse: Pick<SqlWarehouse, 'query' | 'rows'>;
  origin: Origin;
  flow: string;
  /** Resolves once what the worker has put out until now is in ClickHouse. */
  stored: () => Promise<void>;
}

/** A lane that is being worked on anew. */
export interface RebuiltLane {
  tenant: string;
  from: ReplayStart['from'];
  /** Rows that records behind it led to are made anew. */
  after: number;
  /** Works on up to the end that the log has now. */
  advance(store: FillOptions['store'], onProgress?: (upTo: number, until: number) => void): Promise<Advance>;
}

export interface Advance {
  records: number;
  rows: number;
}

/**
 * Finds where the rebuild of a lane begins.
 * @throws ReplayError where it cannot be rebuilt, or should not: the log is not the one that led to the rows.
 */
export async function openRebuiltLane(options: LaneOptions): Promise<RebuiltLane> {
  const { tenant, records, checkpoints, warehouse, origin, flow } = options;
  const log = createLogSource(records, tenant);
  // Tables hold everything up to here, and may hold one behind it without the other.
  const stored = origin === 'tables' ? (await checkpoints.newest(tenant))?.position : undefined;
  if (origin === 'tables') await options.stored();
  const source = origin === 'tables' ? createTableSource(warehouse, tenant) : log;
  const history = await recallLane(tenant, source, checkpoints, flow);
  const start = await findStart(history, checkpoints);
  if (origin === 'tables') expectGenesis(tenant, start);
  await expectOwnLog(options);
  const { takeover } = history;
  const join = takeover && takeover.position > start.after ? await restoreJoin(history, checkpoints) : undefined;
  const replay = createReplay({ tenant, state: start.state, upTo: start.upTo, flow: join ? '' : flow });
  const course = createCourse(replay, join && takeover && { takeover, join, flow });
  return {
    tenant,
    from: start.from,
    after: start.after,
    async advance(store, onProgress) {
      const end = (await records.bounds()).next - 1;
      const untilTables = origin === 'tables' ? (stored ?? history.survey.last) : -1;
      const sum = { records: 0, rows: 0 };
      const work = async (from: LaneSource, until: number, fromTables: boolean) => {
        const progress = (upTo: number) => onProgress?.(upTo, Math.max(until, end));
        for (const part of course(until)) {
          const filled = await fill({
            tenant,
            replay,
            source: from,
            fromTables,
            until: part,
            store,
            onProgress: progress,
          });
          sum.records += filled.records;
          sum.rows += filled.rows;
        }
      };
      if (replay.upTo < untilTables) await work(source, untilTables, true);
      await work(log, end, false);
      return sum;
    },
  };
}

/**
 * Cuts the way to a position where the lane was taken over by this flow. What lies before is worked on by it anew, in the
 * epoch before; from the checkpoint on it goes on with its worker's own state, whose rows win.
 *
 *   start ─── epoch n - 1 ───▶ takeover ─── n - 1 ───▶ checkpoint of its worker ─── n, as the worker ───▶
 */
function createCourse(
  replay: Replay,
  turn: { takeover: Takeover & { position: number }; join: Restored; flow: string } | undefined,
): (until: number) => Generator<number> {
  let ahead = turn;
  let held = false;
  return function* course(until) {
    while (ahead && replay.upTo < until) {
      const { takeover, join, flow } = ahead;
      const next = held ? join.head.position : takeover.position;
      if (until < next) break;
      yield next;
      if (held) {
        replay.adopt(join, flow);
        ahead = undefined;
      } else {
        replay.holdEpoch(epochOf(join.state) - 1);
        held = true;
      }
    }
    yield until;
  };
}

function epochOf(state: FlowState): number {
  return metaOf(state).epoch;
}

function expectGenesis(tenant: string, { from, after }: ReplayStart): void {
  if (from === 'empty' || (from === 'genesis' && after === -1)) return;
  throw new ReplayError(
    'START_MISSING',
    `Cannot rebuild lane ${tenant} from its tables: they no longer hold its first settings`,
  );
}

/** A log that ends before the rows of its lane is another one, and rebuilding from it would lose them. */
async function expectOwnLog({ tenant, records, warehouse, origin }: LaneOptions): Promise<void> {
  const highest = (kind: 'delivery' | 'control') =>
    `SELECT max(position) AS position FROM ${tableOf(kind)} WHERE tenant = {tenant:String} HAVING count() > 0`;
  const rows = await warehouse.query<{ position: number }>(`${highest('delivery')} UNION ALL ${highest('control')}`, {
    tenant,
  });
  const position = Math.max(-1, ...rows.map((row) => row.position));
  const { first, next } = await records.bounds();
  if (position < next || (origin === 'tables' && first === next)) return;
  throw new ReplayError(
    'RECORDS_MISSING',
    `Cannot rebuild lane ${tenant}: ClickHouse has rows up to position ${position}, but its log ends at ${next - 1}`,
  );
}
