/** Writes endpoints.json: one writer at a time, and what stands there is the file before or the file after, at any moment. */
import {
  accessSync,
  chownSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import {
  type EndpointsContent,
  parseEndpoints,
  readEndpointsFile,
  renderEndpoints,
  secretPath,
} from '../../endpoints-file.ts';
import { FolderLockedError, lockFolder } from '../../ports/log/folder-lock.ts';
import { syncFolder } from '../../ports/log/segments.ts';

/** Somebody else changes the endpoints. Asking again helps. */
export class EndpointsLockedError extends Error {
  readonly code = 'ENDPOINTS_LOCKED';
}

/** How long another writer is waited for. */
const lockMsMaxByDefault = 10_000;

/** Secrets of endpoints lie in this folder beside the file. */
const secretsFolder = 'endpoint-secrets';

/** A secret that a change brings. */
export interface SecretText {
  /** As endpoints.json will name it. */
  file: string;
  text: string;
}

/**
 * Changes the file. Rejects, and nothing has changed, where `change` throws, where somebody else writes for so long, or
 * where the file is damaged. When it resolves the change is on disk. A process that is killed on the way leaves the file as
 * it was, or as it is to be.
 */
export async function changeEndpoints(
  file: string,
  change: (content: EndpointsContent) => { content: EndpointsContent; secret?: SecretText | undefined },
  lockMsMax = lockMsMaxByDefault,
): Promise<EndpointsContent> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // A lock that cannot be written is not held by somebody else.
  accessSync(dirname(file), constants.W_OK);
  const lock = await holdLock(`${file}.lock`, lockMsMax);
  try {
    leaveToOwner(dirname(file), `${file}.lock`, join(`${file}.lock`, 'writer.lock'));
    const before = readEndpointsFile(file).content;
    const { content, secret } = change(before);
    if (secret) {
      const secrets = dirname(secretPath(file, secret.file));
      mkdirSync(secrets, { recursive: true, mode: 0o700 });
      leaveToOwner(dirname(file), secrets);
      replaceSync(secretPath(file, secret.file), `${secret.text}\n`);
    }
    // What it could not read itself, no edge could.
    const text = renderEndpoints(content);
    parseEndpoints(text, file);
    replaceSync(file, text);
    // Edges that have not read the new file yet may still begin by the one before.
    forgetSecrets(file, [before, content]);
    return content;
  } finally {
    lock.close();
  }
}

/** Where the secret of a change goes: never where one has been. */
export function secretFileOf(tenant: string, name: string, id: string): string {
  return `${secretsFolder}/${tenant}.${name}.${id}`;
}

async function holdLock(folder: string, lockMsMax: number): Promise<{ close(): void }> {
  const deadline = performance.now() + lockMsMax;
  for (;;) {
    try {
      return lockFolder(folder);
    } catch (cause) {
      if (!(cause instanceof FolderLockedError)) throw cause;
      if (performance.now() > deadline) {
        throw new EndpointsLockedError(
          `Cannot change the endpoints: another process has held ${folder} for ${lockMsMax} ms`,
          {
            cause,
          },
        );
      }
      await wait(20);
    }
  }
}

/** Only its owner may read it. */
function replaceSync(file: string, text: string): void {
  const draft = `${file}.new`;
  // One that was left behind may have been made for others to read.
  rmSync(draft, { force: true });
  const descriptor = openSync(draft, 'wx', 0o600);
  try {
    leaveToOwner(dirname(file), draft);
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, file);
  syncFolder(dirname(file));
}

/** What root writes in somebody's folder is his: his edges have to read it, and he to write it the next time. */
function leaveToOwner(folder: string, ...paths: string[]): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(folder);
  for (const path of paths) chownSync(path, uid, gid);
}

function forgetSecrets(file: string, contents: readonly EndpointsContent[]): void {
  const folder = join(dirname(file), secretsFolder);
  const named = contents.flatMap(({ endpoints }) => endpoints.flatMap(({ secrets = [] }) => secrets));
  const kept = new Set(named.map((secret) => basename(relative(folder, secretPath(file, secret.file)))));
  for (const name of listFiles(folder)) if (!kept.has(name)) rmSync(join(folder, name), { force: true });
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
