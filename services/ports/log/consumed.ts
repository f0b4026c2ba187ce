import type { Log } from './log.ts';

export interface ConsumedOptions {
  /** The position that was committed last, also by an earlier process; undefined where none ever was. */
  committed(): Promise<number | undefined>;
  commit(position: number): Promise<void>;
  /** So many records were let go by the log before this consumer was done with them. Called once. */
  onLost?(records: number): void;
}

/**
 * A log as one of several consumers has it. It cannot trim what others read too, so where it would, it commits how far it
 * has come, and begins there next time:
 *
 * - `trim(position)` commits the position, never a lower one than before; the log keeps its records;
 * - `bounds().first` is what was committed: asked for once, then what this object has committed itself. Where nothing
 *   ever was, or the log no longer reaches back so far, it is the oldest record of the log;
 * - a position that lies beyond the end was committed for another log: `bounds` rejects, for to begin anywhere would
 *   pass records over in silence. A retry does not help;
 * - all else is the log's, so records before `first` can still be read. `close` closes the log.
 */
export function createConsumedLog(log: Log, { committed, commit, onLost }: ConsumedOptions): Log {
  let begin: number | undefined;

  async function findBegin(first: number, next: number): Promise<number> {
    const position = (await committed()) ?? first;
    if (position > next) {
      throw new Error(
        `Cannot begin at position ${position}, which was committed: the log ends at ${next}, so it is another one. ` +
          'Delete what the group has committed to begin with its oldest record.',
      );
    }
    if (position < first) onLost?.(first - position);
    return position;
  }

  return {
    append: log.append,
    read: log.read,
    async bounds() {
      const { first, next } = await log.bounds();
      begin ??= await findBegin(first, next);
      return { first: Math.max(first, begin), next };
    },
    async trim(position) {
      if (begin !== undefined && position <= begin) return;
      await commit(position);
      begin = position;
    },
    close: log.close,
  };
}
