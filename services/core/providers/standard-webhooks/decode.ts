/** Payloads as Standard Webhooks recommends them: `{ "type": "contact.created", "timestamp": …, "data": { "id": … } }`. */
import type { Delivery } from '../../records/generated.ts';
import { createNotes, Fields, remarksOf } from '../fields.ts';
import { isObject, parseJsonObject } from '../json.ts';
import { type Decoded, fact } from '../provider.ts';
import { ownEntity, snakeCase } from '../words.ts';

export function decodeStandardWebhooks(delivery: Delivery): Decoded {
  const parsed = parseJsonObject(delivery.body);
  if (!parsed.ok) return parsed;
  const notes = createNotes();
  const fields = new Fields(parsed.object, ['type', 'timestamp', 'data'], notes);
  const type = fields.text('type') ?? '';
  const time = fields.instant('timestamp');
  const data = fields.any('data');
  // What is in it is the sender's affair.
  const subject = isObject(data) ? new Fields(data, [], createNotes()).identifier('id') : undefined;
  // `order.item.added` → entity order_item, action added; a word alone says what it is about.
  const [, what = type, happened = 'notified'] = /^(.+)\.([^.]+)$/.exec(type) ?? [];
  const [entity, action] = [snakeCase(what), snakeCase(happened)];
  if (entity === '' || action === '') return { ok: false, reason: 'unknown event', detail: 'type names no event' };
  if (delivery.account === '') return { ok: false, reason: 'account missing', detail: 'the endpoint has no account' };
  return fact({
    ...remarksOf(notes),
    entity: ownEntity('standard-webhooks', entity),
    action,
    account: delivery.account,
    subject: subject ?? '',
    time,
    modifiedAt: time,
    // The same for every attempt to send the same event.
    correlation: delivery.headers['webhook-id'] ?? '',
    data: parsed.text,
  });
}
