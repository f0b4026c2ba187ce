/**
 * What an installation knows, copied while it is at work. Nothing is stopped: what is copied at different times fits all the
 * same, for a lane's rows follow from its records (docs/decisions/0019).
 *
 *   position   ───first───────────────c──────────────────r─────────e──▶
 *   records       ├─ most of them, at once ─────┤├─ the rest, last ─┤
 *   checkpoint                        c                                 what the worker goes on from
 *   rows          ├─ all made up to c ┤ some made up to r              they are made again, the same
 */
import type { CheckpointHead, Checkpoints } from '../../ports/checkpoints/checkpoints.ts';
import type { Log } from '../../ports/log/log.ts';
import { type TableKind, tableOf, viewOf } from '../../ports/warehouse/tables.ts';
import type { SqlWarehouse } from '../../ports/warehouse/warehouse.ts';
import type { OnBehind } from '../replay/stored.ts';
import { saveCheckpoints } from './checkpoints.ts';
import { type BackupFolder, createBackupFolder } from './folder.ts';
import { type BackedUpLane, type BackedUpTable, BackupError, edgeStateName, type Manifest } from './manifest.ts';
import { createLogCopy, type LogCopy } from './records.ts';
import { columnsOf, identitiesOf, pagesOf } from './rows.ts';

export interface BackupSource {
  lanesIn: Manifest['lanesIn'];
  /** A log for each partition, with the checkpoints of its lanes. */
  logs: readonly { partition: number; records: Pick<Log, 'read' | 'bounds'>; checkpoints: Checkpoints }[];
  warehouse: Pick<SqlWarehouse, 'query'> & { native: Pick<SqlWarehouse['native'], 'read'> };
  /** Resolves once what workers have put out until now is in ClickHouse. */
  stored(onBehind?: OnBehind): Promise<void>;
  /** What the edge of one machine remembers; undefined where there is nothing. */
  edgeState(): Promise<Buffer | undefined>;
}

export interface BackupOptions extends BackupSource {
  path: string;
  /** Of this code, and the hash of its flow. */
  version: string;
  flow: string;
  onStep(text: string): void;
  onProgress(text: () => string): void;
  now?: () => Date;
  /** How often records that come while rows are copied are copied too, before their log lets them go. Default 60 000. */
  keepUpMs?: number;
}

/** @throws BackupError, and whatever a store or the disk of the backup says */
export async function backup(options: BackupOptions): Promise<{ manifest: Manifest; bytes: number }> {
  const folder = await createBackupFolder(options.path);
  try {
    const manifest = await fill(folder, options);
    await folder.finish(manifest);
    return { manifest, bytes: folder.bytes };
  } catch (error) {
    await folder.discard();
    throw error;
  }
}

async function fill(folder: BackupFolder, options: BackupOptions): Promise<Manifest> {
  const { onStep, now = () => new Date() } = options;
  const logs: LogCopy[] = [];
  for (const { partition, records } of options.logs) logs.push(await createLogCopy(records, partition, folder));
  await copyLogs(logs, options);
  onStep('Records are copied, save for the newest.');
  const lanes = await saveLanes(logs, folder, options);
  onStep(`States of ${lanes.length} lanes are copied: ${describePositions(lanes)}.`);
  await options.stored((outputs) =>
    options.onProgress(() => `waiting for the sink: ${outputs} outputs are not stored yet`),
  );
  const { tables, migrations } = await copyRows(folder, options, keepUp(logs, options));
  onStep('Rows of ClickHouse are copied.');
  // Last, so that everything that a row follows from is there.
  await copyLogs(logs, options);
  const edgeState = await options.edgeState();
  if (edgeState) await folder.write(edgeStateName, [edgeState]);
  return {
    format: 1,
    takenAt: now().toISOString(),
    version: options.version,
    flow: options.flow,
    lanesIn: options.lanesIn,
    logs: logs.map((log) => log.described()),
    lanes: await Promise.all(lanes.map((lane) => settle(lane, options))),
    migrations,
    tables,
    edgeState: edgeState !== undefined,
  };
}

