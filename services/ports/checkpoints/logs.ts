/**
 * Checkpoints over two logs, each of which is one partition with the lanes of several tenants:
 *
 *   pieces     acme s1/0   bolt s2/0   acme s1/1   acme s1/2   bolt s3/0        the state, cut
 *   progress         bolt s2                             acme s1                counts from here on
 *
 * 1. A snapshot counts once a progress record names it: its pieces were all acknowledged by then, so what is torn has none.
 * 2. Pieces carry their snapshot's random id: writers of one lane do not mix.
 * 3. Logs can only be trimmed at their front, and what is kept longest stands there: the base from which a lane could be
 *    rebuilt, or the last word of a lane that has stopped. It is copied to the end before what lies behind it has grown
 *    to more than twice of what is kept, so that both logs stay in proportion to the states.
 */
import { randomUUID } from 'node:crypto';
import { encode } from '../../core/records/codec.ts';
import type { Progress, Snapshot } from '../../core/records/generated.ts';
import type { Log } from '../log/log.ts';
import { type Announcement, createAnnouncements } from './announcements.ts';
import { CheckpointDamagedError, type Checkpoints, keptPositions } from './checkpoints.ts';
import { readPieces, writePieces } from './pieces.ts';

export interface LogCheckpointsOptions {
  /** The partition of the checkpoints in which the lanes' pieces are. */
  pieces: Log;
  /** The partition of the progress that goes with it; others write and read there too. */
  progress: Log;
  /** Told of each snapshot that is passed over, once. */
  onDamage?: (error: CheckpointDamagedError) => void;
  /** A record of Kafka is to stay well below a megabyte. */
  pieceBytesMax?: number;
  /** So many pieces may lie behind an old snapshot before it is moved, however little is kept. */
  deadPiecesMin?: number;
  /** Epoch milliseconds. */
  now?: () => number;
}

