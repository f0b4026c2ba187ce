import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createCenturylinkApi, type Group, type Server } from '../../services/ports/provider-api/centurylink.ts';
import { createCenturylinkEstate } from '../../services/reconcile/centurylink.ts';
import { digestOf } from '../../services/snapshot-digest.ts';
import { startCenturylink } from '../provider-api/centurylink.ts';
import { createWorld } from './world.ts';

async function startEstate() {
  const cloud = await startCenturylink();
  const { url: baseUrl, username, password } = cloud;
  const api = createCenturylinkApi({ baseUrl, username, password, limits: { callsPerSecondMax: 100_000 } });
  return { cloud, estate: createCenturylinkEstate(api.inventory, api.host) };
}

const account = 'centurylink:ALTD';

test('the recorded cloud is walked whole: every server of every group of every data center, each once', async () => {
  const { cloud, estate } = await startEstate();
  const sightings = await estate.servers(account);
  const servers = cloud.cloud.get('ALTD')!.servers;
  expect(sightings.map(({ id }) => id).sort()).toEqual([...servers.keys()].sort());
  expect(new Set(sightings.map(({ key }) => key)).size).toBe(sightings.length);
});

test('a server in a tree has the digest that it has when it is asked for by itself, and that a webhook would have', async () => {
  const { estate } = await startEstate();
  for (const sighting of await estate.servers(account)) {
    const alone = await estate.server(account, sighting.id);
    expect([alone!.digest, alone!.createdAt, alone!.modifiedAt]).toEqual([
      sighting.digest,
      sighting.createdAt,
      sighting.modifiedAt,
    ]);
    expect(digestOf('centurylink', alone!.body)).toBe(sighting.digest);
  }
});

test('recorded snapshots of one server differ where webhooks would have told, and only there', () => {
  const recorded = JSON.parse(readFileSync(new URL('../recorded/clc-servers.json', import.meta.url), 'utf8'));
  const snapshots = recorded.de1altdweb580 as Server[];
  const archived = snapshots.findIndex(({ status }) => status === 'archived');
  const [before, after] = [snapshots[archived - 1]!, snapshots[archived]!];
  expect(after.changeInfo?.modifiedDate).toBe(before.changeInfo?.modifiedDate);
  const digest = (server: object) => digestOf('centurylink', JSON.stringify(server));
  expect(digest(after)).not.toBe(digest(before));
  const details = before.details as object;
  expect(digest({ ...before, links: [], details: { ...details, hostName: 'else', partitions: [] } })).toBe(
    digest(before),
  );
});

test('a server is found however its id is spelled: a 404 must not come of that', async () => {
  const { cloud, estate } = await startEstate();
  const [id] = cloud.cloud.get('ALTD')!.servers.keys();
  expect((await estate.server(account, id!.toUpperCase()))?.id).toBe(id);
  const before = cloud.calls().length;
  expect(await estate.server(account, 'De1GoneServer')).toBeUndefined();
  expect(cloud.calls().slice(before)).toEqual([
    'GET /v2/servers/ALTD/De1GoneServer',
    'GET /v2/servers/ALTD/de1goneserver',
    'GET /v2/servers/ALTD/DE1GONESERVER',
  ]);
});

test('an account is in the shape of a webhook, with its parent', async () => {
  const { estate } = await startEstate();
  const seen = await estate.account(account);
  expect(seen).toMatchObject({ account, key: 'ALTD', parent: 'centurylink:T3N' });
  expect(JSON.parse(seen!.body)).toMatchObject({ accountAlias: 'ALTD', parentAlias: 'T3N' });
  expect(await estate.account('centurylink:NOBODY')).toBeUndefined();
});

describe('answers that do not fit together', () => {
  const body = (name: string) => ({ id: name.toLowerCase(), name, links: [] });

  /** An account with one data center whose tree is given. */
  function estateOf(tree: Group | undefined, alone: readonly string[] = []) {
    const { inventory } = createWorld({ accounts: ['ROOT'] });
    const asked: string[] = [];
    const estate = createCenturylinkEstate(
      {
        ...inventory,
        dataCenters: async () => [{ id: 'DE1', links: [] }],
        rootGroup: async () => 'root',
        group: async () => tree && { value: tree, raw: Buffer.from('') },
        async server(_, id) {
          asked.push(id);
          const name = alone.find((one) => one.toLowerCase() === id);
          return name ? { value: body(name), raw: Buffer.from(JSON.stringify(body(name))) } : undefined;
        },
      },
      'api.ctl.io',
    );
    return { asked, servers: () => estate.servers('centurylink:ROOT') };
  }

  const group = (fields: Partial<Group>): Group => ({ id: 'root', servers: [], groups: [], links: [], ...fields });

  test('servers that a tree only links to are asked for; one that is gone by then is none', async () => {
    const links = ['web01', 'web02', 'web03'].map((id) => ({ rel: 'server', id }));
    const inner = group({ id: 'inner', servers: [body('WEB01')], links });
    const { asked, servers } = estateOf(group({ groups: [inner] }), ['WEB02']);
    expect((await servers()).map(({ key }) => key)).toEqual(['WEB01', 'WEB02']);
    expect(new Set(asked.map((id) => id.toLowerCase()))).toEqual(new Set(['web02', 'web03']));
  });

  test('a tree with fewer servers than it counts is no whole answer', async () => {
    const { servers } = estateOf(
      group({ groups: [group({ id: 'inner', serversCount: 2, servers: [body('WEB01')] })] }),
    );
    await expect(servers()).rejects.toThrow(/has 2 servers, and 1 were told/);
  });

  test('a count may include the groups below, or not', async () => {
    const inner = group({ id: 'inner', serversCount: 1, servers: [body('WEB02')] });
    for (const serversCount of [1, 2]) {
      const { servers } = estateOf(group({ serversCount, servers: [body('WEB01')], groups: [inner] }));
      expect(await servers()).toHaveLength(2);
    }
  });

  test('a root group that is not found is no empty one', async () => {
    await expect(estateOf(undefined).servers()).rejects.toThrow(/is not found/);
  });

  test('another account than was asked for is none', async () => {
    const { cloud, estate } = await startEstate();
    cloud.cloud.set('OTHER', cloud.cloud.get('ALTD')!);
    await expect(estate.account('centurylink:OTHER')).rejects.toThrow(/the API answered with ALTD/);
  });
});
