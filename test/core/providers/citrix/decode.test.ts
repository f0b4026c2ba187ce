import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeCitrix } from '../../../../services/core/providers/citrix/decode.ts';
import { deliveryOf } from '../../flow/lane.ts';

/** What the documentation shows, put together from its parts. */
const recorded = new URL('../../../recorded/citrix-callbacks-2018.json', import.meta.url);
const [notification, login, logon]: object[] = JSON.parse(readFileSync(recorded, 'utf8'));

function decode(body: unknown) {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return decodeCitrix(deliveryOf({ provider: 'citrix', event_name: '', account: 'citrix:acme', body: bytes }));
}
function factOf(body: unknown) {
  const decoded = decode(body);
  if (!decoded.ok) throw new Error(`${decoded.reason}: ${decoded.detail}`);
  return decoded.fact;
}
/** A callback of any type. States are given as objects and sent as the strings that they are. */
function callback(
  parts: { Type?: unknown; ChangeType?: unknown; before?: unknown; after?: unknown; more?: object } = {},
) {
  const { Type = 'ResourceLocation', ChangeType = 'Update', before = null, after = null, more } = parts;
  const stringOf = (state: unknown) => (state === null || typeof state === 'string' ? state : JSON.stringify(state));
  return {
    CustomerId: 'acme',
    Type,
    ChangeType,
    TransactionId: 't-1',
    Identity: 'joe@example.com',
    BeforeChange: stringOf(before),
    AfterChange: stringOf(after),
    TimeStamp: '2018-04-24T15:15:49.493Z',
    ...more,
  };
}
const notificationWith = (after: object) => factOf(callback({ Type: 'Notifications', ChangeType: 'Create', after }));

test('the notification of the documentation', () => {
  expect(factOf(notification)).toEqual({
    entity: 'notification',
    action: 'created',
    nature: 'named',
    account: 'citrix:acme',
    parentAccount: '',
    subject: '2518777178829331203_YB2Y1',
    key: '2518777178829331203_YB2Y1',
    location: '',
    time: Date.UTC(2018, 3, 24, 15, 15, 49, 493),
    createdAt: undefined,
    modifiedAt: Date.UTC(2018, 3, 24, 15, 15, 49, 493),
    actor: 'tom.kludy@citrix.com',
    correlation: '9cc8c8d0-3d24-46f4-b63c-8c5d092b7205',
    triggers: [],
    attributes: {
      type: 'Notifications',
      change_type: 'Create',
      severity: 'informational',
      priority: 'normal',
      destination_customer: 'acme',
      destination_administrator: '*',
      component: 'Citrix Cloud',
      claimed_created_date: '2018-04-24T15:15:17.0668796Z',
      claimed_event_id: '7df85e7a-79b8-4cc2-abe0-c2f9ba2ec715',
      title: 'This is a title',
      description: 'This is a description',
      language: 'en-US',
    },
    unknownFields: [],
    changes: [],
    flags: [],
    snapshot: '',
    data: JSON.stringify(notification),
  });
});

test.each([
  ['as the page has it', login],
  ['as an edition of the page had it', logon],
])('the logon of an administrator, %s', (_name, body) => {
  expect(factOf(body)).toMatchObject({
    entity: 'administrator',
    action: 'logged_in',
    account: 'citrix:acme',
    subject: 'joe@mycompany.com',
    time: Date.UTC(2018, 3, 24, 21, 21, 42, 600),
    attributes: { principal: 'joe@mycompany.com', org_id: '1487a6', logon_time: '2018-04-24T21:21:42.521Z' },
    unknownFields: [],
    flags: [],
  });
});

