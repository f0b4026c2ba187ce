/** Makes an installation of a backup: rows, states, then records, each at the position that it had. */
import { headersOfPlace } from '../../core/records/cloudevents.ts';
import { FrameError } from '../../core/records/codec.ts';
import { placeOfAnyVersion } from '../../core/records/place.ts';
import type { LogRecord, NewRecord } from '../../ports/log/log.ts';
import { unpackBatch } from '../../ports/log/packing.ts';
import { readMigrations } from '../../ports/warehouse/migrations.ts';
import { mainDatabase } from '../../ports/warehouse/tables.ts';
import { BackupError, edgeStateName, type Manifest } from '../backup/manifest.ts';
import { type BackupReader, openBackup } from './folder.ts';
import type { RestoredLog, RestoreStores, RestoreTarget } from './target.ts';

export interface RestoreOptions {
  path: string;
  target: RestoreTarget;
  /** Hash of this code's flow. */
  flow: string;
  onStep(text: string): void;
  onProgress(text: () => string): void;
}

type Progress = Pick<RestoreOptions, 'onProgress'>;

/** Of one append. */
const batchRecordsMax = 2_000;
const batchBytesMax = 900_000;

/**
 * @param options.onStep is told first that all can be restored; before that nothing has changed
 * @throws BackupError, and whatever a store says
 */
export async function restore(options: RestoreOptions): Promise<Manifest> {
  const { path, target, flow, onStep, onProgress } = options;
  const backup = await openBackup(path, (file, of) => onProgress(() => `file ${file} of ${of} is whole`));
  const { manifest } = backup;
  checkFit(manifest, target, flow);
  const obstacles = await target.obstacles();
  if (obstacles.length > 0) throw inTheWay(obstacles, target);
  onStep(`The backup of ${manifest.takenAt} is whole, and there is room for it.`);
  const stores = await target.begin();
  await restoreRows(backup, stores, options);
  onStep('Rows are in ClickHouse.');
  // Before the records: a worker that is started by mistake then waits for them, and does not begin anew.
  await restoreLanes(backup, stores, options);
  onStep(`States of ${manifest.lanes.length} lanes are saved.`);
  await restoreRecords(backup, stores, options);
  await target.finish(manifest.edgeState ? await backup.read(edgeStateName) : undefined);
  onStep('Records are in their lanes.');
  return manifest;
}

function checkFit(manifest: Manifest, target: RestoreTarget, flow: string): void {
  const refuse = (why: string) => new BackupError('BACKUP_OTHER', `Cannot restore the backup here: ${why}`);
  const kinds = { sqlite: 'of one machine', kafka: 'over Kafka' };
  if (manifest.lanesIn !== target.lanesIn) {
    throw refuse(
      `it is of an installation ${kinds[manifest.lanesIn]}, and this is one ${kinds[target.lanesIn]} (HOOKWATCH_KAFKA_BROKERS)`,
    );
  }
  if (manifest.logs.length !== target.partitions) {
    throw refuse(
      `its lanes are in ${manifest.logs.length} partitions: set HOOKWATCH_KAFKA_PARTITIONS=${manifest.logs.length}, ` +
        'make the topics so, and let all processes have it',
    );
  }
  const known = new Set(readMigrations().map(({ name }) => name));
  const newer = manifest.migrations.filter((name) => !known.has(name));
  if (newer.length > 0) {
    throw refuse(`its tables are of a newer version, ${manifest.version}, which has ${newer.join(', ')}: use that one`);
  }
  const flows = manifest.lanes.flatMap(({ checkpoints }) => checkpoints.at(-1)?.flow || []);
  // Where no state was saved yet, rows follow from what the flow that made the backup has worked on.
  if (flows.length === 0) flows.push(manifest.flow);
  if (!flows.includes(flow)) {
    throw refuse(
      `version ${manifest.version} (flow ${flows[0]}) has worked on its lanes, and this is flow ${flow}: restore it with that ` +
        'version, start it, and let this one take over with hookwatch upgrade',
    );
  }
}

function inTheWay(obstacles: readonly string[], { remedy }: RestoreTarget): BackupError {
  const lines = obstacles.slice(0, 20).map((obstacle) => `\n  ${obstacle}`);
  return new BackupError(
    'BACKUP_IN_THE_WAY',
    `Cannot restore here, where there is something already:${lines.join('')}\n${remedy}`,
  );
}

async function restoreRows(
  { manifest, read }: BackupReader,
  { warehouse }: RestoreStores,
  { onProgress }: Progress,
): Promise<void> {
  await warehouse.migrate();
  for (const { table, columns, files } of manifest.tables) {
    for (const [index, file] of files.entries()) {
      await warehouse.native.write(`${mainDatabase}.${table}`, columns, await read(file));
      onProgress(() => `rows of ${table}: page ${index + 1} of ${files.length}`);
    }
  }
}

async function restoreLanes(
  { manifest, stream }: BackupReader,
  { checkpoints }: RestoreStores,
  { onProgress }: Progress,
): Promise<void> {
  for (const { tenant, partition, checkpoints: saved } of manifest.lanes) {
    const lane = checkpoints(partition);
    for (const { file, ...head } of saved) {
      onProgress(() => `state of lane ${tenant}`);
      await lane.save(tenant, head, stream(file));
    }
  }
}

async function restoreRecords(
  { manifest, read }: BackupReader,
  stores: RestoreStores,
  { onProgress }: Progress,
): Promise<void> {
  for (const log of manifest.logs) {
    const { partition, next } = log;
    const say = (position: number) =>
      onProgress(() => `records of partition ${partition} up to position ${position} of ${next}`);
    const restored = await stores.openLog(log, say);
    for (const { file, first, records } of log.files) {
      await restored.skipTo(first);
      for (const batch of batchesOf(unpackBatch(await read(file), first, records))) {
        await appendAt(batch, restored, partition);
        say(batch.at(-1)!.position);
      }
    }
    await restored.skipTo(next);
  }
}

async function appendAt(batch: readonly LogRecord[], { append }: RestoredLog, partition: number): Promise<void> {
  const wanted = batch[0]!.position;
  const position = await append(batch.map(({ key, frame }) => ({ key, frame, ...headersOf(frame) })));
  if (position === wanted) return;
  throw new BackupError(
    'BACKUP_NOT_ALONE',
    `Cannot go on: a record of partition ${partition} that was at position ${wanted} is at ${position} now, so somebody ` +
      'else writes to the log. Stop what does, and begin anew',
  );
}

/** As whoever wrote them cut them matters to nobody. */
function* batchesOf(records: Iterable<LogRecord>): Generator<LogRecord[]> {
  let batch: LogRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    if (batch.length === batchRecordsMax || (batch.length > 0 && bytes + record.frame.length > batchBytesMax)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(record);
    bytes += record.frame.length;
  }
  if (batch.length > 0) yield batch;
}

/** For readers of other make, as the edge gave them. What is no record has none. */
function headersOf(frame: Uint8Array): Pick<NewRecord, 'headers'> {
  try {
    return { headers: headersOfPlace(placeOfAnyVersion(frame)) };
  } catch (error) {
    if (error instanceof FrameError) return {};
    throw error;
  }
}
