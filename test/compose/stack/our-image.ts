/**
 * The image of this repository's Dockerfile, built from it line by line: the same files, owners and commands. Programs
 * come from this machine instead of the base image, and only Debian's essential ones, as there.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { projectFolder } from './compose-file.ts';
import {
  commandOf,
  type Instruction,
  parseDockerfile,
  parseDockerignore,
  type Stage,
  variablesOf,
} from './dockerfile.ts';
import { type Image, standardPath, writeUsers } from './image.ts';

export interface OurImageOptions {
  /** Text of the Dockerfile. */
  dockerfile?: string;
  /** Changes the built files before they are used, for a test of what happens without some. */
  change?: (root: string) => void;
}

interface Built {
  root: string;
  environment: Record<string, string>;
  entrypoint: string[];
  command: string[];
  workingFolder: string;
  user: string;
}

/** What the base image has (nodejs/docker-node, 24/bookworm-slim/Dockerfile): Debian, Node, a user. */
const baseName = /^(docker\.io\/library\/)?node:24\.21\.0-bookworm-slim(@sha256:[0-9a-f]{64})?$/;
const users = { node: [1000, 1000] } as const;
/** Their names follow from the architecture. */
const libraryFolders = ['/usr/lib', '/usr/lib64'].filter((path) => existsSync(path));
const nodeMount = { source: process.execPath, target: '/usr/local/bin/node', readOnly: true };

/** Makes the image in `folder`; what its build prints is part of the error. */
export function makeOurImage(folder: string, baseLayer: string, options: OurImageOptions = {}): Image {
  const { dockerfile = readFileSync(join(projectFolder, 'Dockerfile'), 'utf8'), change } = options;
  const ignoreFile = join(projectFolder, '.dockerignore');
  const context: Context = {
    folder,
    baseLayer,
    isIgnored: parseDockerignore(existsSync(ignoreFile) ? readFileSync(ignoreFile, 'utf8') : ''),
    built: new Map(),
  };
  const stages = parseDockerfile(dockerfile);
  for (const [index, stage] of stages.entries()) {
    const built = buildStage(stage, join(folder, `stage-${index}`), context);
    context.built.set(stage.as ?? `${index}`, built);
  }
  const { root, ...image } = [...context.built.values()].at(-1)!;
  change?.(root);
  return {
    ...image,
    layers: [root, essentialPrograms(join(folder, 'essential'))],
    mounts: [...libraryFolders.map((path) => ({ source: path, target: path, readOnly: true })), nodeMount],
    usrOfMachine: false,
    users,
  };
}

interface Context {
  folder: string;
  baseLayer: string;
  isIgnored(path: string): boolean;
  built: Map<string, Built>;
}

function buildStage({ from, instructions }: Stage, root: string, context: Context): Built {
  const before = context.built.get(from);
  if (!before && !baseName.test(from)) throw new Error(`This imitation has no base image ${from}`);
  cpSync(before?.root ?? context.baseLayer, root, { recursive: true, verbatimSymlinks: true });
  const built: Built = before
    ? { ...before, root }
    : {
        root,
        environment: { PATH: standardPath },
        entrypoint: [],
        command: ['node'],
        workingFolder: '/',
        user: 'root',
      };
  if (!before) {
    writeUsers(root, users);
    mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
  }
  for (const instruction of instructions) apply(instruction, built, context);
  return built;
}

function apply({ name, options, rest }: Instruction, built: Built, context: Context): void {
  if (name === 'COPY') copy(options, rest.split(/\s+/), built, context);
  else if (name === 'RUN') runStep(rest, built, context);
  else if (name === 'ENV') Object.assign(built.environment, variablesOf(rest));
  else if (name === 'USER') built.user = rest;
  else if (name === 'ENTRYPOINT') Object.assign(built, { entrypoint: commandOf(rest), command: [] });
  else if (name === 'CMD') built.command = commandOf(rest);
  else if (name === 'WORKDIR') {
    built.workingFolder = resolve(built.workingFolder, rest);
    mkdirSync(join(built.root, built.workingFolder), { recursive: true });
  }
}

