/** What a comparison has come to, for people and for scripts. */
import { nameOf } from './estate.ts';
import type { Found, Head, Memory, Progress } from './progress.ts';
import type { RunOptions } from './run.ts';

export interface AccountReport {
  account: string;
  servers: number;
  complete: boolean;
  /** Why it was not walked whole; empty where it was. */
  problem: string;
  missed_creations: number;
  missed_changes: number;
  missed_deletions: number;
  /** Met for the first time, and not missed: a bootstrap, or older than the last comparison. */
  seen: number;
  /** Deleted as the lane knows, and shown by the API all the same. */
  contradictions: number;
  /** What changed while it was looked at: its webhook tells it, or the next comparison. */
  unsettled: number;
  /** Deletions that were not claimed, and what an edge would not take. */
  withheld: number;
}

export interface Report {
  run: string;
  tenant: string;
  provider: string;
  host: string;
  /** RFC 3339. */
  started_at: string;
  completed_at: string;
  complete: boolean;
  bootstrap: boolean;
  scope: 'all' | 'some';
  dry_run: boolean;
  accounts: AccountReport[];
  /** What was told, the first thousand; of a run that was interrupted, since it went on. */
  claims: { event: string; account: string; subject: string }[];
}

interface Reported {
  options: RunOptions;
  head: Head;
  memory: Memory | undefined;
  found: readonly Found[];
  claims: Report['claims'];
}

export function reportOf({ options, head, memory, found, claims }: Reported): Report {
  const { tenant, estate, progress, dryRun = false, nowMs } = options;
  return {
    run: head.run,
    tenant,
    provider: estate.provider,
    host: estate.host,
    started_at: new Date(head.startedAt).toISOString(),
    completed_at: new Date(nowMs()).toISOString(),
    complete: found.every(({ problem }) => problem === ''),
    bootstrap: memory === undefined,
    scope: head.scope,
    dry_run: dryRun,
    accounts: found.map((one) => accountReport(one, progress)),
    claims,
  };
}

function accountReport({ account, servers, problem }: Found, progress: Progress): AccountReport {
  const { claims = {}, contradictions = 0, unsettled = 0, withheld = 0 } = progress.told(account) ?? {};
  const told = Object.values(claims);
  const count = (what: string) => told.filter((counts) => counts === what).length;
  return {
    account,
    servers,
    complete: problem === '',
    problem,
    missed_creations: count('creations'),
    missed_changes: count('changes'),
    missed_deletions: count('deletions'),
    seen: count('seen'),
    contradictions,
    unsettled,
    withheld,
  };
}

const columns = [
  ['servers', 'servers'],
  ['missed_creations', 'created'],
  ['missed_changes', 'changed'],
  ['missed_deletions', 'deleted'],
  ['seen', 'first seen'],
] as const;

/** A table of the accounts in which there is something to tell, and what they all come to. */
export function describe(report: Report): string {
  const { run, tenant, provider, complete, bootstrap, dry_run, accounts } = report;
  const noteworthy = accounts.filter(
    ({ account: _, servers: __, complete: whole, problem: ___, ...counts }) =>
      !whole || Object.values(counts).some((count) => count > 0),
  );
  const sums = columns.map(([name]) => accounts.reduce((sum, account) => sum + account[name], 0));
  const rows = [
    ['account', ...columns.map(([, title]) => title)],
    ...noteworthy.map((one) => [nameOf(one.account), ...columns.map(([name]) => String(one[name]))]),
    [`all ${accounts.length}`, ...sums.map(String)],
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const table = rows.map(
    (row) =>
      `  ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  ')}`,
  );
  const outcome = complete ? 'compared' : 'not compared whole';
  const kind = `${bootstrap ? 'first comparison: all is seen, nothing was missed' : 'missed by webhooks'}`;
  const remarks = accounts.flatMap(remarksOn);
  return [
    `${tenant}: ${provider} ${outcome}, run ${run}${dry_run ? ' (dry run: nothing was told)' : ''}; ${kind}`,
    ...table.map((line) => line.trimEnd()),
    ...remarks.map((remark) => `  ${remark}`),
    '',
  ].join('\n');
}

function remarksOn({ account, problem, contradictions, withheld }: AccountReport): string[] {
  const name = nameOf(account);
  return [
    ...(problem ? [`${name}: not walked whole: ${problem}`] : []),
    ...(contradictions > 0 ? [`${name}: ${contradictions} are shown although a webhook told of their deletion`] : []),
    ...(withheld > 0
      ? [
          `${name}: ${withheld} were not told: deletions that nobody confirmed, or what an edge does not take; see docs/reconcile.md`,
        ]
      : []),
  ];
}
