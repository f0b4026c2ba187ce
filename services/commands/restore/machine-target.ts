/** One machine: everything is made in a folder beside its place, and takes it at the end. */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../config.ts';
import { createLogger } from '../../logger.ts';
import { checkpointsFolder, openWarehouse, recordsFolder } from '../../parts.ts';
import { createFileCheckpoints } from '../../ports/checkpoints/files.ts';
import { syncFolder } from '../../ports/log/segments.ts';
import { createSqliteLog } from '../../ports/log/sqlite.ts';
import { engineEnvironment } from '../../ports/warehouse/chdb/start-engine.ts';
import { createSupervisor } from '../../supervisor/supervisor.ts';
import { BackupError } from '../backup/manifest.ts';
import { type RestoredLog, type RestoreTarget, rowsInTheWay } from './target.ts';

/** Folders of an installation that a restore makes. The records last: without them nothing is begun on the rest. */
const places = ['clickhouse', 'checkpoints', 'edge', 'records'];
const draftName = 'restore.partial';
const engineThreads = 4;
/** A page takes longer to be inserted than what the sink has at once. */
const insertMsMax = 600_000;
const entry = fileURLToPath(new URL('../../hookwatch.ts', import.meta.url));

export function openMachine(config: Config): RestoreTarget {
  const draft: Config = { ...config, dataFolder: join(config.dataFolder, draftName) };
  const closing: (() => Promise<unknown>)[] = [];
  const close = async () => {
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
    remedy: `Move ${config.dataFolder} out of the way, or set HOOKWATCH_DATA.`,
    async obstacles() {
      const there = [...places, 'outputs', draftName]
        .map((name) => join(config.dataFolder, name))
        .filter((folder) => existsSync(folder) && readdirSync(folder).length > 0);
      const inClickHouse = config.clickhouseUrl ? await rowsOf(config) : [];
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
      await close();
      if (edgeState) {
        await mkdir(join(draft.dataFolder, 'edge'), { mode: 0o700 });
        await writeFile(join(draft.dataFolder, 'edge', 'state.json'), edgeState, { mode: 0o600, flush: true });
      }
      for (const name of places.filter((place) => existsSync(join(draft.dataFolder, place)))) {
        // Empty ones may be there.
        await rm(join(config.dataFolder, name), { recursive: true, force: true });
        await rename(join(draft.dataFolder, name), join(config.dataFolder, name));
      }
      // With the passwords of a ClickHouse that is no more.
      await rm(draft.dataFolder, { recursive: true });
      syncFolder(config.dataFolder);
    },
    close,
  };
}

async function rowsOf(config: Config): Promise<string[]> {
  const warehouse = openWarehouse(config);
  try {
    return await rowsInTheWay(warehouse);
  } finally {
    await warehouse.close();
  }
}
