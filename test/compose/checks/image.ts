/** Whether the image has what its processes read, and nothing that is only for tests. */
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { importsOf, readTree, type Source } from '../../house-rules/source.ts';
import { parseDockerfile, type Stage } from '../stack/dockerfile.ts';
import { type Check, isOneShot, isOurs, isThere } from './stack.ts';

/** What a program names by a URL of its own rather than by an import. */
const beside = /new URL\(\s*'(\.[^']+)',\s*import\.meta\.url\s*\)/g;
/** What starts a container of ours. */
const entries = ['services/hookwatch.ts', 'scripts/healthcheck.mjs'];
/** Of the embedded engine, which the image does not have; loaded only where it is asked for. */
const optional = ['chdb'];

const tree = new Map(readTree().map((source) => [source.path, source]));

/** Paths that the last stage copies from the repository; all are below the working folder under the same name. */
function copiedPaths(dockerfile: string): string[] {
  return copiedBy(parseDockerfile(dockerfile).at(-1)!);
}

function copiedBy({ instructions }: Stage): string[] {
  return instructions
    .filter(({ name, options }) => name === 'COPY' && options.from === undefined)
    .flatMap(({ rest }) => rest.split(/\s+/).slice(0, -1));
}

const isWithin = (path: string, folders: readonly string[]) =>
  folders.some((folder) => path === folder || path.startsWith(`${folder}/`));

/** Every file that a process reads, and every package that it loads. */
function reachable(): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const queue = [...entries];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (files.has(path)) continue;
    files.add(path);
    const source = tree.get(path);
    if (!source) continue;
    for (const { specifier, target } of importsOf(source)) {
      if (target !== undefined) queue.push(target);
      else if (!isBuiltin(specifier)) packages.add(packageOf(specifier));
    }
    queue.push(...besides(source));
  }
  return { files, packages };
}

function besides({ path, text }: Source): string[] {
  return [...text.matchAll(beside)].map(([, reference]) =>
    posix.join(posix.dirname(path), reference!).replace(/\/$/, ''),
  );
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

const copied: Check = ({ files }) => {
  const paths = copiedPaths(files.dockerfile);
  return [
    ...paths.filter((path) => !isThere(path)).map((path) => `${path} is copied, and not there`),
    ...paths.filter((path) => isWithin('test', [path])).map((path) => `${path} has tests in it`),
    ...[...reachable().files].filter((path) => !isWithin(path, paths)).map((path) => `${path} is read, and not copied`),
  ];
};

const packages: Check = ({ files }) => {
  const { dependencies } = JSON.parse(files.manifest);
  return [...reachable().packages]
    .filter((name) => !(name in dependencies) && !optional.includes(name))
    .map((name) => `${name} is loaded, and no package of production`);
};

/** The builder is sent what is copied, and nothing else. */
const sent: Check = ({ files }) => {
  const [first, ...rest] = files.dockerignore.split('\n').filter((line) => line && !line.startsWith('#'));
  const allowed = rest.map((line) => line.replace(/^!/, ''));
  const wanted = parseDockerfile(files.dockerfile).flatMap(copiedBy);
  return [
    ...(first === '*' && rest.every((line) => line.startsWith('!')) ? [] : ['more is sent than what is named']),
    ...wanted.filter((path) => !isWithin(path, allowed)).map((path) => `${path} is copied, and not sent`),
    ...allowed.filter((path) => !wanted.includes(path)).map((path) => `${path} is sent, and not copied`),
  ];
};

/** Not root, a version that stays the same, production's packages only, and a check that is in the image. */
const dockerfile: Check = ({ files }) => {
  const text = files.dockerfile;
  const stages = [...text.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image!);
  const check = /HEALTHCHECK .*CMD \["node", "\/app\/([^"]+)"\]/.exec(text)?.[1];
  return [
    ...stages.filter((image) => !/^node:\d+\.\d+\.\d+-/.test(image)).map((image) => `${image} is another one tomorrow`),
    ...(new Set(stages).size === 1 && stages.length > 1
      ? []
      : ['packages are made by another Node, or in the image itself']),
    ...(/^USER [1-9]\d*:\d+$/m.test(text) ? [] : ['runs as root']),
    ...(/npm ci --omit=dev --omit=optional/.test(text) ? [] : ['has more packages than production needs']),
    ...(check && isWithin(check, copiedPaths(text)) ? [] : [`its health check ${check} is not copied`]),
  ];
};

/** What our containers are asked by is in the image, where they look for it. */
const healthScript: Check = (stack) => {
  const paths = copiedPaths(stack.files.dockerfile).map((path) => `/app/${path}`);
  return Object.entries(stack.services)
    .filter(([, service]) => isOurs(service) && !isOneShot(service))
    .filter(([, { healthcheck }]) => !isWithin(healthcheck?.test?.[2] ?? '', paths))
    .map(([name, { healthcheck }]) => `${name}: ${healthcheck?.test?.join(' ')} is not in the image`);
};

/** A named volume takes its owner from the image's folder: each that we write to is there. */
const folders: Check = (stack) => {
  const made = /mkdir -p ([^\\\n]+)/.exec(stack.files.dockerfile)?.[1]?.trim().split(' ') ?? [];
  return Object.entries(stack.services)
    .filter(([, service]) => isOurs(service))
    .flatMap(([name, { mounts }]) =>
      mounts
        .filter(
          ({ type, read_only, target }) =>
            type === 'volume' &&
            !read_only &&
            !isWithin(target, made) &&
            !made.some((path) => isWithin(path, [target])),
        )
        .map(({ target }) => `${name}: ${target} belongs to root`),
    );
};

export const imageChecks = { copied, packages, sent, dockerfile, healthScript, folders };
