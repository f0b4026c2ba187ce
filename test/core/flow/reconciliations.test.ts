/** Comparisons with a provider's API. Times in minutes after the start. */
import { describe, expect, test } from 'vitest';
import { summarize } from '../../../services/core/flow/summary.ts';
import type { Reconciliation } from '../../../services/core/records/generated.ts';
import { accountBody, iso, type LaneBuilder, laneOf, serverBody, settingsDocument, startMs } from './lane.ts';
import { rowsOf, work } from './watched.ts';

const minute = 60_000;
const hour = 60;
const at = (minutes: number) => startMs + minutes * minute;
const acme = 'centurylink:ACME';
const sub = 'centurylink:SUB';

const endpoint = (event: string, account: string, recursive: boolean) => ({
  name: `${account.toLowerCase()}-${event.toLowerCase().replace('.', '-')}`,
  provider: 'centurylink',
  event,
  account,
  recursive,
});
const endpoints = ['Server.Created', 'Server.Updated', 'Server.Deleted'].flatMap((event) => [
  endpoint(event, 'ACME', true),
  endpoint(event, 'SUB', false),
]);

/** SUB is below ACME; a tick every so often is all that time needs here. */
function begun(listened: object[] = endpoints): LaneBuilder {
  const lane = laneOf();
  const predecessor = (lane.records[0]!.record.value as { id: string }).id;
  lane.control({
    kind: 'settings',
    predecessor,
    document: JSON.stringify({ ...settingsDocument, endpoints: listened }),
  });
  lane.post('Account.Created', accountBody('SUB'), 0);
  return lane;
}

interface Phase {
  at: number;
  run?: string;
  phase: 'begin' | 'complete' | 'failed';
  bootstrap?: boolean;
  startedAt?: number;
  accounts?: { account: string; servers: number; complete: boolean }[];
}

function tell(
  lane: LaneBuilder,
  { at: now, run = 'run-1', phase, bootstrap = false, startedAt = now, accounts = [] }: Phase,
) {
  const document = {
    run,
    provider: 'centurylink',
    host: 'api.ctl.io',
    phase,
    bootstrap,
    scope: 'all',
    started_at: at(startedAt),
    reason: '',
    accounts,
  };
  lane.control({
    kind: 'reconciliation',
    received_at: at(now),
    idempotency_id: `reconcile-${run}-${phase}`,
    document: JSON.stringify(document),
  });
}

/** What a walk found that the lane did not know. */
function recover(lane: LaneBuilder, event: string, body: object, now: number, more: Record<string, string> = {}): void {
  lane.post(event, body, now * minute, {
    origin: 'reconcile',
    endpoint: 'reconcile',
    account: sub,
    key_id: 'reconcile:api.ctl.io',
    headers: { 'hookwatch-run': 'run-1', ...more },
  });
}

const rows = (lane: LaneBuilder): Reconciliation[] => rowsOf(work(lane.records).outputs, 'reconciliation');
const coverage = (lane: LaneBuilder, account: string) =>
  rowsOf(work(lane.records).outputs, 'coverage')
    .filter((row) => row.account === account)
    .map(({ state, reasons, started_at, ended_at }) =>
      [
        state,
        (started_at - startMs) / minute,
        ended_at === null ? 'on' : (ended_at - startMs) / minute,
        ...reasons,
      ].join(' '),
    );

const modified = (minutes: number) => ({
  changeInfo: { createdDate: iso(at(-600)), modifiedDate: iso(at(minutes)) },
});