async function copyLogs(logs: readonly LogCopy[], { onProgress }: BackupOptions): Promise<void> {
  for (const log of logs) {
    await log.copy((position, until) =>
      onProgress(() => `records of partition ${log.partition} up to position ${position} of ${until}`),
    );
  }
}

/** Copies what has come meanwhile, if that was not done for a while. */
function keepUp(logs: readonly LogCopy[], options: BackupOptions): () => Promise<void> {
  const { keepUpMs = 60_000 } = options;
  let copiedAt = performance.now();
  return async () => {
    if (performance.now() - copiedAt < keepUpMs) return;
    await copyLogs(logs, options);
    copiedAt = performance.now();
  };
}

async function saveLanes(
  copies: readonly LogCopy[],
  folder: BackupFolder,
  { logs, onProgress }: BackupOptions,
): Promise<BackedUpLane[]> {
  const lanes: BackedUpLane[] = [];
  for (const { partition, checkpoints } of logs) {
    const { first } = copies.find((copy) => copy.partition === partition)!;
    for (const tenant of await checkpoints.lanes()) {
      onProgress(() => `state of lane ${tenant}`);
      const saved = await saveCheckpoints(checkpoints, tenant, first, folder);
      lanes.push({ tenant, partition, checkpoints: saved });
    }
  }
  return lanes;
}

async function copyRows(
  folder: BackupFolder,
  { warehouse, onProgress }: BackupOptions,
  afterPage: () => Promise<void>,
): Promise<{ tables: BackedUpTable[]; migrations: string[] }> {
  const kinds = Object.keys(viewOf) as TableKind[];
  const before = await identitiesOf(warehouse, kinds);
  const tables: BackedUpTable[] = [];
  for (const kind of kinds) {
    const table = tableOf(kind).split('.')[1]!;
    const columns = await columnsOf(warehouse, kind);
    const files: string[] = [];
    for await (const page of pagesOf(warehouse, kind, columns)) {
      await afterPage();
      if (page.length === 0) continue;
      const file = `rows/${table}/${String(files.length).padStart(6, '0')}.zst`;
      await folder.write(file, [page]);
      files.push(file);
      onProgress(() => `rows of ${table}: ${files.length} pages, ${toMb(folder.bytes)} MB written in all`);
    }
    tables.push({ table, columns, files });
  }
  if ((await identitiesOf(warehouse, kinds)) !== before) {
    throw new BackupError('BACKUP_CHANGED', 'Cannot copy the rows: a rebuild has changed the tables. Run it again');
  }
  const applied = await warehouse.query<{ name: string }>(
    'SELECT DISTINCT name FROM hookwatch.migrations ORDER BY name',
  );
  return { tables, migrations: applied.map(({ name }) => name) };
}

/**
 * A final state says that its flow has worked on nothing behind it, which must hold of the rows that were copied later.
 * Where another flow has taken over meanwhile, they are of both, and the state of the one before cannot lead to them.
 */
async function settle(lane: BackedUpLane, { logs }: BackupOptions): Promise<BackedUpLane> {
  const saved = lane.checkpoints.at(-1);
  if (!saved) return lane;
  const { checkpoints } = logs.find(({ partition }) => partition === lane.partition)!;
  const newest = await checkpoints.newest(lane.tenant);
  if (newest && newest.flow !== saved.flow) {
    throw new BackupError(
      'BACKUP_CHANGED',
      `Cannot back up lane ${lane.tenant}: flow ${newest.flow} has taken it over from ${saved.flow} meanwhile. Run it again`,
    );
  }
  const kept = { ...saved, final: saved.final && newest !== undefined && isSame(saved, newest) };
  return { ...lane, checkpoints: [...lane.checkpoints.slice(0, -1), kept] };
}

function isSame(a: CheckpointHead, b: CheckpointHead): boolean {
  return a.position === b.position && a.recordId === b.recordId && a.final === b.final;
}

function describePositions(lanes: readonly BackedUpLane[]): string {
  const shown = lanes.slice(0, 10).map(({ tenant, checkpoints }) => `${tenant} at ${checkpoints.at(-1)?.position}`);
  return [...shown, ...(lanes.length > shown.length ? ['…'] : [])].join(', ') || 'none was saved yet';
}

export function toMb(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(bytes < 10 * 1024 * 1024 ? 1 : 0);
}
