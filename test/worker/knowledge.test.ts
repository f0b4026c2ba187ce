import { describe, expect, test } from 'vitest';
import { createState, type EntityState, type FlowState } from '../../services/core/flow/state.ts';
import { digestOf } from '../../services/snapshot-digest.ts';
import { createKnowledge } from '../../services/worker/knowledge.ts';

function entity(fields: Partial<EntityState> = {}): EntityState {
  return {
    subject: 'WEB01',
    data: '{"name":"WEB01"}',
    modifiedAt: 2_000,
    createdAt: 1_000,
    created: true,
    deleted: false,
    firstReceivedAt: 1_000,
    lastReceivedAt: 2_000,
    ...fields,
  };
}

function fill(servers: Record<string, EntityState>, account = 'centurylink:ACME'): FlowState {
  const state = createState();
  for (const [key, value] of Object.entries(servers)) state.servers.set(account, key, value);
  return state;
}

async function ask(state: FlowState | undefined, path: string) {
  const answer = await createKnowledge((tenant) => (tenant === 'northwind' ? state : undefined)).request(path);
  return { status: answer.status, content: (await answer.json()) as Record<string, unknown> };
}

const serversOf = '/lanes/northwind/entities?table=servers&account=centurylink:ACME';

test('an entity is told with the digest of its snapshot, and without the snapshot', async () => {
  const { content } = await ask(fill({ WEB01: entity() }), serversOf);
  expect(content).toEqual({
    position: -1,
    entities: [
      {
        key: 'WEB01',
        subject: 'WEB01',
        modifiedAt: 2_000,
        createdAt: 1_000,
        deleted: false,
        digest: digestOf('centurylink', '{"name":"WEB01"}'),
      },
    ],
    next: null,
  });
});

test('pages are sorted, bounded, and together hold each entity once', async () => {
  const names = Array.from({ length: 601 }, (_, number) => `S${String(number).padStart(4, '0')}`);
  // As a restored table may have them: in another order.
  const state = fill(Object.fromEntries(names.toReversed().map((name) => [name, entity({ subject: name })])));
  const found: string[] = [];
  const sizes: number[] = [];
  for (let after: unknown = ''; after !== null; ) {
    const { content } = await ask(state, `${serversOf}&after=${after}`);
    const entities = content.entities as { key: string }[];
    sizes.push(entities.length);
    found.push(...entities.map(({ key }) => key));
    after = content.next;
  }
  expect(found).toEqual(names);
  expect(sizes).toEqual([100, 100, 100, 100, 100, 100, 1]);
});

test('entities are found by their keys; those that are unknown are left out', async () => {
  const { content } = await ask(fill({ A: entity(), B: entity(), C: entity() }), `${serversOf}&keys=C,X,A`);
  expect((content.entities as { key: string }[]).map(({ key }) => key)).toEqual(['C', 'A']);
  expect(content.next).toBeNull();
});

test('accounts are those of which anything is known, of that provider', async () => {
  const state = fill({ WEB01: entity() });
  state.accounts.set('centurylink:SUB', 'SUB', entity({ subject: 'SUB' }));
  state.users.set('centurylink:SUB', 'bob', entity({ subject: 'bob' }));
  state.servers.set('citrix:acme', 'X', entity());
  const { content } = await ask(state, '/lanes/northwind/accounts?provider=centurylink');
  expect(content).toMatchObject({ accounts: ['centurylink:ACME', 'centurylink:SUB'], pending: [] });
});

describe('what cannot be answered', () => {
  test.each([
    ['a lane that is worked on elsewhere', '/lanes/other/entities?table=servers&account=a', 404],
    ['accounts of such a lane', '/lanes/other/accounts?provider=centurylink', 404],
    ['a table that is none', '/lanes/northwind/entities?table=meta&account=a', 400],
    ['no account', '/lanes/northwind/entities?table=servers', 400],
    ['no provider', '/lanes/northwind/accounts', 400],
  ])('%s', async (_, path, status) => {
    expect((await ask(fill({}), path)).status).toBe(status);
  });
});

describe('the digest of a snapshot', () => {
  test.each([
    ['the order of fields', '{"a":1,"b":{"c":2,"d":3}}', '{"b":{"d":3,"c":2},"a":1}', true],
    ['spaces', '{"a":1}', '{ "a" : 1.0 }', true],
    ['links', '{"a":1,"links":[{"rel":"self"}]}', '{"a":1}', true],
    [
      'what the guest says of itself',
      '{"details":{"cpu":1,"hostName":"a","partitions":[1]}}',
      '{"details":{"cpu":1}}',
      true,
    ],
    ['what a webhook tells', '{"details":{"cpu":1}}', '{"details":{"cpu":2}}', false],
    ['details that are none', '{"details":null}', '{"details":[]}', false],
    ['a value', '{"a":1}', '{"a":2}', false],
    ['the order of an array', '{"a":[1,2]}', '{"a":[2,1]}', false],
    ['a field', '{"a":1}', '{"a":1,"b":null}', false],
    ['text that is no JSON', 'a', 'b', false],
    ['JSON that is no object', 'null', 'nul', false],
  ])('%s', (_, left, right, equal) => {
    expect(digestOf('centurylink', left) === digestOf('centurylink', right)).toBe(equal);
  });
});

test('other providers have other fields', () => {
  expect(digestOf('citrix', '{"details":{"hostName":"a"}}')).not.toBe(digestOf('citrix', '{"details":{}}'));
});
