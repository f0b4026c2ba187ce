/**
 * Comparisons with a provider's API: what was checked, and what no webhook had told.
 *
 *   begin {run}      deliveries of the run, each something that was missed        complete {run, accounts}
 *   ────┬──────────────┬─────┬───────────────────────────────────────────────────────┬──────▶
 *       └ row of the run     └ counted for its account and for the endpoints that    └ a row for each account
 *                              should have been called
 *
 * The first complete walk of all, the bootstrap, meets everything for the first time: nothing of it was missed.
 */
import type { Control, Novelty } from '../records/generated.ts';
import { envelope, type Occurrence, type StepContext } from './context.ts';
import { addCause, noteCompared } from './coverage.ts';
import { type Document, parseDocument } from './documents.ts';
import { hourMs } from './durations.ts';
import type { Observation } from './entities.ts';
import { planExpiry } from './expiry.ts';
import { outputId } from './ids.ts';
import { receiversOf } from './receivers.ts';
import { count } from './state.ts';

type Missed = 'creations' | 'changes' | 'deletions';

/** A run, under no account, or what it comes to for one account. */
export interface ComparisonState {
  revision: number;
  provider: string;
  /** received_at of the record that the run began with. */
  firstReceivedAt: number;
  startedAt: number;
  completedAt: number | null;
  complete: boolean;
  bootstrap: boolean;
  servers: number;
  accounts: number;
  missed: Record<Missed, number>;
  /** By name, of endpoints that should have been called. */
  byEndpoint: Record<string, number>;
}

/** Something that a run told of, and for which a webhook may come after all. */
export interface RecoveredState {
  run: string;
  provider: string;
  account: string;
  missed: Missed;
  endpoints: string[];
  receivedAt: number;
}

const wholeRun = '';

/** Takes a reconciliation record. Returns why it did not take effect, or an empty string. */
export function applyReconciliation(context: StepContext, control: Control): string {
  const parsed = parseDocument('reconciliation', control.document);
  if (!parsed.ok) return `ignored: ${parsed.problem}`;
  const { run, phase } = parsed.value;
  const known = context.state.comparisons.get(run, wholeRun);
  if (known?.completedAt) return `ignored: run ${run} has ended`;
  const { started_at: startedAt, bootstrap } = parsed.value;
  const begun = { ...(known ?? begin(parsed.value, control.received_at)), startedAt, bootstrap };
  if (phase === 'begin') save(context, run, wholeRun, begun);
  else end(context, parsed.value, begun, control.received_at);
  return '';
}

/** Counts what a run told of that nobody had told before. */
export function noteRecovered(context: StepContext, occurrence: Occurrence, { novelty }: Observation): void {
  const { fact, delivery, event } = occurrence;
  if (delivery.origin !== 'reconcile' || delivery.headers['hookwatch-bootstrap'] === 'true') return;
  const missed = missedOf(fact.action, novelty);
  if (missed === undefined) return;
  const endpoints = endpointsFor(context, occurrence);
  const { state, settings } = context;
  addCause(context, fact.account, 'reconciled', lostWithin(context, occurrence, missed));
  count(state, 'recovered', `${delivery.provider}|${missed}`);
  const run = delivery.headers['hookwatch-run'] ?? '';
  const receivedAt = delivery.received_at;
  const { provider } = delivery;
  const recovered = { run, provider, account: fact.account, missed, endpoints, receivedAt } as const;
  state.recovered.set('', event, recovered);
  planExpiry(state, settings, { table: 'recovered', group: '', key: event });
  // It may be overtaken by its own deliveries, where there are several edges.
  const overtaken = { provider, started_at: receivedAt, bootstrap: false };
  const whole = state.comparisons.get(run, wholeRun) ?? begin(overtaken, receivedAt);
  countMissed(context, recovered, whole, 1);
}

/** A webhook came after all: late, but not missed. Its hour stays degraded. */
export function takeBackRecovered(context: StepContext, event: string): void {
  const recovered = context.state.recovered.get('', event);
  if (!recovered) return;
  context.state.recovered.delete('', event);
  count(context.state, 'recovered', `${recovered.provider}|${recovered.missed}`, -1);
  const whole = context.state.comparisons.get(recovered.run, wholeRun);
  if (whole) countMissed(context, recovered, whole, -1);
}

type Begun = Pick<Document<'reconciliation'>, 'provider' | 'started_at' | 'bootstrap'>;

