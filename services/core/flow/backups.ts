/**
 * How the backups of a server under a policy do, by the reports of them in the order of their own time.
 *
 *   ok ──▶ failing      the last report was no success; a success in part is none, for something was left out
 *      ──▶ missed       the provider says that one did not begin. That is the provider's word, not the server's: it
 *                       neither ends nor prevents a silence
 *      ──▶ silent       nothing by the server itself for much longer than usual; its next report ends it
 *
 *   report        report        report                      usual: 24 h, the median of the pauses
 *   ──┬─────────────┬─────────────┬─────────────┬─────────────┬──▶ watermark
 *     │    24 h     │    24 h     │             └ silent_since└ silent, told from here on
 *
 * Reports may come in any order: state and row follow from those that are kept, not from how they came. A server and a
 * policy are known by their names, for the reports of 2018 carry no id of the policy.
 */
import type { BackupReport } from '../providers/provider.ts';
import { planAlarm } from './alarms.ts';
import { envelope, type Occurrence, type StepContext } from './context.ts';
import { dayMs, hourMs } from './durations.ts';
import { outputId } from './ids.ts';
import { endOfPatience } from './outages.ts';
import { count, type FlowState, metaOf } from './state.ts';

/** Reports of one server and policy that are kept; those of before are only summed up. */
const reportsMax = 24;
/** Ids of events in a row. */
const eventsMax = 20;
/** Reports of the server that make an interval a usual one. */
const usualMin = 3;
/** After so long without any report nothing is expected any more, and the row is withdrawn. */
const forgottenMs = 90 * dayMs;

export type BackupHealth = 'ok' | 'failing' | 'missed' | 'silent';

interface Report {
  /** When the backup finished, or was expected where it was missed; epoch milliseconds. */
  at: number;
  result: BackupReport['result'];
  event: string;
}

/** What is known of one server and policy. */
export interface BackupState {
  id: string;
  firstReceivedAt: number;
  revision: number;
  server: string;
  policy: string;
  policyId: string;
  /** The last ones, by time. */
  reports: Report[];
  /** What those before them come to; null while there are none. */
  before: {
    at: number;
    lastSuccessAt: number | null;
    lastMissedAt: number | null;
    failures: number;
    missed: number;
  } | null;
  /** As it was told last. */
  health: BackupHealth;
  /** The earliest alarm that is planned, epoch milliseconds. */
  alarmAt: number;
}

/** Takes the report of a backup. */
export function noteBackup(context: StepContext, occurrence: Occurrence): void {
  const { fact } = occurrence;
  if (!fact.backup) return;
  const key = JSON.stringify([fact.backup.server, fact.backup.policy]);
  const known = context.state.backups.get(fact.account, key);
  const met = known ?? newBackup(context, occurrence, fact.backup, key);
  const after = withReport(met, fact.backup, {
    at: timeOf(context, occurrence, fact.backup),
    result: fact.backup.result,
    event: occurrence.event,
  });
  if (!after) return;
  if (!known) count(context.state, 'backups', after.health);
  save(context, fact.account, key, after);
}

/** An alarm: time may have made it silent, or forgotten. */
export function askBackup(context: StepContext, account: string, key: string): void {
  const { state } = context;
  const known = state.backups.get(account, key);
  if (!known) return;
  const { watermark } = metaOf(state);
  if (lastReportAt(known) + forgottenMs <= watermark) return forget(context, account, key, known);
  const asked = { ...known, alarmAt: Number.MAX_SAFE_INTEGER };
  if (healthOf(state, known) === known.health) state.backups.set(account, key, withAlarm(state, account, key, asked));
  else save(context, account, key, asked);
}

/**
 * Milliseconds after its last report at which a server is silent; undefined while its rhythm is not known. Twice the
 * usual interval, and six hours beyond it. Longer where a longer pause came twice in what is remembered: one that
 * rests at weekends, say.
 */
export function silenceOf(reportsAt: readonly number[]): { usualMs: number; silentMs: number } | undefined {
  if (reportsAt.length < usualMin) return undefined;
  const pauses = reportsAt.slice(1).map((at, index) => at - reportsAt[index]!);
  pauses.sort((a, b) => a - b);
  const usualMs = pauses[Math.floor(pauses.length / 2)]!;
  // The second longest: a single long pause may have been a fault.
  const longestMs = pauses.length > 2 ? pauses.at(-2)! : 0;
  return { usualMs, silentMs: Math.max(2 * usualMs, usualMs + 6 * hourMs, longestMs + 6 * hourMs) };
}

function newBackup(
  context: StepContext,
  { fact, delivery }: Occurrence,
  report: BackupReport,
  key: string,
): BackupState {
  const { server, policy, policyId } = report;
  return {
    id: outputId(delivery.received_at, 'backup', context.tenant, fact.account, key),
    firstReceivedAt: delivery.received_at,
    revision: 0,
    server,
    policy,
    policyId,
    reports: [],
    before: null,
    health: 'ok',
    alarmAt: Number.MAX_SAFE_INTEGER,
  };
}

