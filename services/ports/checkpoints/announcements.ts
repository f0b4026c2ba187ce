import { decode, FrameError } from '../../core/records/codec.ts';
import type { Progress, Snapshot } from '../../core/records/generated.ts';
import { type Log, type LogRecord, LogTrimmedError, type ReadLimits } from '../log/log.ts';

/** A snapshot, from the moment that the progress of its lane names it. */
export interface Announcement {
  /** Position in the progress log. */
  at: number;
  progress: Progress;
  snapshot: Snapshot;
}

const limits: ReadLimits = { records: 1_000, bytes: 1024 * 1024 };

export interface Announcements {
  /** Of each lane by position, those at the same position as they were announced. Includes all that was there at the call. */
  read(): Promise<ReadonlyMap<string, readonly Announcement[]>>;
}

/** Reads a progress log once, and on from where it ended at each call. What has been trimmed is forgotten. */
export function createAnnouncements(log: Log): Announcements {
  const lanes = new Map<string, Announcement[]>();
  let position = 0;
  let reading: Promise<unknown> = Promise.resolve();

  function add({ key, position: at, frame }: LogRecord): void {
    const progress = progressIn(frame);
    if (!progress?.snapshot) return;
    const known = lanes.get(key) ?? [];
    const before = known.findLastIndex((other) => other.progress.position <= progress.position);
    lanes.set(key, known.toSpliced(before + 1, 0, { at, progress, snapshot: progress.snapshot }));
  }

  function forget(first: number): void {
    for (const [lane, known] of lanes) {
      const left = known.filter(({ at }) => at >= first);
      if (left.length === 0) lanes.delete(lane);
      else if (left.length < known.length) lanes.set(lane, left);
    }
  }

  async function readOn(): Promise<ReadonlyMap<string, readonly Announcement[]>> {
    for (;;) {
      try {
        const { first } = await log.bounds();
        forget(first);
        position = Math.max(position, first);
        for (;;) {
          const records = await log.read(position, limits);
          const last = records.at(-1);
          if (!last) return lanes;
          for (const record of records) add(record);
          position = last.position + 1;
        }
      } catch (error) {
        // Trimmed by another worker meanwhile.
        if (!(error instanceof LogTrimmedError)) throw error;
      }
    }
  }

  return {
    read() {
      const next = reading.then(readOn);
      reading = next.catch(() => {});
      return next;
    },
  };
}

/** Undefined where it is none: it names no snapshot that anybody could find. */
function progressIn(frame: Uint8Array): Progress | undefined {
  try {
    const { kind, value } = decode(frame);
    return kind === 'progress' ? value : undefined;
  } catch (error) {
    if (error instanceof FrameError) return undefined;
    throw error;
  }
}
