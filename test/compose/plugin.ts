/** What Docker's compose plug-in makes of the compose file, with nothing but the files that a test gives it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toolPath } from './tools.ts';

export interface ConfigFields {
  /** Text of docker-compose.yml. */
  file?: string;
  /** Text of .env; no such file where it is undefined. */
  env?: string;
  profiles?: readonly string[];
  /** Only these and what they depend on, as in `docker compose up <service...>`; all where it is empty. */
  services?: readonly string[];
}
/** The model as `docker compose config --format json` prints it: defaults filled in, short forms written out. */
export interface ComposeModel {
  services: Record<string, { image?: string; [key: string]: unknown }>;
  [key: string]: unknown;
}
export interface Config {
  /** All that the plug-in complains of; empty where it has nothing to say. Without a model this holds the error. */
  complaints: string;
  model: ComposeModel | undefined;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Text of a file of the repository. */
export function readRepository(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** Runs `docker compose config` in a folder that holds only the compose file and .env, in an empty environment. */
export function composeConfig({
  file = readRepository('docker-compose.yml'),
  env,
  profiles = [],
  services = [],
}: ConfigFields = {}): Config {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-compose-'));
  try {
    writeFileSync(join(folder, 'docker-compose.yml'), file);
    if (env !== undefined) writeFileSync(join(folder, '.env'), env);
    const options = profiles.flatMap((profile) => ['--profile', profile]);
    const args = ['--project-name', 'hookwatch', ...options, 'config', '--format', 'json', ...services];
    const { status, stdout, stderr, error } = spawnSync(toolPath('docker-compose'), args, {
      cwd: folder,
      encoding: 'utf8',
      env: { HOME: folder },
      timeout: 60_000,
    });
    if (error) throw new Error('Cannot run docker compose config', { cause: error });
    const complaints = stderr.replaceAll(folder, '.').trim();
    if (status !== 0) return { complaints: complaints || `code ${status}`, model: undefined };
    return { complaints, model: JSON.parse(stdout.replaceAll(folder, '.')) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