describe('words', () => {
  test.each([
    ['Administrator', 'administrator'],
    ['ClientAdministrator', 'client_administrator'],
    ['ResourceLocation', 'resource_location'],
    ['EdgeServers', 'edge_server'],
    ['Notifications', 'notification'],
    ['Forests', 'forest'],
    ['Domains', 'domain'],
    ['Entitlement', 'entitlement'],
    ['Subscriptions', 'subscription'],
    ['Webhooks', 'webhook'],
  ])('Type %s → %s', (Type, entity) => {
    expect(factOf(callback({ Type }))).toMatchObject({ entity, flags: [] });
  });

  test.each([
    ['Create', 'created'],
    ['Update', 'updated'],
    ['Delete', 'deleted'],
    ['Login', 'logged_in'],
    ['HealthDataRequest', 'health_data_request'],
    ['HealthDataResponse', 'health_data_response'],
  ])('ChangeType %s → %s', (ChangeType, action) => {
    expect(factOf(callback({ ChangeType }))).toMatchObject({ action, flags: [] });
  });

  test.each([
    ['MachineCatalog', 'machine_catalog'],
    ['Server', 'citrix_server'],
    ['notifications', 'notifications'],
    ['日本', 'other'],
  ])('a Type that no page lists is taken and flagged: %s → %s', (Type, entity) => {
    const more = { attributes: { type: Type }, flags: ['unknown_type'] };
    expect(factOf(callback({ Type }))).toMatchObject({ entity, ...more });
  });

  test('so is a ChangeType', () => {
    const fact = factOf(callback({ Type: 'Thing', ChangeType: 'PowerCycled' }));
    expect(fact).toMatchObject({ action: 'power_cycled', flags: ['unknown_type', 'unknown_change_type'] });
  });
});

