/** Changes that a body itself tells of, a row each: `priority "0" → "3"`. */
import type { FieldChange } from '../providers/provider.ts';
import { envelope, type Occurrence, type StepContext } from './context.ts';
import { outputId } from './ids.ts';

/** Of one event; a body that tells of more keeps the rest in its own text. */
const changesMax = 200;
/** Characters of a value's JSON, before and after. */
const valueMax = 4_096;

/** Emits what an event says has changed. A change amends nothing, so it is said however late the event is. */
export function emitChanges(context: StepContext, occurrence: Occurrence): void {
  const { changes } = occurrence.fact;
  // A field may be named twice: its place among the changes tells them apart.
  changes.slice(0, changesMax).forEach((change, index) => {
    const flags = changes.length > changesMax ? ['changes_truncated'] : [];
    emitChange(context, occurrence, change, index, flags);
  });
}

function emitChange(
  context: StepContext,
  { fact, delivery, event, time }: Occurrence,
  change: FieldChange,
  index: number,
  flags: string[],
): void {
  const cut = change.before.length > valueMax || change.after.length > valueMax;
  const id = outputId(delivery.received_at, 'change', context.tenant, event, String(index), change.field);
  context.emit('change', {
    ...envelope(context, id, 1, delivery.received_at),
    event,
    received_at: delivery.received_at,
    time,
    provider: delivery.provider,
    account: fact.account,
    entity: fact.entity,
    subject: fact.subject,
    actor: fact.actor,
    kind: 'field',
    field: change.field,
    before: cutValue(change.before),
    after: cutValue(change.after),
    flags: cut ? [...flags, 'value_truncated'] : flags,
  });
}

/** What is too long becomes a string of its own first characters: JSON as before, and flagged. */
function cutValue(json: string): string {
  return json.length <= valueMax ? json : JSON.stringify(json.slice(0, valueMax).toWellFormed());
}
