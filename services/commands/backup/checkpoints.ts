/** Which states of a lane are backed up, and how. */
import { type Checkpoint, CheckpointDamagedError, type Checkpoints } from '../../ports/checkpoints/checkpoints.ts';
import type { BackupFolder } from './folder.ts';
import type { BackedUpCheckpoint } from './manifest.ts';

/**
 * The newest state of a lane, from which its worker goes on; the one before it, for edges look at two of them to know what
 * need not be sent again; and the one from which the lane can be worked on anew, where its log begins at `first`. Those
 * that are damaged are passed over. Oldest first; empty where nobody has saved any.
 */
export async function saveCheckpoints(
  checkpoints: Checkpoints,
  tenant: string,
  first: number,
  folder: BackupFolder,
): Promise<BackedUpCheckpoint[]> {
  const saved: BackedUpCheckpoint[] = [];
  const save = async (upTo?: number) => {
    const found = await saveNewest(checkpoints, tenant, folder, upTo);
    if (found) saved.unshift(found);
    return found;
  };
  const newest = await save();
  const previous = newest && (await save(newest.position - 1));
  if (!previous || first === 0 || previous.position < first) return saved;
  const positions = await checkpoints.list(tenant);
  const base = positions.findLast((position) => position < first) ?? positions[0];
  if (base !== undefined && base < previous.position) await save(base);
  return saved;
}

async function saveNewest(
  checkpoints: Checkpoints,
  tenant: string,
  folder: BackupFolder,
  upTo: number | undefined,
): Promise<BackedUpCheckpoint | undefined> {
  for (;;) {
    const checkpoint = await checkpoints.newest(tenant, upTo);
    if (!checkpoint) return undefined;
    const file = `checkpoints/${encodeURIComponent(tenant)}/${String(checkpoint.position).padStart(16, '0')}.zst`;
    try {
      await folder.write(file, checkpoint.chunks);
      return describe(checkpoint, file);
    } catch (error) {
      if (!(error instanceof CheckpointDamagedError)) throw error;
      // Its backend knows from now on, and gives an older one.
      await folder.remove(file);
    }
  }
}

function describe({ position, recordId, flow, final, producers }: Checkpoint, file: string): BackedUpCheckpoint {
  return { file, position, recordId, flow, final, producers: [...producers] };
}
