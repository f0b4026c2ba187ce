import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ConfigError, hashToken } from '../services/config.ts';
import {
  type EndpointEntry,
  type EndpointsContent,
  hashEndpoints,
  loadEndpoints,
  mergeEndpoints,
  noEndpoints,
  parseEndpoints,
  readEndpointsFile,
  renderEndpoints,
} from '../services/endpoints-file.ts';
import { endpoint, tenant } from './edge/fixture.ts';

const own = hashToken('of-the-yaml');
const [first, second] = [hashToken('first'), hashToken('second')];
const madeAt = '2026-01-01T00:00:00.000Z';
const endsAt = '2026-01-02T00:00:00.000Z';
const configured = tenant({ endpoints: [endpoint({ name: 'a', tokenSha256: own, token: 'of-the-yaml' })] });
const definition = { provider: 'centurylink', event: 'Server.Created', account: 'ACME', recursive: false };

const entry = (fields: Partial<EndpointEntry> = {}): EndpointEntry => ({
  tenant: 'northwind',
  name: 'a',
  tokens: [{ sha256: first, madeAt }],
  ...fields,
});
const contentOf = (...endpoints: EndpointEntry[]): EndpointsContent => ({ format: 1, revision: 1, endpoints });
const merge = (content: EndpointsContent, tenants = [configured], secretTexts = new Map<string, string>()) =>
  mergeEndpoints(tenants, { content, secretTexts });
const endpointsOf = (content: EndpointsContent) => merge(content).tenants[0]!.endpoints;

function fileOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'hookwatch-endpoints-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'endpoints.json');
  writeFileSync(file, text);
  return file;
}

describe('merged over hookwatch.yaml', () => {
  test('nothing changes nothing', () => {
    expect(merge(contentOf())).toEqual({ tenants: [configured], remarks: [] });
  });

  test.each<[what: string, entry: EndpointEntry, expected: object[]]>([
    [
      'one that was added comes last',
      entry({ name: 'b', definition }),
      [configured.endpoints[0]!, { name: 'b', ...definition, tokenSha256: first }],
    ],
    [
      'tokens that were rotated: the newest is its own, the one before has an end, and the plain one is known no more',
      entry({
        tokens: [
          { sha256: own, endsAt },
          { sha256: first, madeAt },
        ],
      }),
      [{ tokenSha256: first, otherTokens: [{ sha256: own, endsAtMs: Date.parse(endsAt) }] }],
    ],
    [
      'a token that hookwatch.yaml was given since is taken besides',
      entry({ tokens: [{ sha256: second, endsAt }, { sha256: first }] }),
      [{ tokenSha256: first, otherTokens: [{ sha256: own }, { sha256: second, endsAtMs: Date.parse(endsAt) }] }],
    ],
    ['one that is disabled is left out', entry({ tokens: [], disabledAt: madeAt }), []],
    ['one that was added and is disabled, too', entry({ name: 'b', definition, disabledAt: madeAt }), [{ name: 'a' }]],
    [
      'one that moved to hookwatch.yaml is what that says, with the tokens of both',
      entry({ definition: { ...definition, account: 'OLD' } }),
      [{ name: 'a', account: 'NWND', tokenSha256: first, otherTokens: [{ sha256: own }] }],
    ],
    ['one of hookwatch.yaml that is no longer there stays away', entry({ name: 'gone' }), [{ name: 'a' }]],
  ])('%s', (_what, changed, expected) => {
    const found = endpointsOf(contentOf(changed));
    expect(found).toHaveLength(expected.length);
    expect(found).toMatchObject(expected);
    for (const one of found) if (one.tokenSha256 !== own) expect(one).not.toHaveProperty('token');
  });

  test('an endpoint of a tenant that is not known is a remark', () => {
    expect(merge(contentOf(entry({ tenant: 'gone', definition }))).remarks).toEqual([
      'endpoint a is of tenant gone, which hookwatch.yaml does not know',
    ]);
  });

  test('two with one token cannot be told apart', () => {
    const twice = entry({ name: 'b', definition, tokens: [{ sha256: own, endsAt }, { sha256: first }] });
    expect(() => merge(contentOf(twice))).toThrow('Cannot tell northwind/a and northwind/b apart: they have the same');
  });

  test('a secret is read from its file, and one that is none of its provider is refused', () => {
    const secrets = [{ id: 'one', file: 'endpoint-secrets/one', madeAt }];
    const guarded = contentOf(
      entry({ name: 'b', definition: { ...definition, provider: 'citrix', event: '' }, secrets }),
    );
    const file = fileOf(renderEndpoints(guarded));
    expect(() => readEndpointsFile(file)).toThrow(/Cannot read .*endpoint-secrets\/one, a secret of/);
    mkdirSync(join(file, '..', 'endpoint-secrets'));
    writeFileSync(join(file, '..', 'endpoint-secrets', 'one'), 'a-secret-of-some-length\n');
    const [, added] = loadEndpoints({ tenants: [configured], endpointsFile: file })[0]!.endpoints;
    expect(added!.secrets!.map(({ id, reveal }) => [id, reveal()])).toEqual([['one', 'a-secret-of-some-length']]);
    expect(() => merge(guarded, [configured], new Map([['endpoint-secrets/one', '']]))).toThrow(
      /Cannot use secret one of northwind\/b: /,
    );
  });
});

