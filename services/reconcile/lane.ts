/** The lane that is compared: how far its time has come, and how something is told to it. */
import { setTimeout as wait } from 'node:timers/promises';
import { createInstallation, type InstallationUrls } from '../installation.ts';
import type { Claim } from './claims.ts';
import { RunError } from './run-error.ts';

export interface ReconciledAccount {
  account: string;
  servers: number;
  complete: boolean;
}

/** What the lane is told of a run. Its times are epoch milliseconds. */
export interface RunDocument {
  run: string;
  provider: string;
  host: string;
  phase: 'begin' | 'complete' | 'failed';
  bootstrap: boolean;
  scope: 'all' | 'some';
  started_at: number;
  reason: string;
  accounts: ReconciledAccount[];
}

export interface ToldClaim extends Claim {
  provider: string;
  host: string;
  run: string;
  bootstrap: boolean;
}

export interface ReconciledLane {
  /**
   * Resolves once the lane's time has come to `untilMs`: what any edge had received by then has been worked on.
   * @throws RunError LANE_BEHIND
   */
  reached(untilMs: number): Promise<void>;
  /** Has the edge journal it; once, however often it is called. @throws RunError */
  tell(claim: ToldClaim): Promise<void>;
  announce(document: RunDocument): Promise<void>;
}

export interface LaneOptions extends InstallationUrls {
  tenant: string;
  /** How long the lane's time may take to come to where it is waited for. */
  reachMsMax?: number;
  pollIntervalMs?: number;
  /** How long an edge that takes nothing is tried again. */
  edgeMsMax?: number;
  /** Gives up what is waited for. */
  signal?: AbortSignal | undefined;
}

export function createReconciledLane(options: LaneOptions): ReconciledLane {
  const { tenant, edgeInternalUrl, reachMsMax = 600_000, pollIntervalMs = 500, edgeMsMax = 60_000 } = options;
  const installation = createInstallation(options);
  const pause = (milliseconds: number) =>
    wait(milliseconds, undefined, { ...(options.signal && { signal: options.signal }) });

  async function watermark(): Promise<number> {
    const lanes = await installation.lanes().catch((cause: Error) => {
      throw new RunError('LANE_UNREACHABLE', `Cannot ask how far lane ${tenant} is: ${cause.message}`, { cause });
    });
    return lanes[tenant]?.watermark ?? 0;
  }

  async function post(path: string, content: object): Promise<void> {
    const deadline = performance.now() + edgeMsMax;
    const body = JSON.stringify(content);
    for (let pauseMs = 100; ; pauseMs = Math.min(5_000, pauseMs * 2)) {
      const refusal = await send(`${edgeInternalUrl}${path}`, body);
      if (refusal === undefined) return;
      if (!refusal.retryHelps || performance.now() + pauseMs > deadline) throw refusal;
      await pause(pauseMs);
    }
  }

  return {
    async reached(untilMs) {
      const deadline = performance.now() + reachMsMax;
      for (;;) {
        const reachedMs = await watermark();
        if (reachedMs >= untilMs) return;
        if (performance.now() > deadline) {
          const behindMs = untilMs - reachedMs;
          throw new RunError(
            'LANE_BEHIND',
            `Lane ${tenant} is ${reachedMs === 0 ? 'not worked on' : `${Math.ceil(behindMs / 1000)} s behind`}: nothing can be compared with it`,
          );
        }
        await pause(pollIntervalMs);
      }
    },
    tell: ({ eventName, account, id, body, provider, host, run, bootstrap }) =>
      post('/deliveries', { tenant, provider, event_name: eventName, account, host, id, run, bootstrap, body }),
    announce: (document) =>
      post('/control', {
        tenant,
        kind: 'reconciliation',
        idempotency_id: `reconcile-${document.run}-${document.phase}`,
        document,
      }),
  };
}

async function send(url: string, body: string): Promise<RunError | undefined> {
  let answer: Response;
  try {
    const headers = { 'content-type': 'application/json' };
    answer = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) });
  } catch (cause) {
    const message = `Cannot reach the edge at ${url}: ${(cause as Error).message}`;
    return new RunError('EDGE_UNAVAILABLE', message, { cause });
  }
  const text = await answer.text();
  if (answer.ok) return undefined;
  const code = answer.status >= 500 ? 'EDGE_UNAVAILABLE' : 'REFUSED';
  return new RunError(code, `${url} answered ${answer.status}: ${text.slice(0, 300)}`);
}
