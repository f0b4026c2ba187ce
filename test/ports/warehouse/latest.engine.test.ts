/** The views that show the newest snapshot of things, and what waits, on the embedded engine. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Event } from '../../../services/core/records/generated.ts';
import { createClickHouseWarehouse } from '../../../services/ports/warehouse/clickhouse.ts';
import type { SqlWarehouse } from '../../../services/ports/warehouse/warehouse.ts';
import { insertValues } from './contract.ts';
import { type EngineProcess, passwords, startEngineProcess } from './engine-process.ts';
import { fixture } from './records.ts';

let engine: EngineProcess;
let warehouse: SqlWarehouse;
beforeAll(async () => {
  engine = await startEngineProcess();
  warehouse = createClickHouseWarehouse({ url: engine.url, username: 'hookwatch', password: passwords.hookwatch });
  await warehouse.migrate();
});
afterAll(async () => {
  await warehouse.close();
  await engine.dispose();
});

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
type Body = { [key: string]: Json };

const readJson = (name: string) => JSON.parse(readFileSync(new URL(`../../recorded/${name}`, import.meta.url), 'utf8'));
const recorded: Body[] = (Object.values(readJson('clc-servers.json')) as Body[][]).flat();
const minuteMs = 60_000;
/** Near now, so that no row is older than the tables keep it. */
const startMs = Math.floor(Date.now() / minuteMs) * minuteMs - 30 * minuteMs;

/** An event of CenturyLink Cloud; position and minute of receipt go with its number. */
function eventOf(entity: string, number: number, data: Body, changes: Partial<Event> = {}): Event {
  return fixture('event', {
    id: `event-${String(number).padStart(6, '0')}`,
    position: number,
    first_received_at: startMs + number * 1_000,
    provider: 'centurylink',
    entity,
    action: 'updated',
    account: 'centurylink:DEMO',
    subject: 'X',
    flags: [],
    origin: 'webhook',
    data: JSON.stringify(data),
    ...changes,
  });
}

/** A list of objects as a column holds it: every one has all of these fields, with what stands here where it has none. */
const link = { rel: '', href: '', id: '', verbs: [] };
const policy = { id: '', name: '', links: [{ rel: '', href: '', verbs: [] }] };
const listsOf: Record<string, Json> = {
  links: link,
  'details.ipAddresses': { public: '', internal: '' },
  'details.alertPolicies': policy,
  'details.disks': { id: '', sizeGB: null, partitionPaths: [] },
  'details.partitions': { path: '', sizeGB: null },
  'details.snapshots': { name: '', links: [{ rel: '', href: '' }] },
  'details.customFields': { id: '', name: '', value: '', displayValue: '' },
};

/** Columns that are times; they come as text in UTC. */
const isTime = (path: string) => path.startsWith('changeInfo.') && path.endsWith('Date');
/** Columns that are null where the body has none; texts are empty. */
const nullable = new Set([
  ...['isTemplate', 'isManaged', 'changeInfo.createdDate', 'changeInfo.modifiedDate'],
  ...['cpu', 'diskCount', 'inMaintenanceMode', 'memoryMB', 'storageGB'].map((name) => `details.${name}`),
]);

/** View, its entity, and the path in the body of each of its columns. */
const views = {
  servers_latest: {
    entity: 'server',
    samples: [readJson('clc-faq/server.json') as Body, ...recorded],
    documented: readJson('clc-faq/server.json') as Body,
    columns: {
      server_id: 'id',
      name: 'name',
      description: 'description',
      group_id: 'groupId',
      is_template: 'isTemplate',
      location: 'locationId',
      os_type: 'osType',
      status: 'status',
      ip_addresses: 'details.ipAddresses',
      alert_policies: 'details.alertPolicies',
      cpu: 'details.cpu',
      disk_count: 'details.diskCount',
      in_maintenance_mode: 'details.inMaintenanceMode',
      memory_mb: 'details.memoryMB',
      power_state: 'details.powerState',
      storage_gb: 'details.storageGB',
      disks: 'details.disks',
      partitions: 'details.partitions',
      snapshots: 'details.snapshots',
      custom_fields: 'details.customFields',
      type: 'type',
      storage_type: 'storageType',
      created_by: 'changeInfo.createdBy',
      created_at: 'changeInfo.createdDate',
      modified_by: 'changeInfo.modifiedBy',
      modified_at: 'changeInfo.modifiedDate',
      links: 'links',
    },
  },
  accounts_latest: {
    entity: 'account',
    samples: [readJson('clc-faq/account.json') as Body, { accountAlias: 'DEMO' }],
    documented: readJson('clc-faq/account.json') as Body,
    columns: {
      account_alias: 'accountAlias',
      business_name: 'businessName',
      parent_alias: 'parentAlias',
      primary_data_center: 'primaryDataCenter',
      status: 'status',
      is_managed: 'isManaged',
      address_line1: 'addressLine1',
      address_line2: 'addressLine2',
      city: 'city',
      state_province: 'stateProvince',
      country: 'country',
      postal_code: 'postalCode',
      telephone: 'telephone',
      links: 'links',
    },
  },
  users_latest: {
    entity: 'user',
    samples: [readJson('clc-faq/user.json') as Body, { userName: 'demo@user.com', title: 'not documented' }],
    documented: readJson('clc-faq/user.json') as Body,
    columns: {
      user_name: 'userName',
      email_address: 'emailAddress',
      first_name: 'firstName',
      last_name: 'lastName',
      status: 'status',
      account_alias: 'accountAlias',
      uri: 'uri',
      account_uri: 'accountUri',
    },
  },
};
const names = Object.keys(views) as (keyof typeof views)[];

