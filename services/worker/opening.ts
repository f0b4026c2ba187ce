/**
 * Which lanes a worker may work on, and from where. Starting a worker changes nothing: a lane belongs to the flow that
 * has worked on it, until a takeover record names another one.
 *
 *   newest checkpoint    a takeover behind it           the worker of flow b
 *   ─────────────────    ──────────────────────────     ─────────────────────────────────────────────────────────
 *   none, or of b        -                              goes on, up to what a newer version has written
 *   of a                 none                           waits for one
 *   of a                 to b; a has finished           begins from the checkpoint, in the next epoch
 *   of a                 to b; a may have gone on       waits until a has worked up to it
 *   of a                 to c                           waits: c is to work first
 *
 * Where the log has lost what the newest checkpoint was made of, lost-log.ts comes first.
 *
 * a has finished where its checkpoint is at the last record before the takeover, or is final.
 */
import { createState, type FlowState, metaOf } from '../core/flow/state.ts';
import type { LaneStatus } from '../core/flow/summary.ts';
import { beginEpoch } from '../core/flow/takeover.ts';
import type { Checkpoint, CheckpointHead, Checkpoints } from '../ports/checkpoints/checkpoints.ts';
import { restoreNewest } from '../ports/checkpoints/restore.ts';
import { type Log, LogUnavailableError } from '../ports/log/log.ts';
import { createLane, type Flow, type Handover, type Lane, LaneStoppedError, LogLostError } from './lane.ts';
import { findLoss, isResumed, newestOfLog, skipLost } from './lost-log.ts';
import { createLookout, type Lookout, type Outlook, type Sighting } from './takeovers.ts';

/** A lane that belongs to another flow, or whose log has lost what was worked on. */
export interface Waiting {
  position: number;
  epoch: number;
  /** Hash of the flow that it belongs to. */
  flow: string;
  why: string;
  takeover?: LaneStatus['takeover'];
  lost?: LaneStatus['lost'];
}

export type Opened = { lane: Lane } | { waiting: Waiting };

export interface OpeningOptions {
  records: Log;
  checkpoints: Checkpoints;
  flow: Flow;
}

/** Opens lanes: `open(tenant)` may be asked again for one that waits. Rejects with LaneStoppedError where people must look. */
export function createOpening({ records, checkpoints, flow }: OpeningOptions): (tenant: string) => Promise<Opened> {
  const lookouts = new Map<string, Lookout>();

  function lookoutFor(tenant: string): Lookout {
    const known = lookouts.get(tenant) ?? createLookout(tenant, records);
    lookouts.set(tenant, known);
    return known;
  }

  /** Undefined where the checkpoint turned out to be damaged. */
  async function restore(tenant: string, { position }: Checkpoint): Promise<FlowState | undefined> {
    const restored = await restoreNewest(checkpoints, tenant, position);
    return restored?.head.position === position ? restored.state : undefined;
  }

  async function goOn(tenant: string, newest: Checkpoint, beginning: FlowState): Promise<Opened | undefined> {
    // A flow that has finished where another one begins need not begin, only to find it.
    const outlook = newest.final ? await lookoutFor(tenant).find(beginning) : undefined;
    if (outlook && isAtEnd(newest, outlook, flow.hash)) {
      return { waiting: waitingAt(newest, beginning, outlook, flow.hash) };
    }
    const state = await restore(tenant, newest);
    if (!state) return undefined;
    const lane = createLane({ tenant, state, flow, records, checkpoints, saved: newest });
    if (newest.final) await revoke(lane);
    return { lane };
  }

  async function takeOver(tenant: string, newest: Checkpoint, beginning: FlowState): Promise<Opened | undefined> {
    const outlook = await lookoutFor(tenant).find(beginning);
    const { sighting } = outlook;
    if (sighting?.takeover.flow !== flow.hash || !hasFinished(newest, sighting)) {
      return { waiting: waitingAt(newest, beginning, outlook, flow.hash) };
    }
    const state = await restore(tenant, newest);
    if (!state) return undefined;
    beginEpoch(state, sighting.takeover.epoch, sighting.takeover.flow);
    return { lane: createLane({ tenant, state, flow, records, checkpoints }) };
  }

  /** Where people have said so, from the newest checkpoint that is of the log. */
  async function resume(
    tenant: string,
    newest: Checkpoint,
    beginning: FlowState,
    loss: string,
  ): Promise<Opened | undefined> {
    const base = await newestOfLog(checkpoints, records, tenant, newest);
    const { sighting } = await lookoutFor(tenant).find(beginning);
    if (!isOurs(newest, flow.hash) || !isResumed(sighting, flow.hash)) {
      const { message } = new LogLostError(tenant, newest.position, loss);
      const place = { position: newest.position, epoch: metaOf(beginning).epoch, flow: newest.flow || flow.hash };
      const lost = { from: base?.position ?? -1, ready: (await records.bounds()).next > newest.position };
      return { waiting: { ...place, lost, why: `${message} (docs/runbooks/lane-stopped.md)` } };
    }
    const saved = base && (await restore(tenant, base));
    if (base && !saved) return undefined;
    const state = await skipLost(records, saved);
    beginEpoch(state, sighting.takeover.epoch, flow.hash);
    return { lane: createLane({ tenant, state, flow, records, checkpoints }) };
  }

  /** Undefined where its newest checkpoint turned out to be damaged: there is an older one, or none. */
  async function attempt(tenant: string): Promise<Opened | undefined> {
    const newest = await checkpoints.newest(tenant);
    if (!newest) return { lane: createLane({ tenant, state: createState(), flow, records, checkpoints }) };
    const beginning = await beginningOf(newest);
    const loss = beginning && (await findLoss(records, newest));
    if (loss) return resume(tenant, newest, beginning, loss);
    if (beginning && isOurs(newest, flow.hash)) return goOn(tenant, newest, beginning);
    if (beginning) return takeOver(tenant, newest, beginning);
    // Read to its end, where its damage shows and is remembered.
    if (!(await restore(tenant, newest))) return undefined;
    throw new LaneStoppedError(`Cannot resume lane ${tenant}: its checkpoint at position ${newest.position} is empty`);
  }

  return async (tenant) => {
    for (;;) {
      const opened = await attempt(tenant);
      if (opened) return opened;
    }
  };
}