export function createLogCheckpoints(options: LogCheckpointsOptions): Checkpoints {
  const { pieces, progress, now = Date.now, pieceBytesMax = 512 * 1024, deadPiecesMin = 256 } = options;
  const announcements = createAnnouncements(progress);
  /** Ids of snapshots that turned out to be damaged. */
  const damaged = new Set<string>();
  /** Positions of the first pieces of snapshots that are being written: nothing from there on is trimmed. */
  const begun = new Map<string, number>();
  let pruning: Promise<void> | undefined;
  let announcing: Promise<unknown> = Promise.resolve();

  function noteDamage(id: string, error: CheckpointDamagedError): void {
    if (damaged.has(id)) return;
    damaged.add(id);
    options.onDamage?.(error);
  }

  async function* readOrNote(lane: string, snapshot: Snapshot): AsyncGenerator<Uint8Array> {
    try {
      yield* readPieces(pieces, lane, snapshot);
    } catch (error) {
      if (error instanceof CheckpointDamagedError) noteDamage(snapshot.id, error);
      throw error;
    }
  }

  /** Of each lane by position, without those that are known to be lost. */
  async function whole(): Promise<Map<string, Announcement[]>> {
    const all = await announcements.read();
    const { first } = await pieces.bounds();
    const isWhole = ({ progress: { tenant, position }, snapshot: { id, first: start } }: Announcement) => {
      const trimmed = `Cannot read snapshot ${id} of lane ${tenant} at its position ${position}: it has been trimmed`;
      if (start < first) noteDamage(id, new CheckpointDamagedError(trimmed));
      return !damaged.has(id);
    };
    return new Map([...all].map(([lane, announced]) => [lane, announced.filter(isWhole)]));
  }

  const lastAt = async (lane: string, position: number) =>
    (await whole()).get(lane)?.findLast((announced) => announced.progress.position === position);

  /** Writes a snapshot and has it announced by `announce`, which may do without. */
  async function write(
    lane: string,
    chunks: AsyncIterable<Uint8Array>,
    announce: (snapshot: Snapshot) => Promise<unknown>,
  ): Promise<void> {
    const id = randomUUID();
    try {
      const snapshot = await writePieces(pieces, lane, id, chunks, pieceBytesMax, (first) => begun.set(id, first));
      await announce(snapshot);
    } finally {
      begun.delete(id);
    }
  }

  /** One after the other: a copy must not take back what was said of its position meanwhile. */
  function inTurn<T>(announce: () => Promise<T>): Promise<T> {
    const announced = announcing.then(announce);
    announcing = announced.catch(() => {});
    return announced;
  }

  function append(record: Omit<Progress, 'published_at'>): Promise<number> {
    const frame = encode('progress', { ...record, published_at: now() });
    return progress.append([{ key: record.tenant, frame }]);
  }

  /** What is kept of all lanes, which stand in one partition of the records as well; oldest pieces first. */
  async function keptOf(position: number): Promise<Announcement[]> {
    const kept = [...(await whole()).values()].flatMap((announced) => {
      const positions = keptPositions([...new Set(announced.map((each) => each.progress.position))], position);
      return [...positions].map((at) => announced.findLast((each) => each.progress.position === at)!);
    });
    return kept.sort((a, b) => a.snapshot.first - b.snapshot.first);
  }

  /** True while the oldest of what is kept has too much behind it that is not. */
  async function isInTheWay(kept: readonly Announcement[]): Promise<boolean> {
    const [oldest] = kept;
    if (!oldest) return false;
    const { next } = await pieces.bounds();
    const live = kept.reduce((sum, { snapshot }) => sum + snapshot.pieces, 0);
    return next - oldest.snapshot.first - live > Math.max(deadPiecesMin, 2 * live);
  }

  async function moveToEnd({ progress: { tenant, position }, snapshot }: Announcement): Promise<void> {
    const announceCopy = async (copy: Snapshot) => {
      const last = await lastAt(tenant, position);
      if (last?.snapshot.id === snapshot.id) await append({ ...last.progress, snapshot: copy });
    };
    await write(tenant, readOrNote(tenant, snapshot), (copy) => inTurn(() => announceCopy(copy))).catch((error) => {
      if (!(error instanceof CheckpointDamagedError)) throw error;
    });
  }

  async function pruneAll(position: number): Promise<void> {
    let kept = await keptOf(position);
    // Each is moved once at most: moving all of them leaves nothing else behind.
    for (let moves = kept.length; moves > 0 && (await isInTheWay(kept)); moves--) {
      await moveToEnd(kept[0]!);
      kept = await keptOf(position);
    }
    if (kept.length === 0) return;
    // First what names the pieces, so that nothing is named that is not there.
    await trim(progress, Math.min(...kept.map(({ at }) => at)));
    await trim(pieces, Math.min(kept[0]!.snapshot.first, ...begun.values()));
  }

  return {
    async save(lane, { position, recordId, ...head }, chunks) {
      const record = { ...head, tenant: lane, position, record_id: recordId, producers: [...head.producers] };
      const last = await lastAt(lane, position);
      const isSame = head.flow !== '' && last?.progress.flow === head.flow && last.progress.record_id === recordId;
      if (isSame) await inTurn(() => append({ ...record, snapshot: last.snapshot }));
      else await write(lane, chunks, (snapshot) => inTurn(() => append({ ...record, snapshot })));
    },
    async newest(lane, upTo = Infinity) {
      const found = (await whole()).get(lane)?.findLast((announced) => announced.progress.position <= upTo);
      if (!found) return undefined;
      const { position, record_id: recordId, flow, final, producers } = found.progress;
      const chunks = { [Symbol.asyncIterator]: () => readOrNote(lane, found.snapshot) };
      return { position, recordId, flow, final, producers, chunks };
    },
    async lanes() {
      return [...(await whole())].flatMap(([lane, announced]) => (announced.length > 0 ? [lane] : [])).sort();
    },
    async list(lane) {
      return [...new Set((await whole()).get(lane)?.map((announced) => announced.progress.position))];
    },
    prune(_lane, position) {
      pruning ??= pruneAll(position).finally(() => {
        pruning = undefined;
      });
      return pruning;
    },
  };
}

async function trim(log: Log, position: number): Promise<void> {
  if (position > (await log.bounds()).first) await log.trim(position);
}