describe('a run', () => {
  test('has a row from its beginning on, and one for each account at its end', () => {
    const lane = begun();
    tell(lane, { at: 1, phase: 'begin' });
    expect(rows(lane)).toMatchObject([
      { run: 'run-1', account: '', completed_at: null, complete: false, started_at: at(1) },
    ]);
    const accounts = [
      { account: acme, servers: 7, complete: true },
      { account: sub, servers: 3, complete: true },
    ];
    tell(lane, { at: 5, startedAt: 1, phase: 'complete', accounts });
    const told = rows(lane).toSorted((a, b) => (a.account < b.account ? -1 : 1));
    expect(told).toMatchObject([
      { account: '', complete: true, completed_at: at(5), accounts_checked: 2, servers_checked: 10, missed_changes: 0 },
      { account: acme, complete: true, completed_at: at(5), accounts_checked: 1, servers_checked: 7 },
      { account: sub, complete: true, completed_at: at(5), accounts_checked: 1, servers_checked: 3 },
    ]);
    expect(new Set(told.map(({ first_received_at }) => first_received_at))).toEqual(new Set([at(1)]));
  });

  test('counts what was missed, by account and by the endpoints that should have been called', () => {
    const lane = begun();
    lane.post('Server.Created', serverBody('SUB', 'S1', 1), 2 * minute);
    lane.post('Server.Created', serverBody('SUB', 'S2', 1), 2 * minute);
    tell(lane, { at: 100, phase: 'begin' });
    recover(lane, 'Server.Updated', serverBody('SUB', 'S1', 1, modified(50)), 101);
    recover(lane, 'Server.Deleted', { accountAlias: 'SUB', name: 'S2' }, 101);
    recover(lane, 'Server.Created', serverBody('SUB', 'S3', 60), 101);
    // Older than what the walks tell of: new to us, but not missed.
    recover(lane, 'Server.Updated', serverBody('SUB', 'OLD', 1, modified(-500)), 101);
    tell(lane, {
      at: 105,
      startedAt: 100,
      phase: 'complete',
      accounts: [{ account: sub, servers: 3, complete: true }],
    });
    const missed = { missed_creations: 1, missed_changes: 1, missed_deletions: 1 };
    const byEndpoint = {
      'acme-server-updated': 1,
      'sub-server-updated': 1,
      'acme-server-deleted': 1,
      'sub-server-deleted': 1,
      'acme-server-created': 1,
      'sub-server-created': 1,
    };
    const told = rows(lane).toSorted((a, b) => (a.account < b.account ? -1 : 1));
    expect(told).toMatchObject([
      { account: '', complete: true, ...missed, by_endpoint: byEndpoint },
      { account: sub, complete: true, servers_checked: 3, ...missed, by_endpoint: byEndpoint },
    ]);
  });

  test('a second one that tells the same has missed nothing', () => {
    const lane = begun();
    tell(lane, { at: 100, phase: 'begin' });
    recover(lane, 'Server.Created', serverBody('SUB', 'S1', 60), 101);
    tell(lane, { at: 105, startedAt: 100, phase: 'complete', accounts: [] });
    tell(lane, { at: 200, run: 'run-2', phase: 'begin' });
    recover(lane, 'Server.Created', serverBody('SUB', 'S1', 60), 201, { 'hookwatch-run': 'run-2' });
    expect(rows(lane).filter(({ run }) => run === 'run-2')).toMatchObject([{ missed_creations: 0, by_endpoint: {} }]);
    expect(summarize(work(lane.records).state).ledger).toMatchObject({ events: 2, twins: 1 });
  });

  test('what a webhook tells after all was late, not missed', () => {
    const lane = begun();
    tell(lane, { at: 100, phase: 'begin' });
    recover(lane, 'Server.Created', serverBody('SUB', 'S1', 60), 101);
    expect(rows(lane).map(({ missed_creations }) => missed_creations)).toEqual([1, 1]);
    lane.post('Server.Created', serverBody('SUB', 'S1', 60), 130 * minute);
    expect(rows(lane)).toMatchObject([
      { missed_creations: 0, by_endpoint: {} },
      { missed_creations: 0, by_endpoint: {} },
    ]);
  });

  test('that is the first of all misses nothing, whatever it meets', () => {
    const lane = begun();
    tell(lane, { at: 100, phase: 'begin', bootstrap: true });
    recover(lane, 'Server.Updated', serverBody('SUB', 'S1', 1), 101, { 'hookwatch-bootstrap': 'true' });
    tell(lane, {
      at: 105,
      startedAt: 100,
      bootstrap: true,
      phase: 'complete',
      accounts: [{ account: sub, servers: 1, complete: true }],
    });
    expect(rows(lane)).toMatchObject([
      { bootstrap: true, missed_creations: 0, missed_changes: 0 },
      { bootstrap: true, missed_creations: 0, missed_changes: 0 },
    ]);
    lane.tick(110 * minute);
    expect(coverage(lane, sub)).toEqual(['unknown 0 100 not_measured', 'good 100 on']);
  });

  test('that failed says so, and of each account whether all of it was walked', () => {
    const lane = begun();
    tell(lane, { at: 1, phase: 'begin' });
    const accounts = [
      { account: acme, servers: 7, complete: true },
      { account: sub, servers: 1, complete: false },
    ];
    tell(lane, { at: 5, startedAt: 1, phase: 'failed', accounts });
    expect(rows(lane).toSorted((a, b) => (a.account < b.account ? -1 : 1))).toMatchObject([
      { account: '', complete: false, completed_at: at(5) },
      { account: acme, complete: true, completed_at: at(5) },
      { account: sub, complete: false, completed_at: null },
    ]);
    lane.tick(110 * minute);
    expect(coverage(lane, sub)).toEqual(['unknown 0 on not_measured']);
  });

  test.each([
    ['has ended', { phase: 'failed' as const }, 'ignored: run run-1 has ended'],
    ['says what nobody understands', { run: '', phase: 'complete' as const }, expect.stringMatching(/^ignored: run: /)],
  ])('that %s is not told of again', (_what, phase, remark) => {
    const lane = begun();
    tell(lane, { at: 1, phase: 'begin' });
    tell(lane, { at: 5, phase: 'complete' });
    tell(lane, { at: 6, ...phase });
    const control = work(lane.records).outputs.findLast(({ kind }) => kind === 'control');
    expect(control?.value).toMatchObject({ kind: 'reconciliation', remark });
  });

  test('of which only the end came has a row all the same', () => {
    const lane = begun();
    tell(lane, { at: 5, startedAt: 1, phase: 'complete', accounts: [{ account: sub, servers: 1, complete: true }] });
    expect(rows(lane)).toHaveLength(2);
  });
});

