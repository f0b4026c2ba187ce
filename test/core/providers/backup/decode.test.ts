import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import backup from '../../../../services/core/providers/backup/provider.ts';
import { deliveryOf } from '../../flow/lane.ts';

const recorded = (file: string): Record<string, string>[] =>
  JSON.parse(readFileSync(new URL(`../../../recorded/${file}`, import.meta.url), 'utf8'));
const of2018 = recorded('simple-backup-2018.json');
const of2019 = recorded('simple-backup-2019.json');

function decode(body: unknown, account = 'backup:ENDPOINT') {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return backup.decode(deliveryOf({ provider: 'backup', event_name: '', account, body: bytes }));
}
function factOf(body: unknown, account?: string) {
  const decoded = decode(body, account);
  if (!decoded.ok) throw new Error(`${decoded.reason}: ${decoded.detail}`);
  return decoded.fact;
}
const noReports = { entity: 'backup', action: 'reported', nature: 'named', unknownFields: [], changes: [] };

describe('the bodies of 2018', () => {
  test.each([
    [0, 'failed', 'testServerId20190102013933', 'TestAccountPolicyName20190102013933', '2018-12-20T01:39:38Z'],
    [1, 'partial_success', 'IL1TESTWIND0803', 'ZZZ USERS', '2018-12-20T18:00:36Z'],
    [3, 'success', 'TESTUBUNTUTEST', 'ZZZ etc', '2018-12-20T17:01:45Z'],
  ])('%i: %s', (index, result, server, policy, finished) => {
    const finishedAt = Date.parse(finished);
    expect(factOf(of2018[index])).toMatchObject({
      ...noReports,
      account: 'backup:TEST',
      subject: server,
      key: server.toUpperCase(),
      time: finishedAt,
      backup: { server, policy, policyId: '', result, finishedAt, expectedAt: undefined, region: '' },
      attributes: { result, policy, finished_at: new Date(finishedAt).toISOString() },
      flags: [],
      data: JSON.stringify(of2018[index]),
    });
  });

  test('a missed one names no account: it is the endpoint’s', () => {
    const expectedAt = Date.UTC(2018, 11, 20, 17, 0, 6, 476);
    const policyId = 'e6ac019b-c646-359a-83a4-b81b5cc1c512';
    const [server, policy] = ['testServerId20181228013921', 'TestAccountPolicyName20181228013921'];
    expect(factOf(of2018[2])).toMatchObject({
      ...noReports,
      account: 'backup:ENDPOINT',
      subject: server,
      location: 'US WEST',
      time: undefined,
      backup: { server, policy, policyId, result: 'missed', finishedAt: undefined, expectedAt, region: 'US WEST' },
      attributes: { result: 'missed', region: 'US WEST', expected_at: '2018-12-20T17:00:06.476Z' },
      flags: ['account_of_endpoint'],
    });
  });
});

describe('the bodies of 2019', () => {
  test.each([
    [1, 'partial_success', '2019-02-01T01:05:00Z', '5e641ec2-24c1-40aa-a93a-d75e66f37d12'],
    [3, 'success', '2019-02-01T21:23:57Z', 'd46dc104-2119-4288-a59c-f04f59ffb1e9'],
  ])('%i: %s', (index, result, finished, policyId) => {
    const { server, accountPolicyName: policy, accountPolicyId } = of2019[index]!;
    const finishedAt = Date.parse(finished);
    expect(factOf(of2019[index])).toMatchObject({
      ...noReports,
      account: 'backup:TEST',
      subject: server,
      time: finishedAt,
      backup: { server, policy, policyId, result, finishedAt },
      attributes: { account_policy_id: accountPolicyId, server_policy_id: policyId },
      flags: [],
    });
  });

  test('the documented failure disagrees with itself about the policy: the field holds', () => {
    expect(factOf(of2019[0])).toMatchObject({
      backup: { policy: 'TestAccountPolicyName20190201013935', result: 'failed' },
      attributes: { text_disagrees: 'policy', text_policy: 'TestAccountPolicyName20190201013933' },
      flags: ['text_disagrees'],
    });
  });

  test('a missed one has an account, and its region in the text alone', () => {
    expect(factOf(of2019[2])).toMatchObject({
      account: 'backup:TEST',
      location: 'US EAST',
      time: undefined,
      backup: { result: 'missed', region: 'US EAST', expectedAt: Date.UTC(2019, 1, 1, 20, 0, 4, 289) },
      flags: [],
    });
  });

  test.each([0, 1, 3])('%i without its text says the same', (index) => {
    const { text: _, ...fields } = of2019[index]!;
    const whole = factOf(of2019[index]);
    expect(factOf(fields)).toMatchObject({
      account: whole.account,
      time: whole.time,
      backup: whole.backup!,
      flags: [],
    });
  });
});

