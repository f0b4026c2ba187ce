// @ts-check
/**
 * What the programs need of a machine, and what to do where it is missing. Plain JavaScript for Node 18 and newer,
 * because it may run on whatever Node the machine has.
 *
 * Node 24 comes as one of npm's platform packages. They all call their program `node`, and npm 10 and older remove
 * node_modules/.bin/node together with the packages of other platforms; so the program is looked for in its package.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const nodeMajorMin = 24;

/**
 * @typedef {object} Machine
 * @property {string} platform
 * @property {string} arch
 * @property {boolean} musl
 * @property {string} nodeVersion of the Node that runs, for example 24.21.0
 * @property {string} nodePath of the Node that runs
 * @property {(name: string) => string | undefined} installedVersion of a package in node_modules
 *
 * @typedef {object} Manifest
 * @property {Record<string, string>} dependencies
 * @property {Record<string, string>} devDependencies
 * @property {Record<string, string>} optionalDependencies
 */

/**
 * What keeps the programs from starting, a sentence each; empty when all is well.
 * @param {Machine} machine
 * @param {Manifest} manifest
 * @param {{ dev: boolean }} needs
 * @returns {string[]}
 */
export function findProblems(machine, manifest, needs) {
  if (machine.platform === 'win32') return ['Windows itself is not supported: use WSL 2, which counts as Linux.'];
  const wanted = Object.entries({ ...manifest.dependencies, ...(needs.dev ? manifest.devDependencies : {}) });
  const missing = wanted.filter(([name]) => machine.installedVersion(name) === undefined);
  if (missing.length === wanted.length) return ['The packages are not installed: run `npm ci`.'];

  const problems = [];
  if (missing.length > 0) {
    problems.push(`Packages are missing (${missing.map(([name]) => name).join(', ')}): run \`npm ci\`.`);
  }
  for (const [name, version] of wanted) {
    // npm takes a version with a leading `v` for the same one; a package may have been published with it.
    const installed = machine.installedVersion(name)?.replace(/^v/, '');
    if (installed === undefined || installed === version) continue;
    problems.push(`${name} ${version} is needed, ${installed} is installed: run \`npm ci\`.`);
  }
  const { problem } = findNode(machine, manifest);
  return problem ? [...problems, problem] : problems;
}

/**
 * The Node that runs the programs: the one that runs this, if it is new enough, or the one from the package.
 * @param {Machine} machine
 * @param {Manifest} manifest
 * @returns {{ path: string, problem?: undefined } | { path?: undefined, problem: string }}
 */
export function findNode(machine, manifest) {
  if (Number.parseInt(machine.nodeVersion, 10) >= nodeMajorMin) return { path: machine.nodePath };
  const target = `${machine.platform}-${machine.arch}`;
  const found = `Node ${nodeMajorMin} or newer is needed, this is ${machine.nodeVersion}`;
  const name = Object.keys(manifest.optionalDependencies).find((name) => /^node-/.test(name) && name.endsWith(target));
  const self = `install Node ${nodeMajorMin} yourself.`;
  if (machine.musl) return { problem: `${found}. The packages of Node need glibc and this Linux has musl: ${self}` };
  if (!name) return { problem: `${found}. There is no package of Node for ${target}: ${self}` };
  if (machine.installedVersion(name) !== undefined) return { path: pathOf(`${name}/bin/node`) };
  return {
    problem: `${found}. The package ${name} brings it but is not installed: run \`npm ci --include=optional\`.`,
  };
}

/**
 * The package that holds the ClickHouse engine's library, and how to get it, where it is not installed.
 * @param {Machine} machine
 * @param {Manifest} manifest
 * @returns {string | undefined}
 */
export function findEngineProblem(machine, manifest) {
  if (machine.musl) return 'the package chdb is made for glibc and this Linux has musl';
  const library = `@chdb/lib-${machine.platform}-${machine.arch}${machine.platform === 'linux' ? '-gnu' : ''}`;
  if (machine.installedVersion('chdb') === undefined) return 'npm ci --include=optional (package chdb)';
  if (machine.installedVersion(library) !== undefined) return undefined;
  return `npm install --no-save chdb@${manifest.optionalDependencies.chdb} ${library} (no such package: no engine for this machine)`;
}

/** @returns {Machine} */
export function thisMachine() {
  return {
    platform: process.platform,
    arch: process.arch,
    musl: process.platform === 'linux' && readdirSync('/lib').some((file) => file.startsWith('ld-musl')),
    nodeVersion: process.versions.node,
    nodePath: process.execPath,
    installedVersion(name) {
      try {
        return JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8'))
          .version;
      } catch {
        return undefined;
      }
    },
  };
}

/** @returns {Manifest} */
export function readManifest() {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
}

/** @param {string} file within node_modules */
function pathOf(file) {
  return fileURLToPath(new URL(`../node_modules/${file}`, import.meta.url));
}
