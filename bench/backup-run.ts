/**
 * Backs an installation up, or restores one, as the commands do, in a process of its own whose memory is nobody else's:
 * `backup-run.ts backup|restore <backup>`, with the settings of the installation. Prints a Report as JSON.
 */
import { backup } from '../services/commands/backup/backup.ts';
import { openMachine } from '../services/commands/restore/machine-target.ts';
import { restore } from '../services/commands/restore/restore.ts';
import { openStores } from '../services/commands/stores.ts';
import { environment, loadConfig } from '../services/config.ts';
import { flow } from './backup-source.ts';

export interface Report {
  /** From the first look at the stores to the last. */
  seconds: number;
  /** The most memory that this process held at any time. */
  residentMegabytes: number;
}

const [what, path = ''] = process.argv.slice(2);
const config = loadConfig(environment);
const quiet = { onStep() {}, onProgress() {} };
const startedMs = performance.now();
await (what === 'backup' ? backUp() : restoreAll());
const report: Report = {
  seconds: (performance.now() - startedMs) / 1_000,
  residentMegabytes: process.resourceUsage().maxRSS / 1024,
};
process.stdout.write(`${JSON.stringify(report)}\n`);

async function backUp(): Promise<void> {
  const stores = openStores(config);
  try {
    // Nobody works here: all that was put out is stored.
    const stored = async () => {};
    await backup({ ...stores, ...quiet, stored, path, version: '0.0.0', flow });
  } finally {
    await stores.close();
  }
}

async function restoreAll(): Promise<void> {
  const target = openMachine(config);
  try {
    await restore({ ...quiet, path, target, flow });
  } finally {
    await target.close();
  }
}