describe('coverage', () => {
  test('is degraded in the hour of a change that was missed, and since the run before where a deletion was', () => {
    const lane = begun([]);
    lane.post('Server.Created', serverBody('SUB', 'S1', 1), 2 * minute);
    lane.post('Server.Created', serverBody('SUB', 'S2', 1), 2 * minute);
    tell(lane, { at: 10, run: 'run-0', phase: 'begin' });
    tell(lane, {
      at: 11,
      startedAt: 10,
      run: 'run-0',
      phase: 'complete',
      accounts: [{ account: sub, servers: 2, complete: true }],
    });
    tell(lane, { at: 10 * hour, phase: 'begin' });
    recover(lane, 'Server.Updated', serverBody('SUB', 'S1', 1, modified(2.5 * hour)), 10 * hour);
    tell(lane, {
      at: 10 * hour + 1,
      startedAt: 10 * hour,
      phase: 'complete',
      accounts: [{ account: sub, servers: 2, complete: true }],
    });
    lane.tick(11 * hour * minute);
    expect(coverage(lane, sub)).toEqual([
      'unknown 0 10 not_measured',
      'good 10 120',
      'degraded 120 180 reconciled',
      'good 180 on',
    ]);
    tell(lane, { at: 20 * hour, run: 'run-2', phase: 'begin' });
    recover(lane, 'Server.Deleted', { accountAlias: 'SUB', name: 'S2' }, 20 * hour, { 'hookwatch-run': 'run-2' });
    lane.tick(21 * hour * minute);
    expect(coverage(lane, sub).slice(-3)).toEqual(['good 180 600', 'degraded 600 1200 reconciled', 'good 1200 on']);
  });
});
