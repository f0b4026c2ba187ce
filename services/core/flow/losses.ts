/**
 * The loss meter. Where two endpoints should both be told of an event and only one was, the provider's single try has
 * failed at the other. What failed at both is not seen: the counts are a lower bound.
 *
 *   event       first copy        twin_ms        a copy that is late
 *   ──────────────┬─────────────────┬──────────────────┬──────────────▶ watermark
 *                 │                 └ judged: alone    └ amended: both
 */
import { envelope, type StepContext } from './context.ts';
import { noteLoss, noteMeasured } from './coverage.ts';
import { hourMs, hourOf, minuteOf } from './durations.ts';
import { planExpiry } from './expiry.ts';
import type { LossState, TwinGroup } from './identity-state.ts';
import { outputId } from './ids.ts';
import { ownerOf, receiversOf, type Told } from './receivers.ts';
import { count, type FlowState, type Settings } from './state.ts';

/** Endpoints that should be told of an event, one of each account, as [name, owner]; empty where there is but one. */
export function expectedOf(state: FlowState, settings: Settings, told: Told): [string, string][] {
  const byOwner = new Map<string, string>();
  for (const endpoint of receiversOf(state, settings, told)) {
    const owner = ownerOf(endpoint);
    const known = byOwner.get(owner);
    if (known === undefined || endpoint.name < known) byOwner.set(owner, endpoint.name);
  }
  if (byOwner.size < 2) return [];
  return [...byOwner].map(([owner, name]): [string, string] => [name, owner]).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** At a tick: counts the events whose copies are all here or overdue, and emits the rows that have changed. */
export function judgeTwins(context: StepContext, watermark: number): void {
  const { state, settings } = context;
  const due = minuteOf(watermark - settings.twin_ms);
  for (let minute = state.unjudged.firstGroup(); minute !== undefined && minute < due; ) {
    for (const [event, identity] of state.unjudged.sortedEntries(minute)) {
      const group = state.twins.get(identity, event);
      if (!group) continue;
      state.twins.set(identity, event, { ...group, judged: true });
      add(context, group, 1);
      if (pairsOf(group).some(({ lost }) => !lost)) noteMeasured(context, group.account, group.firstReceivedAt);
    }
    state.unjudged.deleteGroup(minute);
    minute = state.unjudged.firstGroup();
  }
  emitLosses(context);
}

/** A copy has come after all. */
export function amendLosses(context: StepContext, before: TwinGroup, after: TwinGroup): void {
  add(context, before, -1);
  add(context, after, 1);
}

interface Pair {
  endpoint: string;
  other: string;
  /** Owner of the endpoint. */
  account: string;
  /** It came to the other one only. */
  lost: boolean;
}

function pairsOf({ expected, owners }: TwinGroup): Pair[] {
  const told = expected.filter(([, owner]) => owners.includes(owner));
  return told.flatMap(([other]) =>
    expected
      .filter(([endpoint]) => endpoint !== other)
      .map(([endpoint, account]) => ({ endpoint, other, account, lost: !owners.includes(account) })),
  );
}

function add({ state, settings }: StepContext, group: TwinGroup, by: 1 | -1): void {
  const hour = hourOf(group.firstReceivedAt);
  for (const { endpoint, other, account, lost } of pairsOf(group)) {
    const key = `${endpoint}|${other}`;
    const known = state.losses.get(hour, key) ?? { endpoint, other, account, both: 0, alone: 0, revision: 0 };
    const grown = lost ? { ...known, alone: known.alone + by } : { ...known, both: known.both + by };
    state.losses.set(hour, key, grown);
    state.dirtyLosses.set(hour, key, true);
    count(state, lost ? 'alone' : 'both', key, by);
    planExpiry(state, settings, { table: 'losses', group: hour, key });
  }
}

function emitLosses(context: StepContext): void {
  const { state } = context;
  for (const hour of state.dirtyLosses.sortedGroups()) {
    const endpoints = new Set<string>();
    for (const [key] of state.dirtyLosses.sortedEntries(hour)) {
      const loss = state.losses.get(hour, key);
      if (!loss) continue;
      const saved = { ...loss, revision: loss.revision + 1 };
      state.losses.set(hour, key, saved);
      emitLoss(context, Number(hour) * hourMs, saved);
      endpoints.add(loss.endpoint);
    }
    state.dirtyLosses.deleteGroup(hour);
    for (const endpoint of endpoints) tellCoverage(context, hour, endpoint);
  }
}

/** Of several that an endpoint is measured by, the one that shows most: what they miss together is not known. */
function tellCoverage(context: StepContext, hour: string, endpoint: string): void {
  const measured = [...context.state.losses.group(hour).values()].filter((loss) => loss.endpoint === endpoint);
  const alone = Math.max(0, ...measured.map((loss) => loss.alone));
  const account = measured[0]?.account ?? '';
  noteLoss(context, { account, endpoint, hour: Number(hour) * hourMs, alone });
}

function emitLoss(context: StepContext, hour: number, loss: LossState): void {
  const { endpoint, other, account, both, alone, revision } = loss;
  const id = outputId(hour, 'loss', context.tenant, endpoint, other, String(hour));
  context.emit('loss', {
    ...envelope(context, id, revision, hour),
    hour,
    endpoint,
    other_endpoint: other,
    account,
    both,
    alone,
  });
}
