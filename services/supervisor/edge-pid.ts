/**
 * Which process takes deliveries for a data folder. An edge outlives its supervisor, so somebody who starts again must
 * be able to find it.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export function edgePidFile(dataFolder: string): string {
  return join(dataFolder, 'edge', 'edge.pid');
}

/** Writes this process down. To be called by whoever holds the journal. A full disk costs the hint, not the edge. */
export function writeEdgePid(dataFolder: string): void {
  try {
    mkdirSync(dirname(edgePidFile(dataFolder)), { recursive: true });
    writeFileSync(edgePidFile(dataFolder), `${process.pid}\n`);
  } catch {}
}

export function removeEdgePid(dataFolder: string): void {
  rmSync(edgePidFile(dataFolder), { force: true });
}

/** What to say when an edge cannot start: empty unless an earlier one may still run. Its number may be another's by now. */
export function hintAtEarlierEdge(dataFolder: string): string {
  const pid = readPid(edgePidFile(dataFolder));
  if (pid === undefined || !isAlive(pid)) return '';
  return `An edge of an earlier start may still be taking deliveries as process ${pid}: \`kill ${pid}\` drains and ends it.`;
}

function readPid(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