/**
 * A final checkpoint is not the last word any more: what is worked on from here on would be unseen until the next one.
 * Where it cannot be written the lane goes on all the same: a takeover is rarer than a full disk.
 */
export async function revoke(lane: Lane): Promise<void> {
  await lane.checkpoint(false).catch((error) => {
    if (error instanceof LogUnavailableError) throw error;
  });
}

/** What was saved before flows were told apart is anyone's. */
function isOurs({ flow }: CheckpointHead, hash: string): boolean {
  return flow === '' || flow === hash;
}

/**
 * The state as far as its first bytes tell, which is what concerns the lane as a whole; undefined where they cannot be
 * read.
 */
async function beginningOf({ chunks }: Checkpoint): Promise<FlowState | undefined> {
  const state = createState();
  const restorer = state.tables.restorer();
  try {
    for await (const chunk of chunks) {
      restorer.take(chunk);
      if (metaOf(state).position >= 0) return state;
    }
    return undefined;
  } catch (error) {
    if (error instanceof LogUnavailableError) throw error;
    return undefined;
  }
}

/** Whether the flow before a takeover has worked on all that it may. */
function hasFinished({ final, position }: CheckpointHead, { before }: Sighting): boolean {
  return final || before === position;
}

/** Whether the next record is not for the flow that has finished here. */
function isAtEnd({ position }: CheckpointHead, { sighting, newer }: Outlook, hash: string): boolean {
  return newer !== undefined || (sighting?.before === position && sighting.takeover.flow !== hash);
}

function reasonToWait({ flow }: CheckpointHead, { sighting, newer }: Outlook, hash: string): string {
  if (newer !== undefined && flow === hash && !sighting) return handedOver({ position: newer, flow: undefined }, hash);
  if (!sighting) {
    return (
      `flow ${flow} has worked on it, and this is flow ${hash}: run "hookwatch upgrade" to let this version take over, ` +
      'or start the version that it belongs to'
    );
  }
  const { takeover, position } = sighting;
  if (takeover.flow !== hash) return handedOver({ position, flow: takeover.flow }, hash);
  return (
    `this version (flow ${hash}) takes over at position ${position}, but the one before it (flow ${flow}) has not ` +
    'finished: start that once more, so that it can finish'
  );
}

/** Why a lane is not worked on any further. */
export function handedOver({ position, flow }: Handover, hash: string): string {
  if (flow === undefined) {
    return (
      `written by a newer version: the record at position ${position} is of a schema that this one (flow ${hash}) does ` +
      'not know; start that version and run "hookwatch upgrade" with it'
    );
  }
  return `flow ${flow} takes over at position ${position}, and this is flow ${hash}: start the version that it belongs to`;
}

function waitingAt(newest: CheckpointHead, beginning: FlowState, outlook: Outlook, hash: string): Waiting {
  const { sighting } = outlook;
  const place = { position: newest.position, epoch: metaOf(beginning).epoch, flow: newest.flow };
  const why = reasonToWait(newest, outlook, hash);
  if (!sighting) return { ...place, why };
  const takeover = { position: sighting.position, flow: sighting.takeover.flow, ready: hasFinished(newest, sighting) };
  return { ...place, why, takeover };
}
