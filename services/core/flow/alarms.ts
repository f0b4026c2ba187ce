/**
 * Times at which somebody has to look again, should nothing happen before: whether a backup is silent, whether an
 * endpoint is. An alarm does nothing by itself; whoever is asked says when to be asked next.
 */
import { hourMs } from './durations.ts';
import type { FlowState } from './state.ts';

export interface Alarm {
  of: 'backup' | 'rhythm';
  group: string;
  key: string;
  /** Epoch milliseconds of the watermark. */
  at: number;
}

/** Plans an alarm. Several of one thing may be planned, an earlier one behind a later one. */
export function planAlarm(state: FlowState, alarm: Alarm): void {
  state.alarms.set(hourOf(alarm.at), JSON.stringify([alarm.of, alarm.group, alarm.key]), alarm);
  const next = nextAlarm(state);
  if (alarm.at < next) state.alarmClock.set('', '', alarm.at);
}

/** Takes what is due at the watermark, by hours, then by what it is of. Without one that is due it costs nothing. */
export function takeAlarms(state: FlowState, watermark: number): Alarm[] {
  if (nextAlarm(state) > watermark) return [];
  const due: Alarm[] = [];
  state.alarmClock.delete('', '');
  for (const hour of state.alarms.sortedGroups()) {
    const entries = state.alarms.sortedEntries(hour);
    for (const [name, alarm] of entries) {
      if (alarm.at > watermark) continue;
      state.alarms.delete(hour, name);
      due.push(alarm);
    }
    const left = entries.filter(([, alarm]) => alarm.at > watermark).map(([, alarm]) => alarm.at);
    if (left.length === 0) continue;
    // The first hour with anything left in it has what is next.
    state.alarmClock.set('', '', Math.min(...left));
    break;
  }
  return due;
}

function nextAlarm(state: FlowState): number {
  return state.alarmClock.get('', '') ?? Number.POSITIVE_INFINITY;
}

function hourOf(at: number): string {
  return String(Math.floor(at / hourMs)).padStart(9, '0');
}
