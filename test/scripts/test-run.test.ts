import { describe, expect, test } from 'vitest';
import { type Project, projects, type Readiness } from '../../scripts/projects.ts';
import { outcomeOf, planRun, projectOf, type Report } from '../../scripts/test-run.ts';

function project(name: string, suffix: string, readiness: Readiness = { ready: true }): Project {
  return { name, suffix, workersMax: 1, timeoutMs: 1, readiness: () => readiness };
}

const node = project('node', '.test.ts');
const browser = project('browser', '.browser.test.ts', { ready: true, environment: { CHROMIUM: '/bin/c' } });
const noBrowser = project('browser', '.browser.test.ts', { ready: false, remedy: 'apt-get install chromium' });
const files = ['test/edge/edge.test.ts', 'test/console/page.browser.test.ts'];

function report({ passed = 1, failed = 0, pending = 0, todo = 0, results = [] as Report['testResults'] } = {}): Report {
  return {
    numPassedTests: passed,
    numFailedTests: failed,
    numPendingTests: pending,
    numTodoTests: todo,
    testResults: results,
  };
}

describe('the plan of a run', () => {
  const plan = (args: string[], more: { files?: string[]; projects?: Project[]; strict?: boolean } = {}) =>
    planRun(args, more.files ?? files, more.projects ?? [node, browser], more.strict ?? false);

  test('runs every project that the machine can run, with its environment', () => {
    expect(plan([])).toMatchObject({
      names: ['node', 'browser'],
      environment: { CHROMIUM: '/bin/c' },
      notRun: [],
      chosen: false,
    });
  });

  test.each([
    { strict: false, says: 'is only said' },
    { strict: true, says: 'has failed in CI' },
  ])('what the machine cannot run $says', ({ strict }) => {
    expect(plan([], { projects: [node, noBrowser], strict })).toMatchObject({
      names: ['node'],
      notRun: [{ name: 'browser', remedy: 'apt-get install chromium', failed: strict }],
    });
  });

  test('a project whose files are gone has failed everywhere', () => {
    expect(plan([], { files: ['test/edge/edge.test.ts'] }).notRun).toEqual([
      { name: 'browser', remedy: 'there is no file test/**/*.browser.test.ts', failed: true },
    ]);
  });

  test.each([
    { args: ['test/edge'], names: ['node'], rest: ['test/edge'], chosen: true },
    { args: ['--project', 'browser'], names: ['browser'], rest: [], chosen: false },
    { args: ['--project=node', '--bail=1'], names: ['node'], rest: ['--bail=1'], chosen: false },
    { args: ['-t', 'drains'], names: ['node', 'browser'], rest: ['-t', 'drains'], chosen: true },
    { args: ['nowhere'], names: [], rest: ['nowhere'], chosen: true },
  ])('takes vitest’s arguments: $args', ({ args, names, rest, chosen }) => {
    expect(plan(args)).toMatchObject({ names, args: rest, chosen, notRun: [] });
  });

  test('a file belongs to the project with the longest suffix', () => {
    expect(projectOf('test/a.browser.test.ts', projects)?.name).toBe('browser');
    expect(projectOf('test/a.faults.test.ts', projects)?.name).toBe('faults');
    expect(projectOf('test/a.other.test.ts', projects)?.name).toBe('node');
  });
});

describe('the outcome of a run', () => {
  const failedTest = {
    name: '/tree/test/a.test.ts',
    status: 'failed',
    assertionResults: [
      { status: 'passed', fullName: 'adds' },
      { status: 'failed', fullName: 'takes away', failureMessages: ['\u001b[31mexpected 2\u001b[39m\n  to be 1'] },
    ],
  };
  const brokenFile = { name: '/tree/test/b.test.ts', status: 'failed', message: 'no such file', assertionResults: [] };

  test.each([
    { what: 'all passed', report: report({ passed: 3 }), code: 0, passed: 3, failed: 0 },
    { what: 'a test failed', report: report({ failed: 1, results: [failedTest] }), code: 1, passed: 1, failed: 1 },
    { what: 'a file could not be loaded', report: report({ results: [brokenFile] }), code: 1, passed: 1, failed: 1 },
    { what: 'something else threw', report: report(), code: 1, passed: 1, failed: 1 },
    { what: 'there is no report', report: undefined, code: 0, passed: 0, failed: 1 },
  ])('$what', ({ report, code, passed, failed }) => {
    expect(outcomeOf(report, code, false, true)).toMatchObject({ passed, failed, notRun: [] });
  });

  test('a line tells of each failure', () => {
    const { failures } = outcomeOf(report({ failed: 1, results: [failedTest, brokenFile] }), 1, false, true);
    expect(failures).toEqual([
      '/tree/test/b.test.ts: no such file',
      '/tree/test/a.test.ts > takes away: expected 2 to be 1',
    ]);
  });

  test('skipped tests are not run, unless others were picked', () => {
    expect(outcomeOf(report({ pending: 1, todo: 1 }), 0, false, true).notRun).toMatchObject([
      { name: '2 skipped', failed: true },
    ]);
    expect(outcomeOf(report({ pending: 1 }), 0, true, true).notRun).toEqual([]);
  });
});