function begin({ provider, started_at, bootstrap }: Begun, receivedAt: number): ComparisonState {
  return {
    revision: 0,
    provider,
    firstReceivedAt: receivedAt,
    startedAt: started_at,
    completedAt: null,
    complete: false,
    bootstrap,
    servers: 0,
    accounts: 0,
    missed: { creations: 0, changes: 0, deletions: 0 },
    byEndpoint: {},
  };
}

function end(context: StepContext, told: Document<'reconciliation'>, begun: ComparisonState, at: number): void {
  const { run, accounts, phase, started_at: startedAt } = told;
  const whole = {
    ...begun,
    completedAt: at,
    complete: phase === 'complete',
    accounts: accounts.length,
    servers: accounts.reduce((sum, { servers }) => sum + servers, 0),
  };
  for (const { account, servers, complete } of accounts) {
    const known = context.state.comparisons.get(run, account) ?? {
      ...begin(told, at),
      firstReceivedAt: begun.firstReceivedAt,
    };
    const completedAt = complete ? at : null;
    save(context, run, account, { ...known, servers, accounts: 1, complete, completedAt });
    if (complete) noteCompared(context, account, startedAt);
  }
  save(context, run, wholeRun, whole);
  // Never older than it was: a run that was asked for earlier may end later.
  if (phase !== 'complete' || told.scope !== 'all') return;
  const before = context.state.counts.get('compared', told.provider) ?? 0;
  context.state.counts.set('compared', told.provider, Math.max(before, startedAt));
}

function countMissed(context: StepContext, recovered: RecoveredState, whole: ComparisonState, by: 1 | -1): void {
  const { run, account } = recovered;
  const { provider, startedAt: started_at, bootstrap, firstReceivedAt } = whole;
  const of = context.state.comparisons.get(run, account) ?? begin({ provider, started_at, bootstrap }, firstReceivedAt);
  save(context, run, wholeRun, counted(whole, recovered, by));
  save(context, run, account, counted(of, recovered, by));
}

function counted(comparison: ComparisonState, { missed, endpoints }: RecoveredState, by: 1 | -1): ComparisonState {
  const byEndpoint = { ...comparison.byEndpoint };
  for (const endpoint of endpoints) {
    const count = (byEndpoint[endpoint] ?? 0) + by;
    if (count > 0) byEndpoint[endpoint] = count;
    else delete byEndpoint[endpoint];
  }
  return { ...comparison, byEndpoint, missed: { ...comparison.missed, [missed]: comparison.missed[missed] + by } };
}

/** What is older than the last comparison and met for the first time, as in an account that is new to us, was not missed. */
function missedOf(action: string, novelty: Novelty): Missed | undefined {
  if (action === 'deleted') return 'deletions';
  if (novelty === 'seen') return undefined;
  return novelty === 'created' ? 'creations' : 'changes';
}

/** When it was lost: in the hour of the change where that is told, else since the comparison before. */
function lostWithin(context: StepContext, { fact, delivery, time }: Occurrence, missed: Missed) {
  const compared = context.state.coverage.get('', fact.account)?.comparedAt ?? delivery.received_at;
  if (missed === 'deletions') return { from: Math.min(compared, delivery.received_at), to: delivery.received_at };
  const hour = Math.floor(time / hourMs) * hourMs;
  return { from: hour, to: hour + hourMs };
}

/** Names of the endpoints that the provider should have called. */
function endpointsFor({ state, settings }: StepContext, { fact, delivery, time }: Occurrence): string[] {
  const told = { provider: delivery.provider, eventName: delivery.event_name, account: fact.account, time };
  return receiversOf(state, settings, told)
    .map(({ name }) => name)
    .sort();
}

function save(context: StepContext, run: string, account: string, comparison: ComparisonState): void {
  const after = { ...comparison, revision: comparison.revision + 1 };
  context.state.comparisons.set(run, account, after);
  planExpiry(context.state, context.settings, { table: 'comparisons', group: run, key: account });
  const { missed } = after;
  const id = outputId(after.firstReceivedAt, 'reconciliation', context.tenant, run, account);
  context.emit('reconciliation', {
    ...envelope(context, id, after.revision, after.firstReceivedAt),
    run,
    provider: after.provider,
    account,
    started_at: after.startedAt,
    completed_at: after.completedAt,
    complete: after.complete,
    bootstrap: after.bootstrap,
    servers_checked: after.servers,
    accounts_checked: after.accounts,
    missed_creations: missed.creations,
    missed_changes: missed.changes,
    missed_deletions: missed.deletions,
    by_endpoint: after.byEndpoint,
  });
}
