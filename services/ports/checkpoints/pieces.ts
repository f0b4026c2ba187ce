/** The bytes of snapshots as records of a log: pieces that carry the id of their snapshot and their number in it. */
import { createHash } from 'node:crypto';
import { decode, encode } from '../../core/records/codec.ts';
import type { Checkpoint as Piece, Snapshot } from '../../core/records/generated.ts';
import { type Log, LogUnavailableError, type ReadLimits } from '../log/log.ts';
import { CheckpointDamagedError } from './checkpoints.ts';

/** Several pieces a read, since a reply of Kafka's costs more than its bytes. */
const limits: ReadLimits = { records: 64, bytes: 4 * 1024 * 1024 };

/**
 * Appends the pieces of a snapshot one after the other, each acknowledged before the next.
 *
 * @param begun called with the position of the first as soon as it is known
 */
export async function writePieces(
  log: Log,
  lane: string,
  id: string,
  chunks: AsyncIterable<Uint8Array>,
  pieceBytesMax: number,
  begun: (first: number) => void,
): Promise<Snapshot> {
  const digest = createHash('sha256');
  const snapshot: Snapshot = { id, first: -1, pieces: 0, bytes: 0, sha256: '' };
  for await (const data of cut(chunks, pieceBytesMax)) {
    const piece: Piece = { tenant: lane, snapshot: id, number: snapshot.pieces, data };
    const position = await log.append([{ key: lane, frame: encode('checkpoint', piece) }]);
    if (snapshot.pieces === 0) {
      snapshot.first = position;
      begun(position);
    }
    snapshot.pieces++;
    snapshot.bytes += data.length;
    digest.update(data);
  }
  snapshot.sha256 = digest.digest('hex');
  return snapshot;
}

/** At least one piece; all but the last are full. */
async function* cut(chunks: AsyncIterable<Uint8Array>, pieceBytesMax: number): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = [];
  let free = pieceBytesMax;
  for await (let chunk of chunks) {
    while (chunk.length >= free) {
      yield Buffer.concat([...parts, chunk.subarray(0, free)]);
      chunk = chunk.subarray(free);
      parts = [];
      free = pieceBytesMax;
    }
    if (chunk.length > 0) parts.push(chunk);
    free -= chunk.length;
  }
  if (parts.length > 0 || free === pieceBytesMax) yield Buffer.concat(parts);
}

/**
 * The data of a snapshot's pieces.
 * @throws CheckpointDamagedError where a piece is missing or another than the one that was written, at the latest at the end
 */
export async function* readPieces(log: Log, lane: string, snapshot: Snapshot): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256');
  let number = 0;
  for await (const piece of piecesOf(log, lane, snapshot)) {
    // One that was appended twice, since its acknowledgement was lost.
    if (piece.number < number) continue;
    if (piece.number > number) break;
    number++;
    digest.update(piece.data);
    yield piece.data;
    if (number === snapshot.pieces) break;
  }
  if (number < snapshot.pieces) throw damaged(lane, snapshot, `piece ${number} of ${snapshot.pieces} is not there`);
  if (digest.digest('hex') !== snapshot.sha256) throw damaged(lane, snapshot, 'its digest is another one');
}

/** All pieces with the snapshot's id from its first one to the end of the log, read ahead of whoever takes them. */
async function* piecesOf(log: Log, lane: string, snapshot: Snapshot): AsyncGenerator<Piece> {
  let next = log.read(snapshot.first, limits);
  try {
    for (;;) {
      const records = await next;
      const last = records.at(-1);
      if (!last) return;
      next = log.read(last.position + 1, limits);
      // Should nobody come to wait for it.
      next.catch(() => {});
      for (const { frame } of records.filter(({ key }) => key === lane)) {
        const { kind, value } = decode(frame);
        if (kind === 'checkpoint' && value.snapshot === snapshot.id) yield value;
      }
    }
  } catch (error) {
    // Trimmed, or unreadable: in either case the state is to be taken from elsewhere.
    throw error instanceof LogUnavailableError ? error : damaged(lane, snapshot, (error as Error).message, error);
  }
}

function damaged(lane: string, { id, first }: Snapshot, why: string, cause?: unknown): CheckpointDamagedError {
  const message = `Cannot read snapshot ${id} of lane ${lane} at ${first} of the checkpoints: ${why}`;
  return new CheckpointDamagedError(message, { cause });
}