/** Paths of all that is no object: `details.cpu`, `links`. */
function pathsOf(body: Body, within = ''): string[] {
  return Object.entries(body).flatMap(([name, value]) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? pathsOf(value, `${within}${name}.`)
      : [`${within}${name}`],
  );
}

function valueAt(body: Body, path: string): Json {
  const value = path
    .split('.')
    .reduce<Json | undefined>((held, name) => (held as Body | undefined)?.[name] as Json | undefined, body);
  if (path in listsOf) return ((value ?? []) as Json[]).map((item) => fill(listsOf[path] as Body, item as Body));
  if (value === undefined) return nullable.has(path) ? null : '';
  return isTime(path) ? new Date(value as string).toISOString().replace('T', ' ').replace('Z', '') : value;
}

/** An item of a list with all of its fields, those that are lists themselves too. Ids that are numbers become text. */
function fill(template: Body, item: Body): Body {
  const fields = Object.entries(template).map(([name, other]) => {
    const value = item[name] ?? other;
    const inner = Array.isArray(other) ? other[0] : undefined;
    if (inner) return [name, ((item[name] ?? []) as Body[]).map((held) => fill(inner as Body, held))];
    return [name, name === 'id' ? String(value) : value];
  });
  return Object.fromEntries(fields);
}

describe.each(names)('%s', (view) => {
  const { entity, samples, documented, columns } = views[view];

  test('has a column for every field that is documented', () => {
    expect(Object.values(columns).toSorted()).toEqual(pathsOf(documented).toSorted());
  });

  test(`gives every field of ${samples.length} bodies, each under its type`, async () => {
    const events = samples.map((body, number) => eventOf(entity, number, body, { account: `centurylink:${number}` }));
    const tenant = `typed-${view}`;
    await insertValues(
      warehouse,
      'event',
      events.map((event) => ({ ...event, tenant })),
    );
    const rows = await warehouse.query(
      `SELECT event, data, ${Object.keys(columns).join(', ')} FROM hookwatch.${view}
        WHERE tenant = {tenant:String} ORDER BY event`,
      { tenant },
    );
    expect(rows).toEqual(
      samples.map((body, number) => ({
        event: events[number]!.id,
        data: JSON.stringify(body),
        ...Object.fromEntries(Object.entries(columns).map(([column, path]) => [column, valueAt(body, path)])),
      })),
    );
  });

  test('leaves out what cannot be read as its type, and stays readable', async () => {
    const tenant = `hostile-${view}`;
    const hostile = Object.keys(documented).map((name) => [name, name === 'details' ? 'text' : { in: ['x', 5, null] }]);
    const numbers = Object.keys(documented).map((name) => [name, 2 ** 60]);
    const bodies = [hostile, numbers].map((fields) => Object.fromEntries(fields) as Body);
    const events = bodies.map((body, number) => eventOf(entity, number, body, { account: `p:${number}`, tenant }));
    await insertValues(warehouse, 'event', events);
    const rows = await warehouse.query(
      `SELECT * FROM hookwatch.${view} WHERE tenant = {tenant:String} ORDER BY event`,
      {
        tenant,
      },
    );
    expect(rows.map(({ data }) => data)).toEqual(bodies.map((body) => JSON.stringify(body)));
  });
});

