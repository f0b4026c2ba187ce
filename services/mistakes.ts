/** What is wrong in settings, collected so that all of it is told at once. */
import { readFileSync } from 'node:fs';
import type { z } from 'zod';

/** One or several settings are wrong; `message` lists them all. A retry does not help. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID';
}

/** A line for each, with the place where it stands. */
export function listIssues(place: string, error: z.ZodError): string {
  return error.issues.map((issue) => `\n  ${place}: ${issue.path.join('.')}: ${issue.message}`).join('');
}

/** The text of a file; empty, and a mistake, where it cannot be read. */
export function readOrReport(path: string, mistakes: string[]): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    mistakes.push(`cannot read ${path}: ${(error as Error).message}`);
    return '';
  }
}

export function reportDuplicates(what: string, names: readonly string[], mistakes: string[]): void {
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) < index) mistakes.push(`${what} ${name} is given twice`);
  }
}
