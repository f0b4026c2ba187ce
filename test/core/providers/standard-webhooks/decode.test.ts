import { expect, test } from 'vitest';
import { decodeStandardWebhooks } from '../../../../services/core/providers/standard-webhooks/decode.ts';
import { deliveryOf } from '../../flow/lane.ts';

const account = 'standard-webhooks:shop';

function decode(body: unknown, parts = {}) {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const headers = { 'webhook-id': 'msg_1' };
  return decodeStandardWebhooks(
    deliveryOf({ provider: 'standard-webhooks', event_name: '', account, headers, body: bytes, ...parts }),
  );
}

test('the example of the specification', () => {
  const body = {
    type: 'contact.created',
    timestamp: '2022-11-03T20:26:10.344522Z',
    data: { id: '1f81eb52-5198-4599-803e-771906343485', type: 'contact', fullName: 'John Smith' },
  };
  const time = Date.UTC(2022, 10, 3, 20, 26, 10, 344);
  expect(decode(body)).toMatchObject({
    ok: true,
    fact: {
      entity: 'contact',
      action: 'created',
      account,
      subject: body.data.id,
      time,
      modifiedAt: time,
      correlation: 'msg_1',
      unknownFields: [],
      flags: [],
      data: JSON.stringify(body),
    },
  });
});

test.each([
  ['order.item.added', 'order_item', 'added'],
  ['Invoice.Paid', 'invoice', 'paid'],
  ['ping', 'ping', 'notified'],
  ['account.deleted', 'standard_webhooks_account', 'deleted'],
  [`${'a.'.repeat(99)}b`, 'a_'.repeat(32).slice(0, -1), 'b'],
])('type %s', (type, entity, action) => {
  expect(decode({ type })).toMatchObject({ ok: true, fact: { entity, action, subject: '', time: undefined } });
});

test('what the specification does not list is named, another type is flagged', () => {
  const decoded = decode({ type: 'a.b', timestamp: 1667507170, data: ['a'], version: 2 });
  expect(decoded).toMatchObject({ ok: true, fact: { unknownFields: ['version'], flags: ['wrong_type'], subject: '' } });
});

test.each<[reason: string, named: string, body: unknown, parts?: object]>([
  ['unknown event', 'type', {}],
  ['unknown event', 'type', { type: { a: 1 } }],
  ['unknown event', 'type', { type: '...' }],
  ['unknown event', 'type', { type: 'contact.日本' }],
  ['account missing', 'endpoint', { type: 'a.b' }, { account: '' }],
  ['not an object', 'array', '[]'],
])('%s: %s', (reason, named, body, parts) => {
  expect(decode(body, parts)).toEqual({ ok: false, reason, detail: expect.stringContaining(named) });
});
