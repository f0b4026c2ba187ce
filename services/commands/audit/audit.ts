/**
 * Holds ClickHouse against a lane: the lane is worked on once more, and what it leads to is compared with what is there.
 *
 *   lane ──▶ replay ──▶ sums by table and hour ──┐
 *                                                ├─ equal, or the hours that differ ──▶ their rows, one by one
 *   ClickHouse ──────▶ sums by table and hour ───┘
 *
 * ClickHouse is asked before the replay, which may take hours: what changes meanwhile does not matter.
 */
import { type OutputKind, outputKinds } from '../../core/records/codec.ts';
import type { Checkpoints } from '../../ports/checkpoints/checkpoints.ts';
import type { Log } from '../../ports/log/log.ts';
import type { SqlWarehouse } from '../../ports/warehouse/warehouse.ts';
import { findStart, type LaneHistory, type ReplayStart, recallLane, restoreJoin, startAt } from '../replay/history.ts';
import { createLogSource, type LaneSource } from '../replay/lane-source.ts';
import { createReplay, type Replay } from '../replay/replay.ts';
import { createComparison, type Difference } from './differences.ts';
import { createExpectedSums, type TableSums } from './expected.ts';
import type { Depth } from './fingerprint.ts';
import type { Scope } from './scope.ts';
import { readRows, readSums, type StoredSums } from './stored.ts';

export interface AuditOptions {
  tenant: string;
  records: Pick<Log, 'read' | 'bounds'>;
  checkpoints: Checkpoints;
  warehouse: Pick<SqlWarehouse, 'query' | 'rows'>;
  /** Hash of this code's flow. */
  flow: string;
  depth: Depth;
  keptSince: Scope['keptSince'];
  /** Resolves once what the worker has put out until now is in ClickHouse. */
  stored: () => Promise<void>;
  /** Differences per table that are told apart. */
  differencesMax: number;
  /** Rows that are looked at one by one in a replay; hours are looked into whole. */
  rowsMax?: number;
  onProgress?: (doing: string, upTo: number, until: number) => void;
}

export interface TableAudit {
  kind: OutputKind;
  /** Rows that the lane leads to, and rows of ClickHouse. */
  rows: { lane: number; stored: number };
  /** Positions of the first and the last row of ClickHouse. */
  positions: { first: number; last: number } | undefined;
  differences: Difference[];
  /** All of them, as far as they were counted. */
  count: number;
  /** Hours that differ and were not looked into, since enough was found. */
  hoursLeft: number;
  /** Position of a row that lies behind the end of the log: it is none of this lane's. */
  beyond: number | undefined;
}

export interface LaneAudit {
  tenant: string;
  from: ReplayStart['from'];
  /** Records behind `after` up to `until` were worked on. */
  after: number;
  until: number;
  records: number;
  /** What the lane itself misses: numbers of edges that did not come. */
  gaps: { boot: string; edge: string; missing: number }[];
  tables: TableAudit[];
}

const rowsMaxByDefault = 500_000;

/** @throws ReplayError where the lane cannot be replayed; WarehouseError; what its log and checkpoints throw. */
export async function auditLane(options: AuditOptions): Promise<LaneAudit> {
  const { tenant, checkpoints, warehouse } = options;
  const source = createLogSource(options.records, tenant);
  const history = await recallLane(tenant, source, checkpoints, options.flow);
  const begin = () => beginReplay(history, checkpoints, options.flow);
  const { start, replay } = await begin();
  // What a checkpoint stands for was put out before it was saved.
  const until = history.heads.at(-1)?.position ?? -1;
  const scope: Scope = { ...options, after: start.after, until };
  await options.stored();
  const stored = new Map<OutputKind, StoredSums>();
  for (const kind of outputKinds) stored.set(kind, await readSums(warehouse, kind, scope));
  // Every row that was seen was made by a record that is there by now.
  const { next } = await options.records.bounds();
  const expected = createExpectedSums(scope, new Map([...stored].map(([kind, { later }]) => [kind, later])));
  let records = 0;
  for await (const batch of watch(replay, source, until, options, 'worked on')) {
    records += batch.records;
    for (const output of batch.outputs) expected.add(output);
  }
  const tables = outputKinds.map((kind): TableAudit & { hours: number[] } => ({
    kind,
    rows: { lane: countRows(expected.of(kind)), stored: countRows(stored.get(kind)!.sums) },
    positions: stored.get(kind)!.positions,
    differences: [],
    count: 0,
    hoursLeft: 0,
    beyond: stored.get(kind)!.highest < next ? undefined : stored.get(kind)!.highest,
    hours: hoursToInspect(expected.of(kind), stored.get(kind)!.sums, expected.unsure(kind)),
  }));
  const rowsOf = (kind: OutputKind, hour: number) =>
    Math.max(expected.of(kind).get(hour)?.rows ?? 0, stored.get(kind)!.sums.get(hour)?.rows ?? 0);
  await inspect(tables, rowsOf, scope, options, async () => ({ replay: (await begin()).replay, source }));
  const gaps = replay.summary().producers.filter(({ missing }) => missing > 0);
  return { tenant, from: start.from, after: start.after, until, records, gaps, tables };
}

