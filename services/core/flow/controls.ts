import type { Control } from '../records/generated.ts';
import { forgetBodies } from './bodies.ts';
import type { StepContext } from './context.ts';
import { reviewWaiting } from './deliveries.ts';
import { parseDocument } from './documents.ts';
import { endByTime } from './episodes.ts';
import { expire, planExpiry } from './expiry.ts';
import { versionOf } from './ids.ts';
import { judgeTwins } from './losses.ts';
import { noteRetired } from './lost-producers.ts';
import { atTick } from './observers.ts';
import { emitPanes } from './panes.ts';
import { endWaiting } from './pending.ts';
import { advanceWatermark, openProducer, retireProducer, tickProducer } from './producers.ts';
import { applyReconciliation } from './reconciliations.ts';
import { applySettings, settingsOf } from './settings.ts';
import { metaOf } from './state.ts';
import { applyTakeover } from './takeover.ts';
import { forgetTwins } from './twins.ts';

/** Works on a control record that is next of its producer. All leave a row: a lane can be worked on again from them. */
export function workControl(context: StepContext, control: Control): void {
  if (control.kind === 'tick') return tick(context, control);
  keepControl(
    context,
    control,
    isAskedAgain(context, control) ? 'ignored: it was asked for before' : apply(context, control),
  );
}

export function keepControl(context: StepContext, control: Control, remark: string): void {
  // Of the state's epoch: a takeover's own row belongs to the one that it begins.
  const version = versionOf(metaOf(context.state).epoch, 1);
  context.emit('control', { ...control, position: context.position, version, remark });
}

/** Returns why it did not take effect, or an empty string. */
function apply(context: StepContext, control: Control): string {
  switch (control.kind) {
    case 'boot':
      openProducer(context.state, context.settings, control);
      return '';
    case 'settings':
      return takeSettings(context, control);
    case 'gap':
      return declareGap(context, control);
    case 'reconciliation':
      return applyReconciliation(context, control);
    case 'takeover':
      return applyTakeover(context.state, control);
    default:
      return `ignored: this version does not know ${control.kind} records`;
  }
}

function takeSettings(context: StepContext, control: Control): string {
  const remark = applySettings(context.state, control);
  if (remark === '') reviewWaiting({ ...context, settings: settingsOf(context.state) ?? context.settings });
  return remark;
}

function declareGap(context: StepContext, control: Control): string {
  const parsed = parseDocument('gap', control.document);
  if (!parsed.ok) return `ignored: ${parsed.problem}`;
  const { boot } = parsed.value;
  const { received_at: at } = control;
  const remark = retireProducer(context.state, context.settings, { boot, by: control.boot, at });
  if (remark === '') noteRetired(context, boot, at);
  return remark;
}

function tick(context: StepContext, control: Control): void {
  const { state, settings } = context;
  keepControl(context, control, '');
  tickProducer(state, control.boot, control.time ?? control.received_at, control.catching_up);
  const watermark = advanceWatermark(state, settings.slack_ms);
  emitPanes(context, watermark);
  endByTime(context, watermark);
  judgeTwins(context, watermark);
  endWaiting(context, watermark);
  forgetTwins(context, watermark);
  forgetBodies(context, watermark);
  atTick(context, watermark, control);
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
