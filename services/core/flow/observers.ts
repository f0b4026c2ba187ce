/** What watches the lane beside its events: how backups do, what changed, what was missed, how far absence can be trusted. */
import type { Control, Delivery } from '../records/generated.ts';
import type { Occurrence, StepContext } from './context.ts';
import type { Observation } from './entities.ts';

/** Every delivery that was not rejected by its verdict, whatever becomes of it. */
export function hear(_context: StepContext, _delivery: Delivery): void {}

/** Every new event, once. `tooLate`: behind the lateness, so that it changes nothing that was said. */
export function observe(
  _context: StepContext,
  _occurrence: Occurrence,
  _observation: Observation,
  _tooLate: boolean,
): void {}

/** A webhook has come of what a reconciliation had told first: it was late, and not missed. `event`: the id of both. */
export function arrivedAfterAll(_context: StepContext, _event: string): void {}

/** A tick, once the watermark is known and before entries expire. */
export function atTick(_context: StepContext, _watermark: number, _tick: Control): void {}
