import type { Checkpoints } from '../../ports/checkpoints/checkpoints.ts';
import type { Log } from '../../ports/log/log.ts';
import type { SqlWarehouse } from '../../ports/warehouse/warehouse.ts';
import type { BackedUpLog, Manifest } from '../backup/manifest.ts';

/** A page takes longer to be inserted than what the sink has at once. */
export const insertMsMax = 600_000;

/** Where a backup is restored: an installation in which there is nothing yet, and nobody at work. */
export interface RestoreTarget {
  lanesIn: Manifest['lanesIn'];
  /** Number of the logs that hold the lanes. */
  partitions: number;
  /**
   * What keeps a backup from being restored here, a line each. Changes nothing. On one machine nothing else begins there from
   * then until `close`.
   *
   * @throws BackupError BACKUP_NOT_ALONE where something is at work already
   */
  obstacles(): Promise<string[]>;
  /** What to do where a restore was interrupted, and is to be begun again. */
  remedy: string;
  /** Opens the stores, which nobody works with before `finish`. */
  begin(): Promise<RestoreStores>;
  /**
   * Gives all of it its place.
   *
   * @throws BackupError BACKUP_NOT_ALONE where somebody has begun there all the same
   */
  finish(edgeState: Buffer | undefined): Promise<void>;
  close(): Promise<void>;
}

export interface RestoreStores {
  warehouse: SqlWarehouse;
  checkpoints(partition: number): Checkpoints;
  /** A log whose next record gets the position at which the backup's began. */
  openLog(log: BackedUpLog, onProgress: (position: number) => void): Promise<RestoredLog>;
}

export interface RestoredLog {
  append: Log['append'];
  /** Brings the end of the log to a position, before which there were no records. */
  skipTo(position: number): Promise<void>;
}

/** Tables of an installation's ClickHouse that hold rows, a line each. */
export async function rowsInTheWay(warehouse: Pick<SqlWarehouse, 'query'>): Promise<string[]> {
  const tables = await warehouse.query<{ name: string; total_rows: number }>(
    `SELECT name, total_rows FROM system.tables
      WHERE database = 'hookwatch' AND endsWith(name, '_rows') AND total_rows > 0 ORDER BY name`,
  );
  return tables.map(({ name, total_rows: rows }) => `ClickHouse has ${rows} rows in hookwatch.${name}`);
}
