/** What watches the lane beside its events: how backups do, what changed, what was missed, how far absence can be trusted. */
import type { Control, Delivery } from '../records/generated.ts';
import { takeAlarms } from './alarms.ts';
import { askBackup, noteBackup } from './backups.ts';
import { emitChanges } from './changes.ts';
import type { Occurrence, StepContext } from './context.ts';
import { addCause, emitCoverage, everyAccount, noteAccount, noteOutages } from './coverage.ts';
import { minuteMs } from './durations.ts';
import type { Observation } from './entities.ts';
import { judgeProducers, noteTick } from './lost-producers.ts';
import { noteAlive } from './outages.ts';
import { noteRecovered, takeBackRecovered } from './reconciliations.ts';
import { askRhythm, noteCall } from './rhythms.ts';

/** Every delivery that was not rejected by its verdict, whatever becomes of it. */
export function hear(context: StepContext, delivery: Delivery): void {
  const { endpoint, account, received_at: at } = delivery;
  if (noteAlive(context.state, at)) noteOutages(context);
  if (delivery.flags.includes('clock_suspect')) {
    const minute = Math.floor(at / minuteMs) * minuteMs;
    addCause(context, everyAccount, 'clock_suspect', { from: minute, to: minute + minuteMs });
  }
  // Without an account it would be of the lane as a whole.
  if (delivery.origin === 'reconcile' || account === '') return;
  noteAccount(context, account, at);
  noteCall(context, { endpoint, account, at });
}

/** Every new event, once. `tooLate`: behind the lateness, so that it changes nothing that was said. */
export function observe(
  context: StepContext,
  occurrence: Occurrence,
  observation: Observation,
  tooLate: boolean,
): void {
  const { fact, delivery } = occurrence;
  if (fact.account !== '') noteAccount(context, fact.account, delivery.received_at);
  emitChanges(context, occurrence);
  noteRecovered(context, occurrence, observation);
  if (!tooLate) noteBackup(context, occurrence);
}

/** A webhook has come of what a reconciliation had told first: it was late, and not missed. `event`: the id of both. */
export function arrivedAfterAll(context: StepContext, event: string): void {
  takeBackRecovered(context, event);
}

/** A tick, once the watermark is known and before entries expire. */
export function atTick(context: StepContext, watermark: number, tick: Control): void {
  const { state } = context;
  const time = tick.time ?? tick.received_at;
  noteTick(state, tick.boot, time);
  if (noteAlive(state, time)) noteOutages(context);
  judgeProducers(context);
  for (const { of, group, key } of takeAlarms(state, watermark)) {
    if (of === 'backup') askBackup(context, group, key);
    else askRhythm(context, key);
  }
  emitCoverage(context);
}
