import { describe, expect, test } from 'vitest';
import {
  addEndpoint,
  ChangeError,
  disableEndpoint,
  enableEndpoint,
  problemsOf,
  rotateSecret,
  rotateToken,
} from '../../../services/commands/endpoints/changes.ts';
import { hashToken } from '../../../services/config.ts';
import { type EndpointsContent, noEndpoints } from '../../../services/endpoints-file.ts';
import { endpoint, tenant } from '../../edge/fixture.ts';

const hour = 3_600_000;
const nowMs = Date.UTC(2026, 0, 1);
const at = (ms: number) => new Date(nowMs + ms).toISOString();
const empty = noEndpoints.content;
const own = hashToken('own');
const northwind = tenant({ endpoints: [endpoint({ name: 'a', tokenSha256: own })] });
const definition = { provider: 'centurylink', event: 'Server.Created', account: 'ACME', recursive: false };
const hashOf = (name: string) => hashToken(name);
const add = (content: EndpointsContent, name = 'b') =>
  addEndpoint(content, northwind, { name, definition, sha256: hashOf('b0'), nowMs });
const rotate = (content: EndpointsContent, name: string, token: string, graceMs: number, ms = 0) =>
  rotateToken(content, northwind, { name, sha256: hashOf(token), graceMs, nowMs: nowMs + ms });
const tokensOf = (content: EndpointsContent, name: string) =>
  content.endpoints.find((entry) => entry.name === name)!.tokens.map(({ sha256, endsAt }) => [sha256, endsAt]);

test('every change raises the revision, and touches no other endpoint', () => {
  const one = add(empty);
  const two = disableEndpoint(one, northwind, { name: 'a', nowMs });
  const three = enableEndpoint(two, northwind, 'a');
  expect([one, two, three].map(({ revision }) => revision)).toEqual([1, 2, 3]);
  for (const { endpoints } of [two, three]) expect(endpoints[0]).toEqual(one.endpoints[0]);
});

describe('tokens', () => {
  test('those before a rotation end when the grace is over, none later than it was to', () => {
    //  0 h  b0 ─────────────────────┐ 24 h
    //  1 h     b1 ────┐ 2 h         │ shortened to 2 h
    //  1 h …   b2 ────────────▶
    const once = rotate(add(empty), 'b', 'b1', 24 * hour);
    expect(tokensOf(once, 'b')).toEqual([
      [hashOf('b0'), at(24 * hour)],
      [hashOf('b1'), undefined],
    ]);
    expect(tokensOf(rotate(once, 'b', 'b2', hour, hour), 'b')).toEqual([
      [hashOf('b0'), at(2 * hour)],
      [hashOf('b1'), at(2 * hour)],
      [hashOf('b2'), undefined],
    ]);
  });

  test('a long grace does not make one live longer that was to end', () => {
    const once = rotate(add(empty), 'b', 'b1', hour);
    expect(tokensOf(rotate(once, 'b', 'b2', 24 * hour), 'b')[0]).toEqual([hashOf('b0'), at(hour)]);
  });

  test('what has ended is forgotten, but not that of hookwatch.yaml, which would be taken again', () => {
    const added = rotate(rotate(add(empty), 'b', 'b1', 0), 'b', 'b2', 0);
    expect(tokensOf(added, 'b')).toEqual([[hashOf('b2'), undefined]]);
    const configured = rotate(rotate(empty, 'a', 'a1', 0), 'a', 'a2', 0);
    expect(tokensOf(configured, 'a')).toEqual([
      [own, at(0)],
      [hashOf('a2'), undefined],
    ]);
  });
});

describe('secrets', () => {
  const guarded = tenant({ endpoints: [endpoint({ name: 'c', provider: 'citrix', event: '' })] });
  const bring = (content: EndpointsContent, id: string, alone = false) =>
    rotateSecret(content, guarded, { name: 'c', secret: { id, file: id }, alone, nowMs });
  const idsOf = (content: EndpointsContent) => content.endpoints[0]!.secrets!.map(({ id }) => id);

  test('two are taken, the newest and the one before', () => {
    const two = bring(bring(empty, 'one'), 'two');
    expect(idsOf(two)).toEqual(['one', 'two']);
    expect(idsOf(bring(two, 'three'))).toEqual(['two', 'three']);
    expect(idsOf(bring(two, 'three', true))).toEqual(['three']);
  });

  test('those of hookwatch.yaml are changed there', () => {
    const secrets = [{ id: 'yaml', reveal: () => 'text' }];
    const theirs = tenant({ endpoints: [endpoint({ name: 'c', provider: 'citrix', secrets })] });
    const change = () =>
      rotateSecret(empty, theirs, { name: 'c', secret: { id: 'x', file: 'x' }, alone: false, nowMs });
    expect(change).toThrow('northwind/c has its secrets in hookwatch.yaml: change them there');
  });
});

test.each<[what: string, change: () => unknown, message: string]>([
  ['adding one of hookwatch.yaml', () => add(empty, 'a'), 'northwind/a is there already'],
  ['adding one twice', () => add(add(empty)), 'northwind/b is there already'],
  [
    'adding one that is disabled',
    () => add(disableEndpoint(add(empty), northwind, { name: 'b', nowMs })),
    'northwind/b is disabled: enable it, or choose another name',
  ],
  ['rotating one that there is not', () => rotate(empty, 'z', 'z1', 0), 'There is no northwind/z'],
  [
    'disabling one twice',
    () => disableEndpoint(disableEndpoint(empty, northwind, { name: 'a', nowMs }), northwind, { name: 'a', nowMs }),
    `northwind/a is disabled since ${at(0)}: enable it first`,
  ],
  ['enabling one that works', () => enableEndpoint(add(empty), northwind, 'b'), 'northwind/b is not disabled'],
  [
    'a token for one that is open',
    () =>
      rotateToken(empty, tenant({ endpoints: [endpoint({ name: 'o', tokenSha256: '' })] }), {
        ...{ name: 'o', sha256: own, graceMs: 0, nowMs },
      }),
    'northwind/o is open: it has no token',
  ],
])('%s is refused', (_what, change, message) => {
  expect(change).toThrow(ChangeError);
  expect(change).toThrow(message);
});

test.each<[name: string, fields: object, problems: RegExp[]]>([
  ['b', {}, []],
  ['B b', {}, [/^name: /]],
  ['b', { event: 'Server.Exploded' }, [/^event: must be one of Account.Created/]],
  ['b', { account: 'no account' }, [/^account: must be an account of centurylink/]],
])('a definition named %s with %j has these problems: %j', (name, fields, problems) => {
  expect(problemsOf(name, { ...definition, ...fields })).toEqual(problems.map((text) => expect.stringMatching(text)));
});
