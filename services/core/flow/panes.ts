/**
 * Distinct servers created per account: within each minute, and over the hour that ends with it.
 *
 *   minute      0   1   2   …  60  61
 *   created     a   .   b       .   .
 *   value       1   0   1       0   0
 *   rolling_1h  1   1   2       1   1   … until minute 62, whose row says 0 and is the last
 *
 * Rows are emitted at ticks only, as absolute values, and only where they differ from what was said before.
 */
import type { StepContext } from './context.ts';
import { envelope } from './context.ts';
import { minuteMs } from './durations.ts';
import { planExpiry } from './expiry.ts';
import { outputId } from './ids.ts';
import { metaOf, type PaneState } from './state.ts';

const windowMinutes = 60;
const metric = 'servers_created';
const emptyPane: PaneState = { servers: [], revision: 0, emitted: null };

/** Counts a server into the minute of its creation. */
export function addToPane(context: StepContext, account: string, server: string, time: number): void {
  const { state } = context;
  const minute = Math.floor(time / minuteMs);
  const pane = state.panes.get(account, String(minute)) ?? emptyPane;
  if (pane.servers.includes(server)) return;
  setPane(context, account, minute, { ...pane, servers: [...pane.servers, server] });
  const { rolledMinute } = metaOf(state);
  for (let dirty = minute; dirty <= Math.max(minute, Math.min(minute + windowMinutes, rolledMinute)); dirty++) {
    state.dirtyPanes.set(account, String(dirty), true);
  }
  state.rolling.set('', account, Math.max(minute, state.rolling.get('', account) ?? minute));
}

/** At a tick: rolls the windows on to the watermark and emits every row that has changed. */
export function emitPanes(context: StepContext, watermark: number): void {
  rollOn(context, Math.floor(watermark / minuteMs));
  const { dirtyPanes } = context.state;
  for (const account of dirtyPanes.sortedGroups()) {
    for (const [minute] of dirtyPanes.sortedEntries(account)) {
      dirtyPanes.delete(account, minute);
      emitPane(context, account, Number(minute));
    }
  }
}

function rollOn(context: StepContext, minute: number): void {
  const { state } = context;
  const meta = metaOf(state);
  if (minute <= meta.rolledMinute) return;
  for (const [account, lastCreation] of state.rolling.sortedEntries('')) {
    const last = lastCreation + windowMinutes;
    const first = Math.max(meta.rolledMinute + 1, lastCreation - windowMinutes);
    for (let dirty = first; dirty <= Math.min(minute, last); dirty++)
      state.dirtyPanes.set(account, String(dirty), true);
    if (minute >= last) state.rolling.delete('', account);
  }
  state.meta.set('', '', { ...meta, rolledMinute: minute });
}

function emitPane(context: StepContext, account: string, minute: number): void {
  const pane = context.state.panes.get(account, String(minute)) ?? emptyPane;
  const value = pane.servers.length;
  const rolling = rollingAt(context, account, minute);
  const { emitted } = pane;
  if (emitted?.value === value && emitted.rolling === rolling) return;
  if (!emitted && rolling === 0 && rollingAt(context, account, minute - 1) === 0) return;
  const revision = pane.revision + 1;
  setPane(context, account, minute, { ...pane, revision, emitted: { value, rolling } });
  const startsAt = minute * minuteMs;
  const id = outputId(startsAt, 'pane', context.tenant, metric, account, String(minute));
  context.emit('pane', {
    ...envelope(context, id, revision, startsAt),
    account,
    metric,
    minute: startsAt,
    value,
    rolling_1h: rolling,
  });
}

function setPane(context: StepContext, account: string, minute: number, pane: PaneState): void {
  const { state, settings } = context;
  const key = String(minute);
  if (!state.panes.get(account, key)) planExpiry(state, settings, { table: 'panes', group: account, key });
  state.panes.set(account, key, pane);
}

/** Distinct servers over the hour that ends with the minute. */
function rollingAt(context: StepContext, account: string, minute: number): number {
  const servers = new Set<string>();
  for (let past = minute - windowMinutes + 1; past <= minute; past++) {
    for (const server of context.state.panes.get(account, String(past))?.servers ?? []) servers.add(server);
  }
  return servers.size;
}
