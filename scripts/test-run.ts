/** What one run of the tests will do, and what came of it. */
import { parseArgs, stripVTControlCharacters } from 'node:util';
import type { Project } from './projects.ts';

/** Tests that were left out, and what to do to run them. `failed` where that is a fault. */
export interface NotRun {
  name: string;
  remedy: string;
  failed: boolean;
}
export interface Plan {
  /** Names of the projects to run. */
  names: string[];
  /** Variables that their tests find. */
  environment: Record<string, string>;
  notRun: NotRun[];
  /** Arguments for vitest. */
  args: string[];
  /** Tests were picked by file or name, so that others are left out on purpose. */
  chosen: boolean;
}
export interface Outcome {
  passed: number;
  failed: number;
  notRun: NotRun[];
  /** A line for each test and file that failed: what a long run has said of it is far above by then. */
  failures: string[];
}
/** The parts of vitest's JSON report that count. */
export interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: {
    name: string;
    status: string;
    message?: string;
    assertionResults: { status: string; fullName: string; failureMessages?: string[] | null }[];
  }[];
}

/** The project that runs a test file: the one with the longest suffix. */
export function projectOf(file: string, projects: readonly Project[]): Project | undefined {
  const fitting = projects.filter(({ suffix }) => file.endsWith(suffix));
  return fitting.toSorted((a, b) => b.suffix.length - a.suffix.length)[0];
}

/**
 * Chooses the projects that the arguments ask for and this machine can run. A project without any file is a fault:
 * its tests have been lost.
 *
 * @param args as for vitest: `[part of a file's path...] [--project name] [-t name] ...`
 * @param files every test file
 * @param strict whether what this machine cannot run counts as failed
 */
export function planRun(args: string[], files: string[], projects: readonly Project[], strict: boolean): Plan {
  const { values, positionals } = parseArgs({
    args,
    options: { project: { type: 'string', multiple: true }, testNamePattern: { type: 'string', short: 't' } },
    allowPositionals: true,
    strict: false,
  });
  const asked = files.filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)));
  const withFiles = new Set(asked.map((file) => projectOf(file, projects)?.name));
  const plan: Plan = {
    names: [],
    environment: {},
    notRun: [],
    args: args.filter((arg, index) => !/^--project(=|$)/.test(arg) && args[index - 1] !== '--project'),
    chosen: positionals.length > 0 || values.testNamePattern !== undefined,
  };
  for (const { name, suffix, readiness } of projects) {
    if (values.project && !values.project.includes(name)) continue;
    if (!withFiles.has(name)) {
      const remedy = `there is no file test/**/*${suffix}`;
      if (positionals.length === 0) plan.notRun.push({ name, remedy, failed: true });
      continue;
    }
    const state = readiness();
    if (!state.ready) {
      plan.notRun.push({ name, remedy: state.remedy, failed: strict });
      continue;
    }
    plan.names.push(name);
    Object.assign(plan.environment, state.environment);
  }
  return plan;
}

/**
 * Counts a report. A file that cannot be loaded, an error outside of any test, and a missing report are failures, too.
 * @param code vitest's exit code
 */
export function outcomeOf(report: Report | undefined, code: number, chosen: boolean, strict: boolean): Outcome {
  if (!report) return { passed: 0, failed: 1, notRun: [], failures: [] };
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  );
  const failed = report.numFailedTests + broken.length;
  const skipped = report.numPendingTests + report.numTodoTests;
  const notRun = skipped > 0 && !chosen ? [{ name: `${skipped} skipped`, remedy: 'see above', failed: strict }] : [];
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    notRun,
    failures: [
      ...broken.map(({ name, message = '' }) => lineOf(name, message)),
      ...report.testResults.flatMap(({ name, assertionResults }) =>
        assertionResults
          .filter(({ status }) => status === 'failed')
          .map(({ fullName, failureMessages }) => lineOf(`${name} > ${fullName}`, failureMessages?.[0] ?? '')),
      ),
    ],
  };
}

const messageCharactersMax = 500;

function lineOf(what: string, message: string): string {
  return `${what}: ${stripVTControlCharacters(message).replaceAll(/\s+/g, ' ').slice(0, messageCharactersMax)}`;
}
