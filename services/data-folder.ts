/** Where more than one of us looks in a data folder, and what must hold of it before anything works there. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from './config.ts';

/** What an edge remembers over restarts. */
export function edgeStateFile(dataFolder: string): string {
  return join(dataFolder, 'edge', 'state.json');
}

/** What an edge keeps of endpoints.json, for a start at which that is damaged or gone. */
export function endpointsCopyFile(dataFolder: string): string {
  return join(dataFolder, 'edge', 'endpoints.json');
}

/** What a restore makes in a data folder, until all of it has its place. */
export function restoreDraft(dataFolder: string): string {
  return join(dataFolder, 'restore.partial');
}

/** What helps a data folder in which a restore did not come to its end. */
export function restoreRemedy(dataFolder: string): string {
  return `Move ${dataFolder} out of the way, or set HOOKWATCH_DATA.`;
}

/**
 * Whoever begins beside half a restore takes deliveries into lanes that are not the restored ones.
 *
 * @throws ConfigError while a restore works in the folder, and after it was interrupted
 */
export function refuseHalfRestored(dataFolder: string): void {
  const draft = restoreDraft(dataFolder);
  if (!existsSync(draft)) return;
  throw new ConfigError(
    `Cannot begin in ${dataFolder}: there is ${draft}, so a restore is at work there, or was interrupted. Where none is at work, ` +
      `what it has restored is not whole. Restore anew: ${restoreRemedy(dataFolder)}`,
  );
}
