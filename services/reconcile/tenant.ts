/** One tenant's comparison, put together: its API, its lane, and where its progress is kept. */
import { randomBytes } from 'node:crypto';
import type { InstallationUrls } from '../installation.ts';
import { lockFolder } from '../ports/log/folder-lock.ts';
import { type CenturylinkOptions, createCenturylinkApi } from '../ports/provider-api/centurylink.ts';
import { createCenturylinkEstate } from './centurylink.ts';
import { createKnown } from './known.ts';
import { createReconciledLane, type LaneOptions, type ReconciledLane } from './lane.ts';
import { openProgress, trialProgress } from './progress.ts';
import type { Report } from './report.ts';
import { type RunOptions, reconcile } from './run.ts';

export const reconciledProvider = 'centurylink';

export interface TenantOptions extends InstallationUrls {
  tenant: string;
  /** As provider:account, of whatever provider. */
  roots: readonly string[];
  dataFolder: string;
  api: CenturylinkOptions;
  only?: readonly string[] | undefined;
  allDeletions?: boolean;
  dryRun?: boolean;
  settleMs?: number | undefined;
  laneLimits?: Pick<LaneOptions, 'reachMsMax' | 'pollIntervalMs' | 'edgeMsMax'> | undefined;
  onStep?: (text: string) => void;
  /** Gives up what is under way: it goes on from there when it is called again. */
  signal?: AbortSignal | undefined;
}

/** @throws RunError, or FolderLockedError where another process compares */
export async function reconcileTenant(options: TenantOptions): Promise<Report> {
  const { tenant, dataFolder, api: apiOptions, dryRun = false, signal } = options;
  const real = openProgress(dataFolder, tenant, reconciledProvider);
  const lock = lockFolder(real.folder);
  const api = createCenturylinkApi(apiOptions);
  const stop = () => api.close();
  signal?.addEventListener('abort', stop);
  try {
    const lane = createReconciledLane({ ...options, ...options.laneLimits });
    const run: RunOptions = {
      ...options,
      roots: options.roots.filter((root) => root.startsWith(`${reconciledProvider}:`)),
      estate: createCenturylinkEstate(api.inventory, api.host),
      known: createKnown(tenant, options.lanesUrls),
      lane: dryRun ? silent(lane) : lane,
      progress: dryRun ? trialProgress(real) : real,
      settleMs: options.settleMs,
      nowMs: Date.now,
      newRunId: () =>
        `${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z-${randomBytes(4).toString('hex')}`,
    };
    return await reconcile(run);
  } finally {
    signal?.removeEventListener('abort', stop);
    api.close();
    lock.close();
  }
}

/** When the last whole comparison of a tenant began, epoch milliseconds. */
export function lastCompared(dataFolder: string, tenant: string): number | undefined {
  return openProgress(dataFolder, tenant, reconciledProvider).memory()?.startedAt;
}

function silent(lane: ReconciledLane): ReconciledLane {
  return { ...lane, tell: async () => {}, announce: async () => {} };
}
