/** Named volumes as Docker has them: an empty one takes over what the image has at its path, with owner and mode. */
import { chmodSync, chownSync, cpSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Volume } from './compose-file.ts';
import type { Mount } from './container.ts';
import { findInImage, type Image } from './image.ts';

export function mountVolume(volume: Volume, image: Image, folder: string): Mount {
  const { type, source, target, read_only: readOnly = false } = volume;
  if (type === 'bind') return { source: requireSource(source), target, readOnly };
  if (type !== 'volume' || !source) throw new Error(`This imitation knows nothing of volumes of type ${type}`);
  const path = join(folder, source);
  mkdirSync(path, { recursive: true });
  const inImage = findInImage(image, target);
  if (inImage !== undefined && !volume.volume?.nocopy && readdirSync(path).length === 0) takeOver(inImage, path);
  return { source: path, target, readOnly };
}

/** Docker would make a folder in its place, and the service would find nothing in it. */
function requireSource(path: string): string {
  if (!statSync(path, { throwIfNoEntry: false }))
    throw new Error(`The compose file mounts ${path}, which is not there`);
  return path;
}

function takeOver(from: string, to: string): void {
  const { uid, gid, mode } = statSync(from);
  chownSync(to, uid, gid);
  chmodSync(to, mode & 0o7777);
  for (const name of readdirSync(from)) {
    const [source, copy] = [join(from, name), join(to, name)];
    if (statSync(source).isDirectory()) {
      mkdirSync(copy);
      takeOver(source, copy);
    } else {
      cpSync(source, copy, { preserveTimestamps: true });
      const of = statSync(source);
      chownSync(copy, of.uid, of.gid);
    }
  }
}
