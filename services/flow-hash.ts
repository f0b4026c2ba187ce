import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, sep } from 'node:path';

const coreFolder = join(import.meta.dirname, 'core');
/** What the core computes with besides its own code. */
const packages = ['avsc', 'zod'];

let known: string | undefined;

/**
 * Names the function of a lane that this code is: 16 hex digits of a SHA-256 over all code of the core, the versions of
 * the packages that it uses, and the major version of Node. Equal for equal code on every machine.
 */
export function flowHash(): string {
  known ??= computeHash();
  return known;
}

function computeHash(): string {
  const digest = createHash('sha256');
  const require = createRequire(import.meta.url);
  for (const name of packages) digest.update(`${name} ${require(`${name}/package.json`).version}\n`);
  digest.update(`node ${process.versions.node.split('.')[0]}\n`);
  const paths = globSync('**/*.ts', { cwd: coreFolder }).map((path) => path.split(sep).join('/'));
  for (const path of paths.sort()) {
    const text = readFileSync(join(coreFolder, path), 'utf8').replaceAll('\r\n', '\n');
    digest.update(`${path} ${Buffer.byteLength(text)}\n${text}`);
  }
  return digest.digest('hex').slice(0, 16);
}