async function beginReplay(
  history: LaneHistory,
  checkpoints: Checkpoints,
  flow: string,
): Promise<{ start: ReplayStart; replay: Replay }> {
  const join = await restoreJoin(history, checkpoints);
  const start = join ? startAt(join, history.survey.first) : await findStart(history, checkpoints);
  return { start, replay: createReplay({ tenant: history.tenant, state: start.state, upTo: start.upTo, flow }) };
}

async function* watch(replay: Replay, source: LaneSource, until: number, options: AuditOptions, doing: string) {
  for await (const batch of replay.run(source, until)) {
    options.onProgress?.(doing, batch.upTo, until);
    yield batch;
  }
}

/** Looks into hours that differ, some of them per replay, until enough differences of each table are known. */
async function inspect(
  tables: (TableAudit & { hours: number[] })[],
  rowsOf: (kind: OutputKind, hour: number) => number,
  scope: Scope,
  options: AuditOptions,
  begin: () => Promise<{ replay: Replay; source: LaneSource }>,
): Promise<void> {
  const { warehouse, differencesMax, rowsMax = rowsMaxByDefault } = options;
  const isOpen = (table: TableAudit & { hours: number[] }) => table.hours.length > 0 && table.count < differencesMax;
  while (tables.some(isOpen)) {
    let room = rowsMax;
    const looks = tables.filter(isOpen).flatMap((table) => {
      const hours = new Set<number>();
      while (table.hours.length > 0 && (room === rowsMax || room >= rowsOf(table.kind, table.hours[0]!))) {
        room -= rowsOf(table.kind, table.hours[0]!);
        hours.add(table.hours.shift()!);
      }
      return hours.size > 0 ? [{ table, hours, comparison: createComparison(table.kind, scope, hours) }] : [];
    });
    for (const { table, hours, comparison } of looks) {
      for await (const row of readRows(warehouse, table.kind, scope, hours)) comparison.find(row);
    }
    const { replay, source } = await begin();
    for await (const { outputs } of watch(replay, source, scope.until, options, 'compared')) {
      for (const output of outputs) for (const { comparison } of looks) comparison.add(output);
    }
    for (const { table, comparison } of looks) {
      const { differences, count } = await comparison.differences(warehouse, differencesMax - table.count);
      table.differences.push(...differences);
      table.count += count;
    }
  }
  for (const table of tables) table.hoursLeft = table.hours.length;
}

function hoursToInspect(expected: TableSums, stored: TableSums, unsure: ReadonlySet<number>): number[] {
  const hours = new Set([...expected.keys(), ...stored.keys()]);
  const differs = (hour: number) => {
    const [one, other] = [expected.get(hour), stored.get(hour)];
    return (one?.rows ?? 0) !== (other?.rows ?? 0) || (one?.sum ?? 0n) !== (other?.sum ?? 0n);
  };
  return [...hours].filter((hour) => unsure.has(hour) || differs(hour)).sort((a, b) => a - b);
}

function countRows(sums: TableSums): number {
  return [...sums.values()].reduce((total, { rows }) => total + rows, 0);
}
