/**
 * A log that is no longer what a lane's state was made of: Kafka has lost what it had acknowledged, or records left before
 * they were worked on. Only people can say whether what is lost may be lost. They do so by a takeover of the lane's flow
 * from itself, behind the newest checkpoint's position:
 *
 *   checkpoint     cut                    newest checkpoint    takeover {epoch: 2, flow: a, previous: a}
 *   …  4  ……………… 15 │ 16 other records …  21 …………………………………  30
 *      ├─── worked on once more, in epoch 2 ──────────────────────▶
 */
import { createState, type FlowState, metaOf } from '../core/flow/state.ts';
import { decode, isOfKnownSchema } from '../core/records/codec.ts';
import type { Checkpoint, CheckpointHead, Checkpoints } from '../ports/checkpoints/checkpoints.ts';
import type { Log } from '../ports/log/log.ts';
import type { Sighting } from './takeovers.ts';

/** The record with which a state ends. */
export type LaneEnd = Pick<CheckpointHead, 'position' | 'recordId'>;

/** Why a lane cannot go on in a log; undefined where it can. */
export async function findLoss(log: Log, end: LaneEnd): Promise<string | undefined> {
  if (end.position < 0) return undefined;
  const bounds = await log.bounds();
  if (end.position + 1 < bounds.first) return 'the log begins further on: records were lost before they were worked on';
  return findContradiction(log, end, bounds);
}

/** Why a state cannot be of a log; undefined where it can. */
async function findContradiction(
  log: Log,
  { position, recordId }: LaneEnd,
  { first, next }: { first: number; next: number },
): Promise<string | undefined> {
  if (position < first) return undefined;
  if (position >= next) return 'the log ends before it: records were lost, or the checkpoints are not of this log';
  const [record] = await log.read(position, { records: 1, bytes: 1 });
  // Worked on by a newer version, which has given the lane back: only that could compare it.
  if (record?.position === position && !isOfKnownSchema(record.frame)) return undefined;
  const found = record && decode(record.frame).value;
  const foundId = found && 'id' in found ? found.id : 'nothing';
  if (record?.position === position && foundId === recordId) return undefined;
  return `its state ends with record ${recordId}, the log has ${foundId} there`;
}

/** The newest checkpoint that is of the log, from the newest one down; undefined where there is none. */
export async function newestOfLog(
  checkpoints: Checkpoints,
  log: Log,
  tenant: string,
  newest: Checkpoint,
): Promise<Checkpoint | undefined> {
  const bounds = await log.bounds();
  let candidate: Checkpoint | undefined = newest;
  while (candidate && (await findContradiction(log, candidate, bounds))) {
    candidate = await checkpoints.newest(tenant, candidate.position - 1);
  }
  return candidate;
}

/** Whether people have said that the lane is to go on without what is lost. */
export function isResumed(sighting: Sighting | undefined, hash: string): sighting is Sighting {
  return sighting?.takeover.flow === hash && sighting.takeover.previous === hash;
}

/** The state from which a lane goes on without what has left its log. */
export async function skipLost(log: Log, state: FlowState = createState()): Promise<FlowState> {
  const meta = metaOf(state);
  const { first } = await log.bounds();
  if (meta.position >= 0 && meta.position + 1 < first) {
    state.meta.set('', '', { ...meta, position: first - 1, recordId: '' });
  }
  return state;
}
