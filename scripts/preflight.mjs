// @ts-check
/**
 * Says what is missing before one of the project's programs starts, and what to do about it; silent when all is well.
 *
 * Usage: node scripts/preflight.mjs [--dev] [--engine] | --node
 *   --dev     the development packages (tests, checks) are needed too
 *   --engine  a note is printed where the embedded ClickHouse engine is missing and CLICKHOUSE_URL is not set
 *   --node    only prints the path of the Node that runs the programs
 */
import { findEngineProblem, findNode, findProblems, readManifest, thisMachine } from './requirements.mjs';

const options = process.argv.slice(2);
const machine = thisMachine();
const manifest = readManifest();

if (options.includes('--node')) {
  console.log(findNode(machine, manifest).path ?? 'node');
  process.exit();
}

const problems = findProblems(machine, manifest, { dev: options.includes('--dev') });
for (const problem of problems) console.error(`Cannot start: ${problem}`);
if (problems.length > 0) process.exit(1);

if (options.includes('--engine') && !process.env.CLICKHOUSE_URL) {
  const problem = findEngineProblem(machine, manifest);
  if (problem) {
    console.error(
      `Note: the embedded ClickHouse engine is missing: ${problem}. Or set CLICKHOUSE_URL to a server's URL.`,
    );
  }
}