describe('changes', () => {
  const changesOf = (before: unknown, after: unknown) => {
    const { changes, flags } = factOf(callback({ before, after }));
    return { changes: changes.map(({ field, before: old, after: young }) => [field, old, young]), flags };
  };

  test('every field that differs, at any depth, lists as a whole', () => {
    const before = {
      id: 'r',
      name: 'old',
      a: { b: { c: 1, same: true }, gone: [] },
      list: [1, { x: 1, y: 2 }],
      kind: {},
    };
    const after = { id: 'r', name: 'new', a: { b: { c: null, same: true } }, list: [1, { y: 2, x: 2 }], kind: 'text' };
    expect(changesOf(before, after)).toEqual({
      changes: [
        ['a.b.c', '1', 'null'],
        ['a.gone', '[]', ''],
        ['kind', '{}', '"text"'],
        ['list', '[1,{"x":1,"y":2}]', '[1,{"y":2,"x":2}]'],
        ['name', '"old"', '"new"'],
      ],
      flags: [],
    });
  });

  test.each([
    ['[1]', '[1,2]'],
    ['[{"x":1}]', '[{"x":1,"y":2}]'],
    ['[{"x":1,"y":2}]', '[{"x":1}]'],
    ['[{"__proto__":{}}]', '[{"x":1}]'],
  ])('a list that has more in it, or else: %s, %s', (before, after) => {
    expect(changesOf(`{"list":${before}}`, `{"list":${after}}`).changes).toEqual([['list', before, after]]);
  });

  test('the order of fields is no change', () => {
    expect(changesOf('{"a":[{"x":1,"y":2}],"b":1}', '{"b":1,"a":[{"y":2,"x":1}]}').changes).toEqual([]);
  });

  test.each([
    ['a creation', null, { name: 'a' }],
    ['a deletion', { name: 'a' }, null],
    ['neither', null, null],
    ['null inside of the string', 'null', { name: 'a' }],
  ])('none of %s', (_name, before, after) => {
    expect(changesOf(before, after)).toEqual({ changes: [], flags: [] });
  });

  test('names with dots and names that objects inherit', () => {
    expect(changesOf('{"a.b":1,"__proto__":{"x":1}}', '{"a.b":2,"__proto__":{"x":2},"toString":1}').changes).toEqual([
      ['__proto__.x', '1', '2'],
      ['"a.b"', '1', '2'],
      ['toString', '', '1'],
    ]);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  test('numbers that no double holds differ as they were written', () => {
    expect(changesOf('{"n":9007199254740992}', '{"n":9007199254740993}').changes).toEqual([
      ['n', '"9007199254740992"', '"9007199254740993"'],
    ]);
  });

  test('200 at most', () => {
    const numbered = (count: number, value: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${1000 + index}`, { v: value }]));
    const exact = changesOf(numbered(200, 1), numbered(200, 2));
    expect([exact.changes.length, exact.flags]).toEqual([200, []]);
    const more = changesOf(numbered(5000, 1), numbered(5000, 2));
    expect([more.changes.length, more.changes.at(-1)?.[0], more.flags]).toEqual([
      200,
      'f1199.v',
      ['changes_truncated'],
    ]);
  });

  test('a path of 512 characters at most', () => {
    const name = 'n'.repeat(600);
    const { changes, flags } = changesOf({ [name]: 1 }, { [name]: 2 });
    expect([changes[0]?.[0]?.length, flags]).toEqual([512, ['changes_truncated']]);
  });

  test('an object in place of its string is as good', () => {
    const body = { ...callback(), BeforeChange: { id: 'r', a: 1 }, AfterChange: { id: 'r', a: 2 } };
    expect(factOf(body)).toMatchObject({ subject: 'r', changes: [{ field: 'a', before: '1', after: '2' }], flags: [] });
  });

  test.each<[name: string, state: unknown, text: string]>([
    ['no JSON', 'Forest joined.', 'Forest joined.'],
    ['half of it', '{"a":', '{"a":'],
    ['a list', '[1]', '[1]'],
    ['too deep', `{"a":${'['.repeat(40)}${']'.repeat(40)}}`, `{"a":${'['.repeat(40)}${']'.repeat(40)}}`],
    ['a number outside of a string', 17, '17'],
  ])('what is not the JSON of an object is kept and flagged: %s', (_name, state, text) => {
    const fact = factOf({ ...callback({ before: { id: 'r' } }), AfterChange: state });
    expect(fact).toMatchObject({
      subject: 'r',
      changes: [],
      attributes: { after_change: text },
      flags: ['change_not_json'],
    });
  });
});

describe('a notification', () => {
  test.each([
    [{ Severity: 1, Priority: 1 }, { severity: 'success', priority: 'low' }, []],
    [{ Severity: 2, Priority: 2 }, { severity: 'warning', priority: 'high' }, []],
    [{ Severity: 3, Priority: 3 }, { severity: 'error', priority: 'urgent' }, []],
    [{ Severity: 'Information', Priority: 'Urgent' }, { severity: 'informational', priority: 'urgent' }, []],
    [{ Severity: 4, Priority: -1 }, { severity: '4', priority: '-1' }, ['unknown_severity', 'unknown_priority']],
    [{ Severity: 'Dire' }, { severity: 'Dire' }, ['unknown_severity']],
    [{ Severity: {} }, { wrong_type: 'AfterChange.Severity' }, ['wrong_type']],
    [{ Categories: ['a', 'b'] }, { categories: '["a","b"]' }, []],
    [{ ExternalId: 'x-1' }, { external_id: 'x-1' }, []],
    [{ Destination: 'acme' }, { destination_customer: 'acme' }, []],
    [{ Destination: '*;joe;jim' }, { destination_customer: '*', destination_administrator: 'joe;jim' }, []],
    [
      { Destination: 'other;*' },
      { destination_customer: 'other', destination_administrator: '*' },
      ['customer_differs'],
    ],
  ])('%j', (after, attributes, flags) => {
    const fact = notificationWith(after);
    expect(fact.attributes).toEqual({ type: 'Notifications', change_type: 'Create', ...attributes });
    expect(fact.flags).toEqual(flags);
  });

  const entry = (tag: string | undefined) => ({ LanguageTag: tag, Title: `title ${tag}`, Description: `text ${tag}` });

  test.each([
    ['en-US before all', ['fr-FR', 'en-GB', 'EN-us'], 'EN-us'],
    ['else any English', ['fr-FR', 'en', 'de-DE'], 'en'],
    ['else the first', ['fr-FR', 'de-DE', 'eng'], 'fr-FR'],
  ])('language: %s', (_name, tags, preferred) => {
    const { attributes } = notificationWith({ Content: tags.map(entry) });
    expect(attributes).toMatchObject({
      language: preferred,
      title: `title ${preferred}`,
      description: `text ${preferred}`,
    });
    for (const tag of tags.filter((other) => other !== preferred)) {
      expect(attributes[`title_${tag.toLowerCase().replace('-', '_')}`]).toBe(`title ${tag}`);
      expect(attributes[`description_${tag.toLowerCase().replace('-', '_')}`]).toBe(`text ${tag}`);
    }
  });

  test('of two texts in one language the first is kept, of many languages 20', () => {
    const twice = notificationWith({
      Content: [entry('en-US'), entry('fr'), { LanguageTag: 'fr', Title: 'second' }, {}],
    });
    expect(twice.attributes).toMatchObject({ title_fr: 'title fr', description_fr: 'text fr' });
    const many = notificationWith({ Content: Array.from({ length: 100 }, (_, index) => entry(`x-${index}`)) });
    expect(Object.keys(many.attributes).filter((name) => name.startsWith('title'))).toHaveLength(20);
    expect(many.flags).toEqual(['content_truncated']);
  });

  test('what is no text of a language is noted', () => {
    const fact = notificationWith({ Content: ['text', { LanguageTag: 'en', Title: {}, Colour: 'red' }], Extra: 1 });
    expect(fact.attributes).toMatchObject({ wrong_type: 'AfterChange.Content[] AfterChange.Content[].Title' });
    expect(fact.unknownFields).toEqual(['AfterChange.Content[].Colour', 'AfterChange.Extra']);
  });
});

test('a logon to another customer is flagged', () => {
  const loggedIn = (after: object) => factOf(callback({ Type: 'Administrator', ChangeType: 'Login', after }));
  expect(loggedIn({ Principal: 'joe' }).flags).toEqual([]);
  expect(loggedIn({ CustomerId: 'other', Principal: 'joe' })).toMatchObject({
    account: 'citrix:acme',
    subject: 'joe',
    flags: ['customer_differs'],
  });
});

test.each<[state: object, subject: string]>([
  [{ id: 'r-1', name: 'Munich' }, 'r-1'],
  [{ Id: 17 }, '17'],
  [{ name: 'Munich' }, 'Munich'],
  [{ other: 1 }, ''],
])('an object names itself: %j', (state, subject) => {
  expect(factOf(callback({ after: state })).subject).toBe(subject);
  expect(factOf(callback({ ChangeType: 'Delete', before: state })).subject).toBe(subject);
});

test('fields of the envelope that no page lists, or of another type', () => {
  const fact = factOf(callback({ more: { Region: 'EU', Identity: ['a'], TimeStamp: 'yesterday', TransactionId: 5 } }));
  expect(fact).toMatchObject({ actor: '', correlation: '5', time: undefined, modifiedAt: undefined });
  expect(fact).toMatchObject({ unknownFields: ['Region'], attributes: { wrong_type: 'Identity TimeStamp' } });
});

describe('rejects, each with its reason and its field', () => {
  test.each<[reason: string, field: string, body: unknown]>([
    ['account missing', 'CustomerId', { ...callback(), CustomerId: null }],
    ['account missing', 'CustomerId', { ...callback(), CustomerId: {} }],
    ['field invalid', 'CustomerId', { ...callback(), CustomerId: 'acme/../other' }],
    ['field invalid', 'CustomerId', { ...callback(), CustomerId: 'a'.repeat(65) }],
    ['unknown event', 'Type', callback({ Type: ' ' })],
    ['unknown event', 'Type', callback({ Type: ['Notifications'] })],
    ['unknown event', 'ChangeType', callback({ ChangeType: null })],
    ['not an object', 'array', '[]'],
    ['not JSON', 'JSON', 'CustomerId=acme'],
  ])('%s, %s: %j', (reason, field, body) => {
    expect(decode(body)).toEqual({ ok: false, reason, detail: expect.stringContaining(field) });
  });
});
