/** Programs of this machine that tests run. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

export const chromiumNames = ['chromium', 'chromium-browser', 'google-chrome'];

/** Path of the first of some programs that is on PATH; undefined where none is. */
export function findOnPath(names: readonly string[], { PATH = '' }: Environment = process.env): string | undefined {
  const folders = PATH.split(delimiter).filter(Boolean);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

/** Path of the browser: the environment's CHROMIUM, else the first of the usual names on PATH; undefined if none. */
export function findChromium(environment: Environment = process.env): string | undefined {
  return environment.CHROMIUM || findOnPath(chromiumNames, environment);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
