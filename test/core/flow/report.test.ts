import { expect, test } from 'vitest';
import type { BackupState } from '../../../services/core/flow/backups.ts';
import type { CoverageLevel, CoverageState } from '../../../services/core/flow/coverage.ts';
import type { ComparisonState } from '../../../services/core/flow/reconciliations.ts';
import { reportLane } from '../../../services/core/flow/report.ts';
import { createState } from '../../../services/core/flow/state.ts';

function coverage(...levels: CoverageLevel[]): CoverageState {
  const rows = levels.map((level, index) => ({ startedAt: index, endedAt: null, level, reasons: [`reason ${index}`] }));
  return { since: 0, floor: 0, measuredAt: null, comparedAt: null, causes: {}, rows, revision: 1 };
}

function comparison(fields: Partial<ComparisonState> = {}): ComparisonState {
  return {
    revision: 1,
    provider: 'centurylink',
    firstReceivedAt: 0,
    startedAt: 0,
    completedAt: 1,
    complete: true,
    bootstrap: false,
    servers: 0,
    accounts: 1,
    missed: { creations: 0, changes: 0, deletions: 0 },
    byEndpoint: {},
    ...fields,
  };
}

function backup(fields: Partial<BackupState> = {}): BackupState {
  return {
    id: 'b',
    firstReceivedAt: 0,
    revision: 1,
    server: 'WEB01',
    policy: 'daily',
    policyId: '',
    reports: [{ at: 5, result: 'failed', event: 'e' }],
    before: null,
    health: 'failing',
    alarmAt: 0,
    ...fields,
  };
}

test('coverage: how it stands now, the worst first, equals by name', () => {
  const state = createState();
  state.coverage.set('', 'centurylink:B', coverage('blind', 'good'));
  state.coverage.set('', 'centurylink:D', coverage('degraded'));
  state.coverage.set('', 'centurylink:C', coverage('good', 'blind'));
  state.coverage.set('', 'centurylink:A', coverage('good'));
  expect(reportLane(state, 3).coverage).toEqual({
    rows: [
      { account: 'centurylink:C', state: 'blind', reasons: ['reason 1'], since: 1 },
      { account: 'centurylink:D', state: 'degraded', reasons: ['reason 0'], since: 0 },
      { account: 'centurylink:A', state: 'good', reasons: ['reason 0'], since: 0 },
    ],
    count: 4,
  });
});

test('losses: the hours of a pair are added up', () => {
  const state = createState();
  const loss = { endpoint: 'a', other: 'b', account: 'centurylink:A', revision: 1 };
  state.losses.set('000000001', 'a|b', { ...loss, both: 10, alone: 1 });
  state.losses.set('000000002', 'a|b', { ...loss, both: 5, alone: 2 });
  state.losses.set('000000002', 'b|a', { ...loss, endpoint: 'b', other: 'a', both: 5, alone: 9 });
  const { rows } = reportLane(state, 10).losses;
  expect(rows.map(({ endpoint, both, alone }) => [endpoint, both, alone])).toEqual([
    ['b', 5, 9],
    ['a', 15, 3],
  ]);
});

test('comparisons: the newest of each account, and not those of whole runs', () => {
  const state = createState();
  const missed = { creations: 1, changes: 2, deletions: 3 };
  state.comparisons.set('run-b', 'centurylink:A', comparison({ startedAt: 1, bootstrap: true }));
  state.comparisons.set('run-a', 'centurylink:A', comparison({ startedAt: 2, missed, byEndpoint: { hook: 6 } }));
  state.comparisons.set('run-a', 'centurylink:B', comparison({ startedAt: 2, completedAt: null }));
  state.comparisons.set('run-a', '', comparison({ startedAt: 9 }));
  expect(reportLane(state, 10).comparisons).toMatchObject({
    rows: [
      { account: 'centurylink:A', run: 'run-a', missed, byEndpoint: { hook: 6 } },
      { account: 'centurylink:B', completedAt: null },
    ],
    count: 2,
  });
});

test('backups: those that are not as they should be', () => {
  const state = createState();
  const before = { at: 1, lastSuccessAt: 1, lastMissedAt: null, failures: 2, missed: 0 };
  state.backups.set('backup:A', 'WEB01|daily', backup({ before }));
  state.backups.set('backup:A', 'WEB02|daily', backup({ health: 'ok' }));
  expect(reportLane(state, 10).backups).toEqual({
    rows: [
      {
        account: 'backup:A',
        server: 'WEB01',
        policy: 'daily',
        state: 'failing',
        lastSuccessAt: 1,
        lastReportAt: 5,
        failures: 3,
        missed: 0,
      },
    ],
    count: 1,
  });
});
