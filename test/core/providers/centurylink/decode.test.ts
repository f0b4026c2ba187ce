import { describe, expect, test } from 'vitest';
import { decodeCenturylink } from '../../../../services/core/providers/centurylink/decode.ts';
import { deliveryOf } from '../../flow/lane.ts';

function decode(event_name: string, body: unknown) {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return decodeCenturylink(deliveryOf({ event_name, body: bytes }));
}
const factOf = (event: string, body: unknown) => {
  const decoded = decode(event, body);
  if (!decoded.ok) throw new Error(`${decoded.reason}: ${decoded.detail}`);
  return decoded.fact;
};
const nested = (levels: number) =>
  `{"name":"x","accountAlias":"A","deep":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;

describe('rejects, each with its reason', () => {
  test.each<[reason: string, event: string, body: unknown]>([
    ['unknown event', 'Server.Exploded', {}],
    ['unknown event', 'Alert.Created', {}],
    ['unknown event', 'Server.Notification', {}],
    ['unknown event', '', {}],
    ['not UTF-8', 'Server.Updated', Buffer.from([0x7b, 0xff, 0x7d])],
    ['not JSON', 'Server.Updated', ''],
    ['not JSON', 'Server.Updated', '{"name":'],
    ['not JSON', 'Server.Updated', "{'name':1}"],
    ['not an object', 'Server.Updated', '[]'],
    ['not an object', 'Server.Updated', 'null'],
    ['not an object', 'Server.Updated', '"text"'],
    ['too deep', 'Server.Updated', nested(33)],
    ['too deep', 'Server.Updated', nested(50_000)],
    ['account missing', 'Server.Updated', { name: 'WEB01' }],
    ['account missing', 'Server.Updated', { name: 'WEB01', links: [{ rel: 'account', id: 'ACME' }] }],
    ['account missing', 'Account.Updated', {}],
    ['account missing', 'User.Updated', { userName: 'u' }],
    ['account missing', 'Alert.Notification', { serverName: 'WEB01' }],
    ['subject missing', 'Server.Updated', { accountAlias: 'ACME' }],
    ['subject missing', 'User.Updated', { accountAlias: 'ACME', userName: ' ' }],
    ['subject missing', 'Alert.Notification', { accountAlias: 'ACME' }],
    ['account missing', 'Account.Updated', '{"__proto__":{"accountAlias":"ACME"}}'],
  ])('%s: %s %j', (reason, event, body) => {
    const decoded = decode(event, body);
    expect(decoded).toMatchObject({ ok: false, reason });
    expect(({} as { accountAlias?: string }).accountAlias).toBeUndefined();
  });

  test('the detail never quotes the body', () => {
    const decoded = decode('User.Updated', '{"password": secret-token}');
    expect(JSON.stringify(decoded)).not.toContain('secret');
  });
});

test('depth 32 is taken', () => {
  expect(decode('Server.Updated', nested(32))).toMatchObject({ ok: true });
});

describe("a server's account", () => {
  const server = (more: object) => factOf('Server.Updated', { name: 'WEB01', ...more }).account;
  const self = { rel: 'self', href: '/v2/servers/fromself/web01' };
  test.each<[name: string, more: object, account: string]>([
    [
      'the href of the account link',
      { links: [self, { rel: 'account', href: '/v2/accounts/altd', id: 'btdi' }] },
      'ALTD',
    ],
    ['else the href of the self link', { links: [self] }, 'FROMSELF'],
    ['else accountAlias, as in deletions', { accountAlias: 'acme' }, 'ACME'],
    ['links before accountAlias', { accountAlias: 'acme', links: [self] }, 'FROMSELF'],
    ['never an id', { accountAlias: 'acme', links: [{ rel: 'account', id: 'btdi' }] }, 'ACME'],
  ])('%s', (_name, more, account) => {
    expect(server(more)).toBe(`centurylink:${account}`);
  });
});

test('a deletion of a server carries only two fields', () => {
  expect(factOf('Server.Deleted', { accountAlias: 'ACME', name: 'WEB01' })).toMatchObject({
    entity: 'server',
    action: 'deleted',
    account: 'centurylink:ACME',
    subject: 'WEB01',
    time: undefined,
  });
});

test('servers are recognised in either case, and shown as they were spelled', () => {
  expect(factOf('Server.Updated', { accountAlias: 'A', name: 'Web01' })).toMatchObject({
    subject: 'Web01',
    key: 'WEB01',
  });
  expect(factOf('Server.Updated', { accountAlias: 'A', id: 'web01' })).toMatchObject({ key: 'WEB01' });
});

test('identifiers stay text and long integers are not rounded', () => {
  const body = '{"accountAlias":9007199254740993,"userName":12345678901234567890}';
  expect(factOf('User.Updated', body)).toMatchObject({
    account: 'centurylink:9007199254740993',
    subject: '12345678901234567890',
    data: body,
  });
});

test.each<[text: unknown, time: number | undefined]>([
  ['2015-07-07T14:00:28Z', Date.UTC(2015, 6, 7, 14, 0, 28)],
  ['2015-07-07T14:00:28.5+02:00', Date.UTC(2015, 6, 7, 12, 0, 28, 500)],
  ['2015-07-07T14:00:28', undefined],
  ['2015-07-07', undefined],
  ['2015-13-07T14:00:28Z', undefined],
  ['yesterday', undefined],
  [1436277628000, undefined],
  [null, undefined],
])('a time counts only with its zone: %j', (modifiedDate, time) => {
  const body = { accountAlias: 'A', name: 'WEB01', changeInfo: { modifiedDate } };
  expect(factOf('Server.Updated', body)).toMatchObject({ time, modifiedAt: time });
});