describe('the file', () => {
  const content = contentOf(entry({ name: 'b', definition }), entry({ disabledAt: madeAt }));

  test('is read as it was written', () => {
    expect(parseEndpoints(renderEndpoints(content), 'here')).toEqual(content);
    expect(readEndpointsFile(fileOf(renderEndpoints(content))).content).toEqual(content);
  });

  test('that is not there says nothing', () => {
    expect(readEndpointsFile(join(fileOf(''), '..', 'absent'))).toBe(noEndpoints);
  });

  test('is refused at whatever byte it ends, and whichever hex digit of a token is another one', () => {
    const text = renderEndpoints(content);
    for (let end = 0; end < text.trimEnd().length; end++) {
      expect(() => parseEndpoints(text.slice(0, end), 'here')).toThrow(ConfigError);
    }
    const at = text.indexOf(first);
    for (let index = at; index < at + first.length; index++) {
      const other = text[index] === '0' ? '1' : '0';
      const turned = text.slice(0, index) + other + text.slice(index + 1);
      expect(() => parseEndpoints(turned, 'here')).toThrow('its digest is not that of its content');
    }
  });

  test.each<[what: string, content: object, fault: RegExp]>([
    ['another format', { ...content, format: 2 }, /format/],
    ['an endpoint without a token', contentOf(entry({ name: 'b', definition, tokens: [] })), /needs a token/],
    [
      'one whose tokens all end',
      contentOf(entry({ tokens: [{ sha256: first, endsAt }] })),
      /needs a token that has no/,
    ],
    ['an event that there is not', contentOf(entry({ definition: { ...definition, event: 'X' } })), /must be one of/],
    [
      'a secret elsewhere',
      contentOf(entry({ secrets: [{ id: 'one', file: '../../passwd', madeAt }] })),
      /secrets.*file|file.*secrets/s,
    ],
  ])('%s is refused', (_what, wrong, fault) => {
    expect(() => parseEndpoints(renderEndpoints(wrong as EndpointsContent), 'here')).toThrow(fault);
  });
});

describe('the hash of a set', () => {
  const before = hashEndpoints([configured]);
  const secret = (text: string) => [{ id: 'one', reveal: () => text }];

  test.each<[what: string, fields: object, same: boolean]>([
    ['nothing else', {}, true],
    ['the plain token, which its hash stands for', { token: undefined }, true],
    ['another account', { account: 'ACME' }, false],
    ['another token', { tokenSha256: first }, false],
    ['one more token', { otherTokens: [{ sha256: first, endsAtMs: 1 }] }, false],
    ['a secret', { secrets: secret('one') }, false],
  ])('%s', (_what, fields, same) => {
    const after = hashEndpoints([{ ...configured, endpoints: [{ ...configured.endpoints[0]!, ...fields }] }]);
    expect(after === before).toBe(same);
    expect(after).toMatch(/^[0-9a-f]{16}$/);
  });

  test('tells a secret from another with the same id', () => {
    const hashes = ['one', 'two'].map((text) =>
      hashEndpoints([tenant({ endpoints: [endpoint({ secrets: secret(text) })] })]),
    );
    expect(hashes[0]).not.toBe(hashes[1]);
  });
});
