/** The row of a delivery that could not be trusted or understood. */
import type { RejectReason } from '../providers/provider.ts';
import type { Delivery } from '../records/generated.ts';
import { envelope, type StepContext } from './context.ts';
import { outputId } from './ids.ts';
import { count } from './state.ts';

export function reject(context: StepContext, delivery: Delivery, reason: RejectReason, detail: string): void {
  count(context.state, 'rejects', reason);
  emitReject(context, delivery, 1, { reason, detail });
}

/** It was none after all: the delivery is of an event, whose id is given. */
export function withdrawReject(context: StepContext, delivery: Delivery, reason: RejectReason, event: string): void {
  count(context.state, 'rejects', reason, -1);
  emitReject(context, delivery, 2, { reason, detail: '', withdrawn: true, replaced_by: event });
}

function emitReject(
  context: StepContext,
  delivery: Delivery,
  revision: number,
  columns: { reason: RejectReason; detail: string; withdrawn?: boolean; replaced_by?: string },
): void {
  const id = outputId(delivery.received_at, 'reject', context.tenant, delivery.id);
  context.emit('reject', {
    ...envelope(context, id, revision, delivery.received_at),
    delivery: delivery.id,
    received_at: delivery.received_at,
    endpoint: delivery.endpoint,
    provider: delivery.provider,
    event_name: delivery.event_name,
    account: delivery.account,
    ...columns,
  });
}
