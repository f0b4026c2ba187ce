import { appendFile, stat } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { ForwarderMetrics } from '../../telemetry.ts';
import { createReminder } from '../reminder.ts';
import type { Unreadable } from './readable.ts';

export interface UnreadableOptions {
  /** Takes a line of JSON for each part: position, records, reason; and of a frame that is no record, lane and bytes. */
  file: string;
  /** The file grows to about this size. */
  bytesMax?: number;
  metrics: Pick<ForwarderMetrics, 'unreadable'>;
  logger: Logger;
}

/** Counts what of the journal cannot be read, says so, and keeps it for people to look at: at once, and in turn. */
export function createUnreadable({ file, bytesMax = 64 * 1024 * 1024, metrics, logger }: UnreadableOptions) {
  const reminder = createReminder(() => performance.now());
  let unsaid = 0;
  let writing = Promise.resolve();

  async function keep({ first, next, error, record }: Unreadable): Promise<void> {
    const { size } = await stat(file).catch(() => ({ size: 0 }));
    if (size >= bytesMax) return;
    const kept = record && { tenant: record.key, frame: Buffer.from(record.frame).toString('base64') };
    const line = { position: first, records: next - first, reason: String(error), ...kept };
    await appendFile(file, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  }

  return {
    note(part: Unreadable): void {
      const { first, next, error, record } = part;
      metrics.unreadable.inc(next - first);
      unsaid += next - first;
      if (reminder.due()) {
        logger.error(
          { err: error, position: first, records: unsaid, tenant: record?.key, file },
          'Records of the journal cannot be read: they are passed over',
        );
        unsaid = 0;
      }
      writing = writing.then(() => keep(part)).catch((failure) => logger.error({ err: failure }, 'Cannot keep them'));
    },
    /** Resolves when all that was noted is in the file. */
    settled: () => writing,
  };
}
