// @ts-check
/**
 * Builds the programs that tests of the compose stack need (Caddy, promtool, Docker's compose plug-in, a client of
 * ClickHouse) from their Go modules into .cache/tools, once; see tool-recipes.mjs. Needs Go and, unless Go's own caches hold all, its module proxy.
 */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { basename, join } from 'node:path';
import { digestFile, goProblem, isBuilt, readRecipe, sourceFolder, tools, toolsFolder } from './tool-recipes.mjs';

/** @typedef {import('./tool-recipes.mjs').Recipe} Recipe */

const usage = `Usage: node scripts/tools.mjs [--check] [--help] [${tools.map(({ name }) => name).join(' | ')} ...]
Builds these tools, or all, where they are not built yet, from Go modules whose versions and digests are pinned in
scripts/tools. They lie in .cache/tools; HOOKWATCH_TOOLS_CACHE names another folder.
  --check  builds nothing: ends with code 1 where a tool is missing or was built by another recipe
Ends with code 0 when every tool is there, 1 when one is not, 2 on wrong usage.`;
const progressMs = 30_000;
/** Below everything that somebody waits for: a cold build loads every core for minutes. */
const niceness = 10;
/** Builds do not depend on how somebody has set Go up, but for its caches, proxy and checksum database. */
const environment = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off', GOOS: '', GOARCH: '' };

process.exitCode = await main(process.argv.slice(2));

/** @param {string[]} args */
async function main(args) {
  const names = args.filter((arg) => !arg.startsWith('-'));
  const options = args.filter((arg) => arg.startsWith('-'));
  if (options.includes('--help')) {
    console.log(usage);
    return 0;
  }
  const unknown = [
    ...options.filter((option) => option !== '--check'),
    ...names.filter((name) => !tools.some((tool) => tool.name === name)),
  ];
  if (unknown.length > 0) {
    console.error(`Unknown: ${unknown.join(', ')}\n${usage}`);
    return 2;
  }
  const wanted = tools.filter(({ name }) => names.length === 0 || names.includes(name)).map(readRecipe);
  const missing = wanted.filter((recipe) => !isBuilt(recipe));
  for (const recipe of wanted) if (!missing.includes(recipe)) console.log(`${titleOf(recipe)}: ${recipe.program}`);
  return options.includes('--check') ? report(missing) : await buildAll(missing);
}

/** @param {Recipe[]} missing */
function report(missing) {
  for (const recipe of missing) console.log(`${titleOf(recipe)}: not built`);
  return missing.length > 0 ? 1 : 0;
}

/** One after the other: each build loads every core. @param {Recipe[]} missing */
async function buildAll(missing) {
  if (missing.length === 0) return 0;
  setPriority(niceness);
  for (const recipe of missing) {
    try {
      await build(recipe);
    } catch (error) {
      console.error(`Cannot build ${titleOf(recipe)}: ${error instanceof Error ? error.message : error}`);
      return 1;
    }
  }
  return 0;
}

/** @param {Recipe} recipe */
async function build(recipe) {
  const { tool, flags, folder, program } = recipe;
  const cwd = sourceFolder(tool);
  const version = spawnSync('go', ['version'], { cwd, env: environment, encoding: 'utf8' });
  const problem = goProblem(`${version.stdout}`, recipe.goMin);
  if (problem) throw new Error(`${problem}${version.stderr ? `\n${version.stderr.trimEnd()}` : ''}`);

  mkdirSync(toolsFolder(), { recursive: true });
  // Beside its place: it appears there at once and whole.
  const draft = mkdtempSync(join(toolsFolder(), 'build-'));
  const startedAt = performance.now();
  try {
    const output = join(draft, tool.name);
    const source = tool.source === '' ? '.' : `${tool.module}/${tool.source}`;
    await runGo(['build', '-v', ...flags, '-o', output, source], cwd, titleOf(recipe));
    for (const { module, path } of tool.extras) {
      copyFileSync(join(moduleFolder(module, cwd), path), join(draft, basename(path)));
    }
    writeFileSync(join(draft, digestFile), `${recipe.digest}\n`);
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    const megabytes = Math.round(statSync(output).size / 1e6);
    place(draft, recipe);
    console.log(`${titleOf(recipe)}: ${program} (${seconds} s, ${megabytes} MB)`);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  if (!existsSync(folder)) throw new Error(`${folder} is not there`);
}

/** Another run may have built the same meanwhile, and somebody may be using it. @param {string} draft @param {Recipe} recipe */
function place(draft, recipe) {
  if (isBuilt(recipe)) return;
  rmSync(recipe.folder, { recursive: true, force: true });
  renameSync(draft, recipe.folder);
}

/** Folder of a module of the build in Go's cache. @param {string} module @param {string} cwd */
function moduleFolder(module, cwd) {
  const args = ['list', '-mod=readonly', '-m', '-f', '{{.Dir}}', module];
  const { status, stdout, stderr } = spawnSync('go', args, { cwd, env: environment, encoding: 'utf8' });
  if (status !== 0) throw new Error(`go list ended with code ${status}\n${stderr}`);
  return stdout.trim();
}

/**
 * Says now and then how far it is. All that Go prints is shown where it fails.
 * @param {string[]} args
 * @param {string} cwd
 * @param {string} title
 * @returns {Promise<void>}
 */
function runGo(args, cwd, title) {
  console.log(`${title}: building`);
  const startedAt = performance.now();
  let printed = '';
  return new Promise((resolve, reject) => {
    const go = spawn('go', args, { cwd, env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
    const timer = setInterval(() => {
      const seconds = Math.round((performance.now() - startedAt) / 1000);
      const lines = printed.split('\n');
      const fetched = lines.filter((line) => line.startsWith('go: downloading ')).length;
      console.log(
        `${title}: ${seconds} s, ${fetched} modules fetched, ${lines.length - 1 - fetched} packages compiled`,
      );
    }, progressMs);
    // Whoever stops this stops Go, which ends the build in the usual way: nothing of it stays.
    const stop = () => go.kill();
    process.on('SIGINT', stop).on('SIGTERM', stop);
    go.stderr.setEncoding('utf8').on('data', (text) => {
      printed += text;
    });
    go.on('error', reject);
    go.on('close', (code, signal) => {
      clearInterval(timer);
      process.off('SIGINT', stop).off('SIGTERM', stop);
      if (code === 0) resolve();
      else reject(new Error(`go ended with ${signal ?? `code ${code}`}\n${printed.trimEnd()}`));
    });
  });
}

/** @param {Recipe} recipe */
function titleOf({ tool, version }) {
  return `${tool.name} ${version}`;
}
