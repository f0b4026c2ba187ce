/**
 * A backup is a folder:
 *
 *   SHA256SUMS                        of every other file, as `sha256sum --check` reads it
 *   manifest.json                     what is in it
 *   records/<partition>/<first>.zst   records of the lanes, as batches of the log (packing.ts), from position <first> on
 *   checkpoints/<tenant>/<position>.zst   states of lanes
 *   rows/<table>/<number>.zst         rows in ClickHouse's FORMAT Native: `clickhouse local` reads them as they are
 *   edge/state.json                   what the edge of one machine remembers
 */
import { z } from 'zod';

export const manifestName = 'manifest.json';
export const sumsName = 'SHA256SUMS';
export const edgeStateName = 'edge/state.json';

const position = z.number().int().min(-1);
const count = z.number().int().min(0);
/** Beneath the folder, and nowhere else. */
const file = z.string().regex(/^[\w%-][\w%.-]*(?:\/[\w%-][\w%.-]*)+$/);
const name = z.string().regex(/^\w+$/);

const checkpointSchema = z.object({
  file,
  position,
  recordId: z.string(),
  flow: z.string(),
  final: z.boolean(),
  producers: z.array(
    z.object({ boot: z.string(), edge: z.string(), last_seq: z.number(), seen_seq: z.number(), closed: z.boolean() }),
  ),
});

const manifestSchema = z.object({
  format: z.literal(1),
  /** When its ClickHouse and its log were read to their ends, ISO 8601. */
  takenAt: z.string(),
  /** Of Hookwatch, and the hash of its flow. */
  version: z.string(),
  flow: z.string(),
  lanesIn: z.enum(['sqlite', 'kafka']),
  /** One per partition; on one machine there is one. */
  logs: z
    .array(
      z.object({
        partition: count,
        first: count,
        /** The position behind its last record. */
        next: count,
        files: z.array(z.object({ file, first: count, records: count })),
      }),
    )
    .min(1),
  /** Oldest checkpoint first. */
  lanes: z.array(z.object({ tenant: z.string().min(1), partition: count, checkpoints: z.array(checkpointSchema) })),
  /** Names of the files of schemas/clickhouse that were applied. */
  migrations: z.array(z.string()),
  tables: z.array(z.object({ table: name, columns: z.array(name).min(1), files: z.array(file) })),
  /** Whether there is one. */
  edgeState: z.boolean(),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type BackedUpLog = Manifest['logs'][number];
export type BackedUpLane = Manifest['lanes'][number];
export type BackedUpCheckpoint = z.infer<typeof checkpointSchema>;
export type BackedUpTable = Manifest['tables'][number];

/**
 * INCOMPLETE: it was interrupted, or is none. DAMAGED: a file is not what it was. OTHER: it is of another kind of installation,
 * or of another version. IN_THE_WAY: the target is there, or not empty. CHANGED: what was backed up became something else
 * meanwhile. NOT_ALONE: somebody else writes where it is restored. UNWRITABLE: the disk does not take it. A retry does not help unless the message says so.
 */
export class BackupError extends Error {
  readonly code: `BACKUP_${'INCOMPLETE' | 'DAMAGED' | 'OTHER' | 'IN_THE_WAY' | 'CHANGED' | 'NOT_ALONE' | 'UNWRITABLE'}`;
  constructor(code: BackupError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** @throws BackupError BACKUP_OTHER where it is of a format that this version does not know */
export function parseManifest(text: string): Manifest {
  const document = JSON.parse(text) as { format?: unknown; version?: unknown };
  const parsed = manifestSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new BackupError(
    'BACKUP_OTHER',
    `Cannot read the backup: its format is ${document.format}, made by version ${document.version}. Use that version`,
    { cause: parsed.error },
  );
}
