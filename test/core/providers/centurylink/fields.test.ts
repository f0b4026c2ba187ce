import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeCenturylink } from '../../../../services/core/providers/centurylink/decode.ts';
import type { Fact } from '../../../../services/core/providers/provider.ts';
import { deliveryOf } from '../../flow/lane.ts';

const decode = (event_name: string, body: unknown) =>
  decodeCenturylink(
    deliveryOf({ event_name, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) }),
  );
function factOf(event: string, body: unknown): Fact {
  const decoded = decode(event, body);
  if (!decoded.ok) throw new Error(`${decoded.reason}: ${decoded.detail}`);
  return decoded.fact;
}

// The four payloads of the Webhooks FAQ (13 October 2014).
const account = {
  addressLine1: '112 112th Ave NE',
  addressLine2: 'Ste 300',
  city: 'Bellevue',
  stateProvince: 'WA',
  country: 'USA',
  postalCode: '98004',
  telephone: '800-buy-cloud',
  status: 'Active',
  isManaged: true,
  links: [
    { rel: 'self', href: '/v2/accounts/DEMO' },
    { rel: 'parentAccount', href: '/v2/accounts/T3N' },
  ],
  accountAlias: 'DEMO',
  businessName: 'Seroter Industries',
  parentAlias: 'T3N',
  primaryDataCenter: 'WA1',
};
const user = {
  uri: '/v2/users/demo@user.com',
  accountUri: '/v2/accounts/DEMO',
  accountAlias: 'DEMO',
  userName: 'demo@user.com',
  emailAddress: 'demo@user.com',
  firstName: 'Richard',
  lastName: 'Seroter',
  status: 'Active',
};
const server = {
  id: 'WA1DEMOSERVER01',
  name: 'WA1DEMOSERVER01',
  description: 'My web server',
  groupId: 'wa1-0000',
  isTemplate: false,
  locationId: 'WA1',
  osType: 'Windows 2008 64-bit',
  status: 'active',
  details: {
    ipAddresses: [{ internal: '10.81.123.11' }, { public: '74.41.155.112', internal: '10.81.123.14' }],
    alertPolicies: [
      {
        id: '45866e6219e84ab786d07d4f570ba960',
        name: 'Production Web Servers - RAM',
        links: [{ rel: 'self', href: '/v2/alertPolicies/DEMO/45866e6219e84ab786d07d4f570ba960', verbs: ['DELETE'] }],
      },
    ],
    cpu: 1,
    diskCount: 1,
    inMaintenanceMode: false,
    memoryMB: 4096,
    powerState: 'started',
    storageGB: 50,
    disks: [{ id: '0:0', sizeGB: 50, partitionPaths: ['/'] }],
    partitions: [{ sizeGB: 0.5, path: '/boot' }],
    snapshots: [{ name: '2015-07-08.11:49:22', links: [] }],
    customFields: [{ id: 22, name: 'Cost Center', value: 'IT-DEV', displayValue: 'IT-DEV' }],
  },
  type: 'standard',
  storageType: 'standard',
  changeInfo: {
    createdBy: 'creator@user.com',
    createdDate: '2012-12-17T01:17:17Z',
    modifiedBy: 'modifier@user.com',
    modifiedDate: '2014-06-18T18:28:54Z',
  },
  links: [
    { rel: 'self', href: '/v2/servers/DEMO/WA1DEMOSERVER01', id: 'WA1DEMOSERVER01', verbs: ['GET', 'PATCH', 'DELETE'] },
    { rel: 'account', href: '/v2/accounts/DEMO', id: 'btdi' },
  ],
};
const alert = {
  accountAlias: 'DEMO',
  serverName: 'WA1DEMOSERVER01',
  triggers: [
    {
      data: { cpu: 2, cpuPercent: 39.34 },
      duration: '00:05:00',
      metric: 'cpu',
      stateEndTime: '2014-06-18T18:23:46Z',
      stateStartTime: '2014-06-18T18:20:00Z',
      state: 'notTriggered',
    },
  ],
};
const bodies = { Account: account, User: user, Server: server, Alert: alert } as const;