describe('the newest snapshot', () => {
  const snapshot = (number: number, modifiedDate: string | undefined, changes: Partial<Event> = {}) =>
    eventOf('server', number, { status: `s${number}`, ...(modifiedDate && { changeInfo: { modifiedDate } }) }, changes);
  const deletion = (number: number) => snapshot(number, undefined, { action: 'deleted' });
  const [early, late] = ['2015-10-28T11:26:05Z', '2015-10-28T11:28:17Z'];

  test.each<[string, Event[], object | undefined]>([
    ['was modified last, whatever came last', [snapshot(1, late), snapshot(2, early)], { event: 1, deleted: false }],
    ['came last of those modified at once', [snapshot(1, late), snapshot(2, late)], { event: 2, deleted: false }],
    [
      'is no older one whose twin came later',
      [snapshot(1, late, { position: 9 }), snapshot(2, late, { position: 2 })],
      { event: 2, deleted: false },
    ],
    ['may have no time', [snapshot(1, undefined)], { event: 1, modified_at: null, deleted: false }],
    ['yields to any that has a time', [snapshot(1, early), snapshot(2, undefined)], { event: 1, deleted: false }],
    ['is of a name in any spelling', [snapshot(1, early), snapshot(2, late, { subject: 'x' })], { event: 2 }],
    ['is deleted by what came after it', [snapshot(1, late), deletion(2)], { event: 1, deleted: true }],
    [
      'stays deleted by what was late for it',
      [snapshot(1, early), deletion(2), snapshot(3, late, { flags: ['after_deletion'] })],
      { event: 3, deleted: true },
    ],
    [
      'lives again in a creation after it',
      [snapshot(1, early), deletion(2), snapshot(3, late, { action: 'created' })],
      { event: 3, deleted: false },
    ],
    ['says that it was recovered', [snapshot(1, late, { origin: 'reconcile' })], { origin: 'reconcile' }],
    ['is none where only a deletion came', [deletion(1)], undefined],
    ['is none of another provider', [snapshot(1, late, { provider: 'standard-webhooks' })], undefined],
  ])('%s', async (name, events, expected) => {
    await insertValues(
      warehouse,
      'event',
      events.map((event) => ({ ...event, tenant: name })),
    );
    const rows = await warehouse.query(
      `SELECT server, status, modified_at, origin, deleted, toUInt32(substring(event, 7)) AS event
        FROM hookwatch.servers_latest WHERE tenant = {name:String}`,
      { name },
    );
    expect(rows).toEqual(expected ? [expect.objectContaining({ server: 'X', ...expected })] : []);
  });

  test.each(['accounts_latest', 'users_latest'])('of %s is the one received last, by its first copy', async (view) => {
    const entity = view === 'users_latest' ? 'user' : 'account';
    const events = [
      eventOf(entity, 1, { status: 'Active' }, { position: 9 }),
      eventOf(entity, 2, { status: 'Suspended' }, { subject: 'x' }),
      eventOf(entity, 3, { status: 'Active' }, { action: 'deleted', subject: 'x' }),
    ];
    const tenant = `order-${view}`;
    await insertValues(
      warehouse,
      'event',
      events.map((event) => ({ ...event, tenant })),
    );
    const rows = await warehouse.query(
      `SELECT account, status, deleted FROM hookwatch.${view} WHERE tenant = {tenant:String}`,
      { tenant },
    );
    expect(rows).toEqual([{ account: 'centurylink:DEMO', status: 'Suspended', deleted: true }]);
  });
});

test('deliveries that wait are those of which neither an event nor a reject was made', async () => {
  const tenant = 'pending';
  const delivery = (id: string, changes = {}) =>
    fixture('delivery', { tenant, id, received_at: startMs, verdict: 'verified', ...changes });
  await insertValues(warehouse, 'delivery', [
    ...['event', 'twin', 'reject', 'waits', 'taken back'].map((id) => delivery(id)),
    delivery('refused', { verdict: 'rejected' }),
    delivery('too old to wait', { received_at: startMs - 40 * 86_400_000 }),
  ]);
  await insertValues(warehouse, 'event', [fixture('event', { tenant, deliveries: ['event', 'twin'] })]);
  const reject = (id: string, changes = {}) => fixture('reject', { tenant, id, delivery: id, ...changes });
  await insertValues(warehouse, 'reject', [reject('reject'), reject('taken back', { withdrawn: true })]);
  // The same id in another tenant's rows says nothing of this one.
  await insertValues(warehouse, 'event', [fixture('event', { tenant: 'other', deliveries: ['waits'] })]);
  const rows = await warehouse.query(
    "SELECT id FROM hookwatch.deliveries_pending WHERE tenant = 'pending' ORDER BY id",
  );
  expect(rows.map(({ id }) => id)).toEqual(['taken back', 'waits']);
});
