import type { Logger } from 'pino';
import { LaneError } from '../core/flow/flow.ts';
import type { LaneStatus } from '../core/flow/summary.ts';
import { FrameError } from '../core/records/codec.ts';
import { LogUnavailableError } from '../ports/log/log.ts';
import { type Lane, LaneStoppedError, LogLostError } from './lane.ts';
import { createOpening, handedOver, type OpeningOptions, revoke, type Waiting } from './opening.ts';

export interface RosterOptions extends OpeningOptions {
  tenants: readonly string[];
  logger: Logger;
  /** After so long a lane that waits for another flow, or whose logs were not reached, is tried again. */
  reopenIntervalMs: number;
}

/** The lanes of a worker: open, being opened, waiting for another flow, or stopped. */
export interface Roster {
  readonly open: ReadonlyMap<string, Lane>;
  /** True once each lane was opened or could not be. */
  readonly settled: boolean;
  /**
   * Begins to open lanes that are due and returns those that have opened since the last call, which may be far behind
   * the others. Nothing is waited for.
   */
  admit(): Lane[];
  /** Leaves a lane that cannot go on, where the error is of that lane; throws any other. */
  stop(tenant: string, error: unknown): void;
  /** Leaves a lane that has come to where another flow begins. */
  handOver(lane: Lane): void;
  /** Leaves all lanes. They are kept, and checked when they are admitted again. */
  suspend(): void;
  statuses(): Record<string, LaneStatus>;
}

export function createRoster({ tenants, logger, reopenIntervalMs, ...opening }: RosterOptions): Roster {
  const openLane = createOpening(opening);
  const open = new Map<string, Lane>();
  const kept = new Map<string, Lane>();
  /** Why a lane is not open, and when it is tried again: never, where people must look. */
  const closed = new Map<string, LaneStatus & { dueMs: number }>();
  const underWay = new Set<string>();
  let opened: Lane[] = [];
  let round = 0;
  let failure: unknown;

  function close(tenant: string, status: LaneStatus, retry: boolean): void {
    open.delete(tenant);
    closed.set(tenant, { ...status, dueMs: retry ? performance.now() + reopenIntervalMs : Infinity });
  }

  function stop(tenant: string, error: unknown): void {
    if (!isOfLane(error)) throw error;
    logger.error({ tenant, err: error }, 'lane stopped; all others go on');
    // Nothing of it is saved from here on: a later start meets the same records, unless those are others now.
    close(tenant, { ...open.get(tenant)?.summary(), stopped: error.message }, error instanceof LogLostError);
  }

  function wait(tenant: string, { why, ...place }: Waiting): void {
    const level = place.lost ? 'error' : 'warn';
    if (closed.get(tenant)?.stopped !== why) logger[level]({ tenant, ...place }, `lane waits: ${why}`);
    // Without any state, to try again would be to read the log again.
    close(tenant, { ...place, stopped: why }, place.position >= 0);
  }

  /** True where a lane that was kept may go on from where it stands. */
  async function mayResume(lane: Lane): Promise<boolean> {
    if (lane.handover) return false;
    if (lane.position + 1 < (await opening.records.bounds()).first) return false;
    await lane.compareIdentity();
    const newest = await opening.checkpoints.newest(lane.tenant);
    if (!newest?.final) return true;
    // Where another worker has ended behind it, that is the better place to begin from.
    if (newest.position >= lane.position) return false;
    await revoke(lane);
    return true;
  }

  async function reopen(tenant: string): Promise<void> {
    const begunIn = round;
    const before = kept.get(tenant);
    kept.delete(tenant);
    const found = before && (await mayResume(before)) ? { lane: before } : await openLane(tenant);
    if ('waiting' in found) return wait(tenant, found.waiting);
    logger.info({ tenant, position: found.lane.position, kept: found.lane === before }, 'lane opened');
    closed.delete(tenant);
    if (begunIn === round) opened.push(found.lane);
    else kept.set(tenant, found.lane);
  }

  function begin(tenant: string): void {
    underWay.add(tenant);
    reopen(tenant)
      .catch((error) => {
        if (!(error instanceof LogUnavailableError)) return stop(tenant, error);
        close(tenant, { stopped: error.message }, true);
      })
      .catch((error) => {
        failure = error;
      })
      .finally(() => underWay.delete(tenant));
  }

  const isDue = (tenant: string) =>
    !open.has(tenant) &&
    !underWay.has(tenant) &&
    !opened.some((lane) => lane.tenant === tenant) &&
    performance.now() >= (closed.get(tenant)?.dueMs ?? 0);

  return {
    open,
    get settled() {
      return tenants.every((tenant) => open.has(tenant) || closed.has(tenant));
    },
    admit() {
      if (failure) throw failure;
      for (const tenant of tenants) if (isDue(tenant)) begin(tenant);
      const admitted = opened;
      opened = [];
      for (const lane of admitted) open.set(lane.tenant, lane);
      return admitted;
    },
    stop,
    handOver(lane) {
      if (open.get(lane.tenant) !== lane || !lane.handover) return;
      const { position, epoch, flow } = lane.summary();
      const waiting = { position, epoch, flow, why: handedOver(lane.handover, flow) };
      const { position: at, flow: next } = lane.handover;
      wait(
        lane.tenant,
        next === undefined ? waiting : { ...waiting, takeover: { position: at, flow: next, ready: true } },
      );
    },
    suspend() {
      round++;
      for (const lane of [...open.values(), ...opened]) kept.set(lane.tenant, lane);
      open.clear();
      closed.clear();
      opened = [];
    },
    statuses() {
      const working = [...open.values()].map((lane) => [lane.tenant, { ...lane.summary(), stopped: '' }] as const);
      const others = [...closed].map(([tenant, { dueMs: _, ...status }]) => [tenant, status] as const);
      return Object.fromEntries([...others, ...working]);
    },
  };
}

/** True for what is wrong with one lane's records or checkpoints, and not with the logs. */
function isOfLane(error: unknown): error is Error {
  return error instanceof LaneStoppedError || error instanceof LaneError || error instanceof FrameError;
}
