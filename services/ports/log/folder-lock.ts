import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Another process holds the folder. */
export class FolderLockedError extends Error {
  readonly code = 'FOLDER_LOCKED';
}

/**
 * Holds a folder for this process until `close`; the system lets go of it when the process ends, however it ends.
 * @throws FolderLockedError, or the system's error where the folder cannot be written to.
 */
export function lockFolder(folder: string): { close(): void } {
  mkdirSync(folder, { recursive: true });
  const lock = new DatabaseSync(join(folder, 'writer.lock'));
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock.close();
    throw new FolderLockedError(`Cannot write to ${folder}: another process does; stop it, or set HOOKWATCH_DATA`, {
      cause: error,
    });
  }
}