/** A backup's own time is believed however old it is, for it only orders reports; not one that is still to come. */
function timeOf({ settings }: StepContext, { delivery, time }: Occurrence, report: BackupReport): number {
  const own = report.result === 'missed' ? report.expectedAt : report.finishedAt;
  if (own === undefined) return time;
  return own > delivery.received_at + settings.time.future_ms ? delivery.received_at : own;
}

/** Undefined where the report tells nothing new: it was told before, or is older than what is kept. */
function withReport(backup: BackupState, told: BackupReport, report: Report): BackupState | undefined {
  if (backup.before && report.at <= backup.before.at) return undefined;
  if (backup.reports.some(({ at, result }) => at === report.at && result === report.result)) return undefined;
  const reports = [...backup.reports, report].sort(byTime);
  const oldest = reports.length > reportsMax ? reports.shift()! : undefined;
  return {
    ...backup,
    policyId: told.policyId !== '' && reports.at(-1) === report ? told.policyId : backup.policyId || told.policyId,
    reports,
    before: oldest ? sumUp(backup.before, oldest) : backup.before,
  };
}

function byTime(a: Report, b: Report): number {
  return a.at - b.at || (a.event < b.event ? -1 : 1);
}

/** What all of its reports come to. */
export function totalsOf({ reports, before }: BackupState): NonNullable<BackupState['before']> {
  return reports.reduce<BackupState['before']>(sumUp, before)!;
}

function sumUp(before: BackupState['before'], { at, result }: Report): NonNullable<BackupState['before']> {
  const { lastSuccessAt, lastMissedAt, failures, missed } = before ?? {
    lastSuccessAt: null,
    lastMissedAt: null,
    failures: 0,
    missed: 0,
  };
  if (result === 'missed') return { at, lastSuccessAt, lastMissedAt: at, failures, missed: missed + 1 };
  const success = result === 'success';
  return {
    at,
    lastSuccessAt: success ? at : lastSuccessAt,
    lastMissedAt,
    failures: success ? 0 : failures + 1,
    missed: 0,
  };
}

/** By its reports and the watermark alone. */
function healthOf(state: FlowState, backup: BackupState): BackupHealth {
  const silence = patienceWith(state, backup);
  if (silence && silence.at <= metaOf(state).watermark) return 'silent';
  const last = backup.reports.at(-1)!;
  if (last.result === 'missed') return 'missed';
  return last.result === 'success' ? 'ok' : 'failing';
}

function patienceWith(state: FlowState, backup: BackupState): { at: number; askAt: number } | undefined {
  const runs = runsOf(backup);
  const silence = silenceOf(runs);
  return silence && endOfPatience(state, runs.at(-1)!, silence.silentMs);
}

/** Times of the reports by the server itself. */
function runsOf({ reports }: BackupState): number[] {
  return reports.filter(({ result }) => result !== 'missed').map(({ at }) => at);
}

export function lastReportAt({ reports }: BackupState): number {
  return reports.at(-1)!.at;
}

function save(context: StepContext, account: string, key: string, backup: BackupState): void {
  const { state } = context;
  const health = healthOf(state, backup);
  count(state, 'backups', backup.health, -1);
  count(state, 'backups', health);
  const after = withAlarm(state, account, key, { ...backup, health, revision: backup.revision + 1 });
  state.backups.set(account, key, after);
  emitBackup(context, account, after);
}

/** Plans when to look again. An alarm that is planned for earlier will do: it plans the next one. */
function withAlarm(state: FlowState, account: string, key: string, backup: BackupState): BackupState {
  const silence = backup.health === 'silent' ? undefined : patienceWith(state, backup);
  const at = Math.min(silence?.askAt ?? Number.POSITIVE_INFINITY, lastReportAt(backup) + forgottenMs);
  if (at >= backup.alarmAt) return backup;
  planAlarm(state, { of: 'backup', group: account, key, at });
  return { ...backup, alarmAt: at };
}

function forget(context: StepContext, account: string, key: string, backup: BackupState): void {
  context.state.backups.delete(account, key);
  count(context.state, 'backups', backup.health, -1);
  emitBackup(context, account, { ...backup, revision: backup.revision + 1 }, true);
}

function emitBackup(context: StepContext, account: string, backup: BackupState, withdrawn = false): void {
  const { reports } = backup;
  const totals = totalsOf(backup);
  const runs = runsOf(backup);
  const usualMs = silenceOf(runs)?.usualMs ?? null;
  context.emit('backup', {
    ...envelope(context, backup.id, backup.revision, backup.firstReceivedAt),
    withdrawn,
    account,
    server: backup.server,
    policy: backup.policy,
    policy_id: backup.policyId,
    state: backup.health,
    last_result: reports.at(-1)!.result,
    last_report_at: lastReportAt(backup),
    last_success_at: totals.lastSuccessAt,
    last_missed_at: totals.lastMissedAt,
    consecutive_failures: totals.failures,
    missed: totals.missed,
    usual_interval_ms: usualMs,
    silent_since: backup.health === 'silent' ? runs.at(-1)! + usualMs! : null,
    events: reports.slice(-eventsMax).map(({ event }) => event),
  });
}
