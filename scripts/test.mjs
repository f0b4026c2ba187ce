// @ts-check
/**
 * Behind `npm test`: runs every test that this machine can run and says what was left out and how to run it.
 * The last line is `N passed, N failed`. With CI=true whatever was not run counts as failed.
 *
 * Usage: node scripts/test.mjs [arguments of vitest: part of a file's path, --project name, -t name ...]
 */
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { projects } from './projects.ts';
import { outcomeOf, planRun } from './test-run.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
const strict = process.env.CI === 'true';

const plan = planRun(process.argv.slice(2), globSync('test/**/*.test.ts', { cwd: root }), projects, strict);
/** Tests that start `node` get this one. */
const environment = {
  ...process.env,
  ...plan.environment,
  PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
};

const { passed, failed, notRun, failures } = await run();
const leftOut = [...plan.notRun, ...notRun];
const failedTotal = failed + leftOut.filter((entry) => entry.failed).length;
for (const failure of failures) console.log(`FAILED: ${failure.replace(root, '')}`);
for (const { name, remedy } of leftOut) console.log(`NOT RUN: ${name}: ${remedy}`);
console.log(`${passed} passed, ${failedTotal} failed`);
process.exitCode = failedTotal > 0 || passed === 0 ? 1 : 0;

async function run() {
  if (plan.names.length === 0) return { passed: 0, failed: 0, notRun: [], failures: [] };
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-test-'));
  const file = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const names = plan.names.map((name) => `--project=${name}`);
  try {
    const code = await exitCodeOf(process.execPath, [vitest, 'run', ...reporters, ...names, ...plan.args]);
    return outcomeOf(readReport(file), code, plan.chosen, strict);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} file */
function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    console.error(`Cannot count the tests: vitest wrote no report (${error})`);
    return undefined;
  }
}

/**
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<number>} 1 when a signal ended it
 */
function exitCodeOf(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: environment });
    // The terminal sends SIGINT to both; a supervisor sends SIGTERM to this process only.
    process.on('SIGINT', () => {});
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