describe('the documented bodies', () => {
  test.each(Object.entries(bodies))('%s: nothing to remark', (event, body) => {
    const name = event === 'Alert' ? 'Alert.Notification' : `${event}.Updated`;
    expect(factOf(name, body)).toMatchObject({ nature: 'named', flags: [], unknownFields: [] });
  });

  test('an account and its parent', () => {
    expect(factOf('Account.Created', account)).toMatchObject({
      entity: 'account',
      action: 'created',
      account: 'centurylink:DEMO',
      parentAccount: 'centurylink:T3N',
      subject: 'DEMO',
      location: 'WA1',
      attributes: { status: 'Active' },
    });
  });

  test('who created a server, and who changed it', () => {
    const [createdAt, modifiedAt] = [Date.UTC(2012, 11, 17, 1, 17, 17), Date.UTC(2014, 5, 18, 18, 28, 54)];
    const times = { createdAt, modifiedAt, attributes: { status: 'active', power_state: 'started' } };
    const created = factOf('Server.Created', server);
    expect(created).toMatchObject({ ...times, actor: 'creator@user.com', time: createdAt });
    const updated = factOf('Server.Updated', server);
    expect(updated).toMatchObject({ ...times, actor: 'modifier@user.com', time: modifiedAt });
  });

  test('an alert is as old as its last trigger, whose length is not its duration', () => {
    const opened = { ...alert.triggers[0]!, metric: 'memory', state: 'triggered', stateEndTime: undefined };
    const fact = factOf('Alert.Notification', { ...alert, triggers: [...alert.triggers, opened] });
    const startedAt = Date.UTC(2014, 5, 18, 18, 20);
    const endedAt = Date.UTC(2014, 5, 18, 18, 23, 46);
    const policyDuration = '00:05:00';
    expect(fact).toMatchObject({ entity: 'alert', action: 'notified', time: endedAt, snapshot: '' });
    expect(fact.triggers).toEqual([
      { metric: 'cpu', state: 'notTriggered', startedAt, endedAt, policyDuration },
      { metric: 'memory', state: 'triggered', startedAt, endedAt: undefined, policyDuration },
    ]);
  });

  test('an alert without triggers says so', () => {
    expect(factOf('Alert.Notification', { ...alert, triggers: [] })).toMatchObject({ flags: ['triggers_missing'] });
  });
});

/** Every path of a body, with what to put there instead. */
function paths(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Object.entries(value).flatMap(([key, member]) =>
    paths(member, [...path, Array.isArray(value) ? Number(key) : key]),
  );
  return path.length === 0 ? inner : [path, ...inner];
}
function replaced(body: object, path: readonly (string | number)[], value: unknown): object {
  const copy = structuredClone(body);
  let place = copy as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) place = place[key] as Record<string | number, unknown>;
  place[path.at(-1)!] = value;
  return copy;
}
const nameOf = (path: readonly (string | number)[]) =>
  path.reduce<string>(
    (name, key) => (typeof key === 'number' ? `${name}[]` : name === '' ? key : `${name}.${key}`),
    '',
  );

const everyField = Object.entries(bodies).flatMap(([event, body]) =>
  paths(body).map((path) => ({ event: event === 'Alert' ? 'Alert.Notification' : `${event}.Updated`, body, path })),
);
/** Members of an alert's `data` are nobody's promise. */
const promised = everyField.filter(({ path }) => !path.includes('data') || path.at(-1) === 'data');

describe('a field of another type than documented', () => {
  test('all of them are tried', () => {
    expect(promised.length).toBeGreaterThan(100);
  });

  test.each(promised.map((one) => ({ ...one, name: nameOf(one.path) })))(
    '$event: $name',
    ({ event, body, path, name }) => {
      // No field may be a list of numbers.
      const decoded = decode(event, replaced(body, path, [7]));
      if (!decoded.ok) {
        expect(decoded).toMatchObject({ reason: 'field invalid', detail: expect.stringContaining(name) });
        return;
      }
      expect(decoded.fact.flags).toContain('wrong_type');
      const [noted] = decoded.fact.attributes.wrong_type!.split(' ');
      // A list may be right where its element is wrong.
      expect([name, `${name}[]`]).toContain(noted);
    },
  );

  test.each(promised.map((one) => ({ ...one, name: nameOf(one.path) })))(
    '$event: null $name is absent',
    ({ event, body, path }) => {
      const decoded = decode(event, replaced(body, path, null));
      if (decoded.ok) expect(decoded.fact.flags).not.toContain('wrong_type');
      else expect(decoded.reason).toMatch(/^(account|subject) missing$/);
    },
  );

  test.each<[event: string, body: object, field: string]>([
    ['Account.Updated', { accountAlias: {} }, 'accountAlias'],
    ['Account.Updated', { accountAlias: 'no alias!' }, 'accountAlias'],
    ['User.Updated', { accountAlias: true, userName: 'u' }, 'accountAlias'],
    ['User.Updated', { accountAlias: 'A', userName: ['u'] }, 'userName'],
    ['User.Updated', { accountAlias: 'A', userName: 'u'.repeat(513) }, 'userName'],
    ['User.Updated', { accountAlias: 'A', userName: '\ud800' }, 'userName'],
    ['Server.Updated', { accountAlias: 'A', name: {} }, 'name'],
    ['Server.Updated', { accountAlias: [], name: 'WEB01' }, 'accountAlias'],
    ['Server.Updated', { links: 'none', name: 'WEB01' }, 'links'],
    ['Server.Updated', { links: [{ rel: 'self', href: 7 }], name: 'WEB01' }, 'links[].href'],
    ['Alert.Notification', { accountAlias: 'A', serverName: false }, 'serverName'],
    ['Alert.Notification', { accountAlias: 'A', serverName: 'WEB01', triggers: 'cpu' }, 'triggers'],
  ])('%s without it is none, and says which: %j', (event, body, field) => {
    const decoded = decode(event, body);
    expect(decoded).toMatchObject({ ok: false, reason: 'field invalid' });
    expect((decoded as { detail: string }).detail.split(': ')[0]).toBe(field);
  });
});

