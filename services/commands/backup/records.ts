/** Copies of a log: bit by bit, so that what is copied early cannot be trimmed under the hands of a long backup. */
import { type Log, type LogRecord, LogTrimmedError } from '../../ports/log/log.ts';
import { packBatch } from '../../ports/log/packing.ts';
import type { BackupFolder } from './folder.ts';
import { type BackedUpLog, BackupError } from './manifest.ts';

export interface LogCopy {
  readonly partition: number;
  /** The oldest position of the log when it was first looked at. */
  readonly first: number;
  /** Copies on to where the log ends at the call. */
  copy(onProgress: (position: number, until: number) => void): Promise<void>;
  /** What was copied. */
  described(): BackedUpLog;
}

/** Records of a file, uncompressed. */
const fileBytesMax = 16 * 1024 * 1024;
const limits = { records: 5_000, bytes: 4 * 1024 * 1024 };

export async function createLogCopy(
  log: Pick<Log, 'read' | 'bounds'>,
  partition: number,
  folder: BackupFolder,
): Promise<LogCopy> {
  const files: BackedUpLog['files'] = [];
  const { first } = await log.bounds();
  let next = first;

  async function readOn(from: number): Promise<readonly LogRecord[]> {
    try {
      return await log.read(from, limits);
    } catch (error) {
      if (!(error instanceof LogTrimmedError)) throw error;
      throw new BackupError(
        'BACKUP_CHANGED',
        `Cannot copy the log: it let go of records from position ${from} on before they were copied, ` +
          'for want of room or since their retention was over. Run it again',
        { cause: error },
      );
    }
  }

  async function save(records: readonly LogRecord[]): Promise<void> {
    const begin = records[0]?.position;
    if (begin === undefined) return;
    const file = `records/${partition}/${String(begin).padStart(16, '0')}.zst`;
    await folder.write(file, [packBatch(records)]);
    files.push({ file, first: begin, records: records.length });
  }

  return {
    partition,
    first,
    async copy(onProgress) {
      const { next: until } = await log.bounds();
      let run: LogRecord[] = [];
      let bytes = 0;
      while (next < until) {
        const batch = await readOn(next);
        if (batch.length === 0) break;
        for (const record of batch) {
          if (record.position >= until) break;
          // A file has no holes: its records are numbered by their order.
          if (bytes >= fileBytesMax || (run.length > 0 && record.position !== next)) {
            await save(run);
            [run, bytes] = [[], 0];
          }
          run.push(record);
          bytes += record.frame.length;
          next = record.position + 1;
        }
        onProgress(next, until);
        if (batch.at(-1)!.position >= until) break;
      }
      await save(run);
      next = until;
    },
    described: () => ({ partition, first, next, files }),
  };
}
