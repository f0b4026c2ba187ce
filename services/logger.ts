import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/**
 * Logs JSON lines to stderr, without waiting for whoever reads them. A stderr that cannot be written to, such as a
 * terminal that was closed, ends the log but never the process.
 */
export function createLogger(name: string, level: string): Logger {
  const destination = pino.destination({ dest: 2, sync: false });
  // Left alone the error would be thrown, and the flush at the process's end tried again for ever.
  destination.on('error', () => {
    Object.assign(destination, { write: () => true, flush() {}, flushSync() {}, end() {} });
  });
  return pino({ name, level }, destination);
}