test('what no page lists is named, sorted, and kept', () => {
  const body = {
    ...server,
    zebra: 1,
    os: 'x',
    details: { ...server.details, hostName: '' },
    links: [{ rel: 'account', href: '/v2/accounts/A', weight: 1 }],
  };
  expect(factOf('Server.Updated', body)).toMatchObject({
    unknownFields: ['details.hostName', 'links[].weight', 'os', 'zebra'],
    data: JSON.stringify(body),
  });
  const names = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`field${index}`, index]));
  expect(factOf('User.Updated', { ...user, ...names }).unknownFields).toHaveLength(50);
  expect(factOf('User.Updated', `{"accountAlias":"A","userName":"u","__proto__":{"a":1}}`).unknownFields).toEqual([
    '__proto__',
  ]);
});

test('the recorded servers have fields that no page lists, and none of a wrong type', () => {
  const file = new URL('../../../recorded/clc-servers.json', import.meta.url);
  const snapshots = Object.values(JSON.parse(readFileSync(file, 'utf8')) as Record<string, object[]>).flat();
  const facts = snapshots.map((snapshot) => factOf('Server.Updated', snapshot));
  expect(new Set(facts.flatMap(({ flags }) => flags))).toEqual(new Set());
  expect(new Set(facts.flatMap(({ unknownFields }) => unknownFields))).toEqual(
    new Set([
      'details.antiAffinityPolicy',
      'details.cpuAutoscalePolicy',
      'details.hostName',
      'details.secondaryIPAddresses',
      'isManagedOS',
      'os',
    ]),
  );
});

describe("at the sample listener's URLs the body says what happened, or nothing does", () => {
  test.each<[event: string, body: object, entity: string, action: string]>([
    ['Server', server, 'server', 'updated'],
    ['Server', { name: 'WEB01', accountAlias: 'DEMO' }, 'server', 'deleted'],
    ['Server', { ...server, status: 'Deleted' }, 'server', 'deleted'],
    ['Server', { ...server, status: 'archived' }, 'server', 'updated'],
    ['Account', account, 'account', 'updated'],
    ['Account', { ...account, status: 'deleted' }, 'account', 'deleted'],
    ['User', user, 'user', 'updated'],
    ['User', { ...user, status: 'Deleted' }, 'user', 'deleted'],
  ])('%s %j', (event, body, entity, action) => {
    expect(factOf(event, body)).toMatchObject({ nature: 'unnamed', entity, action });
  });

  test('all that is sent about alerts is one event', () => {
    expect(factOf('Alert', alert)).toEqual(factOf('Alert.Notification', alert));
  });
});

describe('the identity of a snapshot', () => {
  const snapshotOf = (event: string, body: object) => factOf(event, body).snapshot;

  test('is that of the same content, however it is written', () => {
    const { links, details, ...rest } = server;
    const rearranged = { links: links.slice(1), details: { ...details, hostName: 'web', partitions: [] }, ...rest };
    expect(snapshotOf('Server.Updated', rearranged)).toBe(snapshotOf('Server.Created', server));
    expect(snapshotOf('Server.Updated', server)).toMatch(/^server\|WA1DEMOSERVER01\|1403116134000\|[0-9a-f]{32}$/);
  });

  test('is another one for another content under the same date, another account, a deletion', () => {
    const deletion = { accountAlias: 'DEMO', name: server.name };
    const all = [
      snapshotOf('Server.Updated', server),
      snapshotOf('Server.Updated', { ...server, status: 'archived' }),
      snapshotOf('Server.Updated', { ...server, name: 'OTHER' }),
      snapshotOf('Server.Deleted', deletion),
      snapshotOf('Account.Updated', account),
      snapshotOf('Account.Updated', { ...account, city: 'Seattle' }),
      snapshotOf('Account.Deleted', account),
      snapshotOf('User.Updated', user),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(snapshotOf('Server.Deleted', deletion)).toMatch(/^server\|WA1DEMOSERVER01\|deleted\|[0-9a-f]{32}$/);
  });
});
