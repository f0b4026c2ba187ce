/** What an installation keeps, opened beside its running processes: for commands that read all of it. */
import { readFile } from 'node:fs/promises';
import type { Config } from '../config.ts';
import { edgeStateFile } from '../data-folder.ts';
import { connectLanes } from '../kafka-lanes.ts';
import { addressesOf, consumedBySinks } from '../kafka-parts.ts';
import type { KafkaConfig } from '../kafka-settings.ts';
import { createLogger } from '../logger.ts';
import { checkpointsFolder, openWarehouse, outputsFolder, recordsFolder } from '../parts.ts';
import type { Checkpoints } from '../ports/checkpoints/checkpoints.ts';
import { createFileCheckpoints } from '../ports/checkpoints/files.ts';
import type { Log } from '../ports/log/log.ts';
import { createSqliteLog } from '../ports/log/sqlite.ts';
import type { SqlWarehouse } from '../ports/warehouse/warehouse.ts';
import { rebuildDatabase } from './rebuild/kept.ts';
import { createStoredWait, type OnBehind } from './replay/stored.ts';

export interface Stores {
  tenants: readonly string[];
  /** The log that holds a tenant's lane. */
  records(tenant: string): Log;
  checkpoints(tenant: string): Checkpoints;
  /** The log of each partition, with the checkpoints of the lanes in it. On one machine there is one. */
  logs: readonly { partition: number; records: Log; checkpoints: Checkpoints }[];
  warehouse: SqlWarehouse;
  /** The same ClickHouse, with the tables that a rebuild fills. */
  rebuilt: SqlWarehouse;
  /** Resolves once what workers have put out until now is in ClickHouse. */
  stored(onBehind?: OnBehind): Promise<void>;
  lanesIn: 'sqlite' | 'kafka';
  /** What the edge of one machine remembers over restarts; undefined where there is nothing. */
  edgeState(): Promise<Buffer | undefined>;
  close(): Promise<void>;
}

/** A query over all rows takes longer than an insert. */
const queryMsMax = 600_000;

export function openStores(config: Config): Stores {
  const tenants = config.tenants.map((tenant) => tenant.name);
  const warehouse = openWarehouse(config, { timeoutMs: queryMsMax });
  const rebuilt = openWarehouse(config, { timeoutMs: queryMsMax, database: rebuildDatabase });
  const { close, ...lanes } = config.kafka ? openKafka(config, config.kafka) : openHere(config);
  return {
    tenants,
    warehouse,
    rebuilt,
    ...lanes,
    async close() {
      await Promise.all([warehouse.close(), rebuilt.close(), close()]);
    },
  };
}

type LaneStores = Omit<Stores, 'tenants' | 'warehouse' | 'rebuilt'>;

/** The logs are only read: what trims and writes them is another process. */
function openHere(config: Config): LaneStores {
  const records = createSqliteLog({ folder: recordsFolder(config), segmentBytesMax: 1 });
  const outputs = createSqliteLog({ folder: outputsFolder(config), segmentBytesMax: 1 });
  const checkpoints = createFileCheckpoints(checkpointsFolder(config));
  return {
    lanesIn: 'sqlite',
    edgeState: () => readIfThere(edgeStateFile(config.dataFolder)),
    records: () => records,
    checkpoints: () => checkpoints,
    logs: [{ partition: 0, records, checkpoints }],
    stored: createStoredWait({
      sources: [{ name: 'outputs', log: outputs }],
      metricsUrls: [`http://${config.host}:${config.ports.console}/metrics`],
    }),
    async close() {
      await Promise.all([records.close(), outputs.close()]);
    },
  };
}

function openKafka(config: Config, kafka: KafkaConfig): LaneStores {
  const lanes = connectLanes(kafka, 'hookwatch-command', createLogger('command', 'error'));
  const partitions = [...Array(lanes.partitions).keys()];
  return {
    lanesIn: 'kafka',
    // Edges have disks of their own.
    edgeState: async () => undefined,
    records: (tenant) => lanes.records(lanes.partitionOf(tenant)),
    checkpoints: (tenant) => lanes.checkpoints(lanes.partitionOf(tenant)),
    logs: partitions.map((partition) => ({
      partition,
      records: lanes.records(partition),
      checkpoints: lanes.checkpoints(partition),
    })),
    async stored(onBehind) {
      const sinks = await addressesOf(config.sinkUrls);
      const sources = partitions.flatMap((partition) => consumedBySinks(lanes, kafka, partition));
      await createStoredWait({ sources, metricsUrls: sinks.map((url) => `${url}/metrics`) })(onBehind);
    },
    close: lanes.close,
  };
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
