// @ts-check
/**
 * Behind `npm run check`: format, lint, types, generated records, house rules and the tests that need no server, side
 * by side. A line per step with its time; the output of a step only where it failed.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = fileURLToPath(new URL('../node_modules/.bin/', import.meta.url));
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));

/** @type {Record<string, string[]>} */
const steps = {
  'format and lint': [process.execPath, `${bin}biome`, 'check', '--error-on-warnings', '.'],
  types: [process.execPath, `${bin}tsc`, '-p', '.'],
  'types of the page': [process.execPath, `${bin}tsc`, '-p', 'services/console/page'],
  'generated records': [process.execPath, 'scripts/generate-records.ts', '--check'],
  'house rules and tests that need no server': [process.execPath, vitest, 'run', '--project=node'],
};

const startMs = performance.now();
const results = await Promise.all(Object.entries(steps).map(([name, command]) => runStep(name, command)));
const failed = results.filter((ok) => !ok).length;
console.log(`${failed === 0 ? 'All is well' : `${failed} of ${results.length} steps failed`} (${seconds(startMs)})`);
process.exitCode = failed === 0 ? 0 : 1;

/** @param {string} name @param {string[]} command @returns {Promise<boolean>} */
function runStep(name, [file, ...args]) {
  const stepStartMs = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(/** @type {string} */ (file), args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', reject);
    child.on('close', (code) => {
      console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds(stepStartMs)})`);
      if (code !== 0) console.log(output.replace(/^/gm, '  '));
      resolve(code === 0);
    });
  });
}

/** @param {number} sinceMs */
function seconds(sinceMs) {
  return `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;
}
