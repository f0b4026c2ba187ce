/** One machine: everything is made in a folder beside its place, and takes it at the end. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../config.ts';
import { edgeStateFile, restoreDraft, restoreRemedy } from '../../data-folder.ts';
import { createLogger } from '../../logger.ts';
import { checkpointsFolder, openWarehouse, recordsFolder } from '../../parts.ts';
import { createFileCheckpoints } from '../../ports/checkpoints/files.ts';
import { FolderLockedError, lockFolder } from '../../ports/log/folder-lock.ts';
import { syncFolder } from '../../ports/log/segments.ts';
import { createSqliteLog } from '../../ports/log/sqlite.ts';
import { engineEnvironment } from '../../ports/warehouse/chdb/start-engine.ts';
import { createSupervisor } from '../../supervisor/supervisor.ts';
import { BackupError } from '../backup/manifest.ts';
import { insertMsMax, type RestoredLog, type RestoreTarget, rowsInTheWay } from './target.ts';

/** Folders of an installation that a restore makes. The records last: without them nothing is begun on the rest. */
const places = ['clickhouse', 'checkpoints', 'edge', 'records'];
const engineThreads = 4;
const entry = fileURLToPath(new URL('../../hookwatch.ts', import.meta.url));

export function openMachine(config: Config): RestoreTarget {
  const draft: Config = { ...config, dataFolder: restoreDraft(config.dataFolder) };
  let lock: ReturnType<typeof lockFolder> | undefined;
  const closing: (() => Promise<unknown>)[] = [];
  const closeStores = async () => {
    for (const end of closing.splice(0).reverse()) await end();
  };

  async function startClickHouse(): Promise<string> {
    const logger = createLogger('restore', 'error');
    const env = {
      HOOKWATCH_DATA: draft.dataFolder,
      HOOKWATCH_CLICKHOUSE_PORT: '0',
      HOOKWATCH_LOG_LEVEL: 'error',
      ...engineEnvironment(engineThreads),
    };
    const supervisor = createSupervisor({ parts: [{ name: 'clickhouse', args: [entry, 'clickhouse'], env }], logger });
    closing.push(supervisor.stop);
    return (await supervisor.start()).clickhouse!;
  }

  async function openLog(first: number): Promise<RestoredLog> {
    const { segmentBytesMax } = config.journal;
    const log = createSqliteLog({ folder: recordsFolder(draft), segmentBytesMax, beginAt: first });
    closing.push(log.close);
    // Where the backup has no records, it begins where they ended.
    await log.trim(first);
    return {
      append: log.append,
      async skipTo(position) {
        const { next } = await log.bounds();
        if (next === position) return;
        throw new BackupError(
          'BACKUP_DAMAGED',
          `Cannot go on: records from ${next} to ${position} are not in the backup`,
        );
      },
    };
  }

  return {
    lanesIn: 'sqlite',
    partitions: 1,
    remedy: restoreRemedy(config.dataFolder),
    async obstacles() {
      lock ??= holdDataFolder(config.dataFolder);
      const inClickHouse = config.clickhouseUrl ? await rowsOf(config) : [];
      const there = notEmpty([...placesIn(config.dataFolder), draft.dataFolder]);
      return [...there.map((folder) => `${folder} is not empty`), ...inClickHouse];
    },
    async begin() {
      await mkdir(draft.dataFolder, { recursive: true, mode: 0o700 });
      const url = config.clickhouseUrl ?? (await startClickHouse());
      const warehouse = openWarehouse(draft, { url, timeoutMs: insertMsMax });
      closing.push(warehouse.close);
      const checkpoints = createFileCheckpoints(checkpointsFolder(draft));
      return { warehouse, checkpoints: () => checkpoints, openLog: ({ first }) => openLog(first) };
    },
    async finish(edgeState) {
      await closeStores();
      if (edgeState) {
        const file = edgeStateFile(draft.dataFolder);
        await mkdir(dirname(file), { mode: 0o700 });
        await writeFile(file, edgeState, { mode: 0o600, flush: true });
      }
      checkStillEmpty(config.dataFolder);
      for (const name of places.filter((place) => existsSync(join(draft.dataFolder, place)))) {
        const place = join(config.dataFolder, name);
        // Empty ones may be there; what somebody has begun meanwhile is theirs.
        if (existsSync(place)) await rmdir(place);
        await rename(join(draft.dataFolder, name), place);
      }
      syncFolder(config.dataFolder);
      // With the passwords of a ClickHouse that is no more.
      await rm(draft.dataFolder, { recursive: true });
      syncFolder(config.dataFolder);
    },
    async close() {
      await closeStores();
      lock?.close();
      lock = undefined;
    },
  };
}

/** The lock of `npm start`: nothing is begun where something is restored, and the other way round. */
function holdDataFolder(dataFolder: string): ReturnType<typeof lockFolder> {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  try {
    return lockFolder(dataFolder);
  } catch (error) {
    if (!(error instanceof FolderLockedError)) throw error;
    throw new BackupError(
      'BACKUP_NOT_ALONE',
      `Cannot restore into ${dataFolder}: Hookwatch runs there, or another restore. Stop it, or set HOOKWATCH_DATA`,
      { cause: error },
    );
  }
}

/** Where an installation keeps what it knows. */
function placesIn(dataFolder: string): string[] {
  return [...places, 'outputs'].map((name) => join(dataFolder, name));
}

function notEmpty(folders: readonly string[]): string[] {
  return folders.filter((folder) => existsSync(folder) && readdirSync(folder).length > 0);
}

/** An edge that runs alone does not ask for the lock. */
function checkStillEmpty(dataFolder: string): void {
  const begun = notEmpty(placesIn(dataFolder));
  if (begun.length === 0) return;
  throw new BackupError(
    'BACKUP_NOT_ALONE',
    `Cannot go on: somebody has begun there meanwhile, and it is left as it is: ${begun.join(', ')}. Stop what does`,
  );
}

async function rowsOf(config: Config): Promise<string[]> {
  const warehouse = openWarehouse(config);
  try {
    return await rowsInTheWay(warehouse);
  } finally {
    await warehouse.close();
  }
}
