import type { Control } from '../records/generated.ts';
import type { StepContext } from './context.ts';
import { expire, planExpiry } from './expiry.ts';
import { versionOf } from './ids.ts';
import { emitPanes } from './panes.ts';
import { advanceWatermark, openProducer, tickProducer } from './producers.ts';
import { applySettings } from './settings.ts';

/** Works on a control record that is next of its producer. Ticks leave no row: there is one every second. */
export function workControl(context: StepContext, control: Control): void {
  if (control.kind === 'tick') return tick(context, control);
  keepControl(
    context,
    control,
    isAskedAgain(context, control) ? 'ignored: it was asked for before' : apply(context, control),
  );
}

export function keepControl(context: StepContext, control: Control, remark: string): void {
  context.emit('control', { ...control, position: context.position, version: versionOf(context.epoch, 1), remark });
}

/** Returns why it did not take effect, or an empty string. */
function apply(context: StepContext, control: Control): string {
  if (control.kind === 'boot') {
    openProducer(context.state, context.settings, control);
    return '';
  }
  if (control.kind === 'settings') return applySettings(context.state, control);
  return `ignored: this version does not know ${control.kind} records`;
}

function tick(context: StepContext, control: Control): void {
  const { state, settings } = context;
  tickProducer(state, control.boot, control.time ?? control.received_at, control.catching_up);
  const watermark = advanceWatermark(state, settings.slack_ms);
  emitPanes(context, watermark);
  expire(state, settings, watermark);
}

function isAskedAgain(context: StepContext, control: Control): boolean {
  const { state, settings } = context;
  if (control.idempotency_id === '') return false;
  if (state.requests.get('', control.idempotency_id) !== undefined) return true;
  state.requests.set('', control.idempotency_id, control.received_at);
  planExpiry(state, settings, { table: 'requests', group: '', key: control.idempotency_id });
  return false;
}