describe('text and fields', () => {
  const [, partial, missed] = of2019 as [object, object, object];

  test.each<[change: object, disagrees: string, attributes: object, fact: object]>([
    [{ status: 'SUCCESS' }, 'status', { text_status: 'PARTIAL_SUCCESS' }, { backup: { result: 'success' } }],
    [{ account: 'OTHR' }, 'account', { text_account: 'TEST' }, { account: 'backup:OTHR' }],
    [{ server: 'WEB02' }, 'server', { text_server: 'IL1TESTWIND0803' }, { subject: 'WEB02' }],
    [{ finishedDate: '2019-02-01 01:06:00 UTC' }, 'finished', {}, { time: Date.UTC(2019, 1, 1, 1, 6) }],
    [
      { server: 'WEB02', account: 'OTHR' },
      'account server',
      { text_account: 'TEST', text_server: 'IL1TESTWIND0803' },
      { account: 'backup:OTHR', subject: 'WEB02' },
    ],
  ])('the field wins: %j', (change, disagrees, attributes, fact) => {
    const decoded = factOf({ ...partial, ...change });
    expect(decoded).toMatchObject({ ...fact, attributes: { text_disagrees: disagrees, ...attributes } });
    expect(decoded.flags).toEqual(['text_disagrees']);
  });

  test('they agree whatever the case of an alias and the spelling of a time', () => {
    const change = { account: 'test', finishedDate: '2019-02-01T01:05:00Z' };
    expect(factOf({ ...partial, ...change })).toMatchObject({ account: 'backup:TEST', flags: [] });
  });

  test('a backup that ran by its status was not missed, whatever the text says', () => {
    const fact = factOf({ ...missed, status: 'SUCCESS', finishedDate: '2019-02-01 21:00:00 UTC' });
    expect(fact).toMatchObject({ backup: { result: 'success' }, attributes: { text_disagrees: 'kind' } });
    const other = factOf({ text: (partial as { text: string }).text, expectedDate: '2019-02-01T20:00:04.289Z' });
    expect(other).toMatchObject({ backup: { result: 'missed' }, attributes: { text_disagrees: 'kind' } });
  });

  test('text that has neither form is flagged where fields say enough', () => {
    const fact = factOf({ ...partial, text: 'Teilweise erfolgreich' });
    expect(fact).toMatchObject({ backup: { result: 'partial_success' }, flags: ['text_unreadable'] });
  });
});

test.each([
  ['FAILED', 'failed'],
  ['Failure', 'failed'],
  ['Partial Success', 'partial_success'],
  ['success', 'success'],
])('status %s', (status, result) => {
  const text = of2018[0]!.text!.replace('FAILED', status);
  expect(factOf({ text })).toMatchObject({ backup: { result }, attributes: { status }, flags: [] });
});

test('an unknown status is an event that says nothing of the backup’s health', () => {
  const fact = factOf({ ...of2019[1], status: 'CANCELLED' });
  expect(fact.backup).toBeUndefined();
  expect(fact).toMatchObject({ attributes: { status: 'CANCELLED' }, flags: ['unknown_status', 'text_disagrees'] });
});

test('an unreadable time is flagged, a field of another type and an unlisted one are named', () => {
  const fact = factOf({ ...of2019[3], text: null, finishedDate: 'yesterday', accountPolicyId: {}, zone: 'x' });
  expect(fact).toMatchObject({
    time: undefined,
    unknownFields: ['zone'],
    attributes: { wrong_type: 'accountPolicyId' },
  });
  expect(fact.flags).toEqual(['time_unreadable', 'wrong_type']);
});

describe('rejects, each with its reason and its field', () => {
  const [, , missed2018] = of2018;
  test.each<[reason: string, named: string, body: unknown, account?: string]>([
    ['unknown event', 'text', {}],
    ['unknown event', 'expectedDate', { server: 'WEB01', account: 'TEST' }],
    ['unknown event', 'text', { text: false }],
    ['field invalid', 'text', { text: 'Hello' }],
    ['subject missing', 'server', { status: 'FAILED', account: 'TEST' }],
    ['account missing', 'account', missed2018, ''],
    ['account missing', 'account', missed2018, 'backup:'],
    ['field invalid', 'account', { ...of2019[1], account: 'TE ST' }],
    ['field invalid', 'server', { ...of2019[1], server: 'x'.repeat(257) }],
    ['field invalid', 'accountPolicyName', { ...of2019[1], accountPolicyName: 'x'.repeat(1025) }],
    ['not an object', 'array', '[]'],
    ['not JSON', 'JSON', 'Status: FAILED'],
  ])('%s: %s', (reason, named, body, account) => {
    expect(decode(body, account)).toEqual({ ok: false, reason, detail: expect.stringContaining(named) });
  });
});

test('nothing is verified, and there is no key', () => {
  const request = { body: Buffer.from('{}'), headers: { authorization: 'Basic x' }, nowMs: 0 };
  expect(backup.verify(request, [])).toEqual({ verdict: 'unauthenticated' });
  expect(() => backup.parseKey('k', 'secret')).toThrow(TypeError);
});