function copy(options: Record<string, string>, words: string[], built: Built, context: Context): void {
  const { from, chown, chmod } = options;
  const source = from === undefined ? undefined : context.built.get(from);
  if (from !== undefined && !source) throw new Error(`COPY --from=${from}: there is no such stage`);
  const target = words.at(-1)!;
  const sources = words.slice(0, -1);
  for (const name of sources) {
    const path = source ? join(source.root, resolve('/', name)) : join(projectFolder, name);
    const at = join(built.root, resolve(built.workingFolder, target));
    const ignored = (below: string) => !source && context.isIgnored(join(name, below));
    const into =
      lstatSync(path).isFile() && (target.endsWith('/') || sources.length > 1) ? join(at, basename(path)) : at;
    const copied = copyTree(path, into, ignored);
    if (chmod) for (const file of copied) chmodSync(file, Number.parseInt(chmod, 8));
    if (chown) execFileSync('chown', ['-hR', ownerOf(chown), into]);
  }
}

function ownerOf(chown: string): string {
  const [user = '', group = user] = chown.split(':');
  const idOf = (name: string) => (name in users ? users[name as keyof typeof users][0] : name);
  return `${idOf(user)}:${idOf(group)}`;
}

/** @returns the paths of the files that were written */
function copyTree(from: string, to: string, isIgnored: (below: string) => boolean, below = ''): string[] {
  const status = lstatSync(from);
  if (status.isDirectory()) {
    // A folder that is left out may hold what is not.
    return readdirSync(from).flatMap((name) =>
      copyTree(join(from, name), join(to, name), isIgnored, join(below, name)),
    );
  }
  if (isIgnored(below)) return [];
  mkdirSync(dirname(to), { recursive: true });
  if (status.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else copyFileSync(from, to);
  return [to];
}

/**
 * RUN: as root in the stage's root, with all programs of this machine. npm finds what this machine's has fetched before,
 * and the settings that it was fetched with; nothing that it does there stays.
 */
function runStep(rest: string, { root, environment, workingFolder }: Built, { folder }: Context): void {
  const hold = join(folder, 'hold');
  const settings = Object.entries(process.env).filter(([name]) => /^(npm_config_|.*proxy$|.*CERT)/i.test(name));
  const variables = Object.entries({
    ...Object.fromEntries(settings),
    npm_config_prefer_offline: 'true',
    ...environment,
    HOME: '/root',
  }).map(([name, value]) => `${name}=${value}`);
  const script = join(folder, 'run.sh');
  writeFileSync(script, runScript(root, hold, [...variables, ...commandOf(rest)], workingFolder));
  const { status, stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', script], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`RUN ${rest}: exit code ${status}\n${stdout}${stderr}`);
}

function runScript(root: string, hold: string, words: string[], workingFolder: string): string {
  const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const [npmSettings, npmCache] = [join(homedir(), '.npmrc'), join(homedir(), '.npm')];
  return `set -e
mkdir -p ${hold} ${root}/root ${root}/proc ${root}/dev ${root}/tmp
mount --bind ${root}/usr/local ${hold}
mount --bind /usr ${root}/usr
mount -o remount,ro,bind ${root}/usr
mount --bind ${hold} ${root}/usr/local
touch ${root}/usr/local/bin/node
mount --bind ${nodeMount.source} ${root}/usr/local/bin/node
mount -t proc proc ${root}/proc
mount --rbind /dev ${root}/dev
mount -t tmpfs tmpfs ${root}/tmp
mount -t tmpfs tmpfs ${root}/root
touch ${root}/etc/resolv.conf && mount --bind /etc/resolv.conf ${root}/etc/resolv.conf
if test -f ${npmSettings}; then cp ${npmSettings} ${root}/root/.npmrc; fi
if test -d ${npmCache}; then
  mkdir ${root}/root/.npm ${root}/root/upper ${root}/root/work
  mount -t overlay overlay -o lowerdir=${npmCache},upperdir=${root}/root/upper,workdir=${root}/root/work ${root}/root/.npm
fi
exec unshare --root=${root} --wd=${workingFolder} env -i ${quoted}
`;
}

/** The programs of Debian's essential packages: what its slim images have, give or take a few. */
function essentialPrograms(folder: string): string {
  const list = execFileSync('dpkg-query', ['-W', '-f', `\${Essential} \${Package}\n`], { encoding: 'utf8' });
  const packages = [...list.matchAll(/^yes (\S+)$/gm)].map(([, name]) => name!);
  const files = execFileSync('dpkg-query', ['-L', ...packages], { encoding: 'utf8' }).split('\n');
  for (const file of new Set(files.map((path) => path.replace(/^\/(bin|sbin)\//, '/usr/$1/')))) {
    if (!/^\/usr\/s?bin\/./.test(file)) continue;
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    if (lstatSync(file).isSymbolicLink()) symlinkSync(readlinkSync(file), join(folder, file));
    else copyFileSync(file, join(folder, file));
  }
  return folder;
}
