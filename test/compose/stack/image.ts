/** What a container is made from: files in layers, and what an image says of its process. */
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Mount } from './container.ts';

export interface Image {
  /** Folders whose contents make up the root, the uppermost first. */
  layers: string[];
  /** More that is to be seen in it, of this machine. */
  mounts: Mount[];
  /** This machine's programs are in its /usr, below what the layers have there. */
  usrOfMachine: boolean;
  environment: Record<string, string>;
  entrypoint: string[];
  command: string[];
  workingFolder: string;
  /** `user` of its own, as in a Dockerfile. */
  user: string;
  /** Its own names for users: uid and gid of each. */
  users: Record<string, readonly [uid: number, gid: number]>;
}

/** A folder of an image; only root's own may be left out. */
export interface Folder {
  path: string;
  uid?: number;
  gid?: number;
  mode?: number;
}

export const standardPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What programs of this machine need in /etc; Java keeps its settings there. */
const machineFiles = /^(alternatives|java-.*|ld\.so\..*|localtime|nsswitch\.conf|protocols|services|ssl)$/;

/** The root of a Linux with nothing in it: its programs are mounted. */
export function makeBaseLayer(folder: string): string {
  mkdirSync(join(folder, 'etc'), { recursive: true });
  for (const name of ['bin', 'lib', 'lib64', 'sbin']) symlinkSync(`usr/${name}`, join(folder, name));
  for (const name of readdirSync('/etc').filter((found) => machineFiles.test(found))) {
    cpSync(join('/etc', name), join(folder, 'etc', name), { recursive: true, verbatimSymlinks: true });
  }
  return folder;
}

export function makeFolders(layer: string, folders: readonly Folder[]): void {
  mkdirSync(join(layer, 'usr'), { recursive: true });
  for (const { path, uid = 0, gid = 0, mode = 0o755 } of folders) {
    const at = join(layer, path);
    mkdirSync(at, { recursive: true });
    chownSync(at, uid, gid);
    chmodSync(at, mode);
  }
}

export function writeProgram(layer: string, path: string, text: string): void {
  const at = join(layer, path);
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, text);
  chmodSync(at, 0o755);
}

export function writeUsers(layer: string, users: Image['users']): void {
  const all = Object.entries({ root: [0, 0], nobody: [65_534, 65_534], ...users });
  const passwd = all.map(([name, [uid, gid]]) => `${name}:x:${uid}:${gid}::/nonexistent:/bin/sh\n`);
  const group = all.map(([name, [, gid]]) => `${name}:x:${gid}:\n`);
  mkdirSync(join(layer, 'etc'), { recursive: true });
  writeFileSync(join(layer, 'etc/passwd'), passwd.join(''));
  writeFileSync(join(layer, 'etc/group'), group.join(''));
}

/**
 * `user`, `user:group`, `uid` or `uid:gid`, as Docker reads it.
 * @throws for a name that the image does not have
 */
export function resolveUser(image: Image, user: string): { uid: number; gid: number } {
  const [name = '', group] = user.split(':');
  const known = image.users[name] ?? (name === 'root' ? ([0, 0] as const) : undefined);
  const uid = /^\d+$/.test(name) ? Number(name) : known?.[0];
  const gidOf = (text: string) => (/^\d+$/.test(text) ? Number(text) : image.users[text]?.[1]);
  // Without a group it is the user's own, or root's where the image does not know the user.
  const gidOfUser = Object.values(image.users).find(([other]) => other === uid)?.[1] ?? 0;
  const gid = group === undefined ? gidOfUser : gidOf(group);
  if (uid === undefined || gid === undefined) throw new Error(`The image has no user ${user}`);
  return { uid, gid };
}

/** The folder or file of an image that is at a path, if it has one. */
export function findInImage({ layers }: Image, path: string): string | undefined {
  return layers.map((layer) => join(layer, path)).find((found) => existsSync(found));
}
