import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { hashToken } from '../../services/config.ts';
import { body, deliveriesOf, endpoint, signature, startTestEdge, tenant, token } from './fixture.ts';

const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
const forged = sign('sha1', Buffer.from(body), stranger.privateKey).toString('base64');
const big = 'x'.repeat(262_144);

interface Case {
  what: string;
  request: { token?: string; body?: string; headers?: Record<string, string>; method?: string };
  status: number;
  /** What the ledger counts it as; undefined: journaled. */
  refused?: string;
  error?: string;
}

const cases: Case[] = [
  { what: 'a signed delivery', request: {}, status: 202 },
  { what: 'a body of exactly 256 kB', request: { body: big }, status: 202 },
  { what: 'an empty body', request: { body: '' }, status: 202 },
  { what: 'a body that is no JSON', request: { body: 'not json' }, status: 202 },
  {
    what: 'a media type with parameters',
    request: { headers: { 'content-type': 'Application/JSON; charset=utf-8' } },
    status: 202,
  },
  {
    what: 'a structured suffix',
    request: { headers: { 'content-type': 'application/cloudevents+json' } },
    status: 202,
  },
  { what: 'content encoding identity', request: { headers: { 'content-encoding': 'identity' } }, status: 202 },
  { what: 'a query after the token', request: { token: `${token}?action=updated` }, status: 202 },
  { what: 'a token with escapes', request: { token: token.replaceAll('-', '%2D') }, status: 202 },
  {
    what: 'a forged signature',
    request: { headers: { 'tier3-rsasha1': forged } },
    status: 401,
    error: 'signature mismatch',
  },
  { what: 'no signature', request: { headers: { 'tier3-rsasha1': '' } }, status: 401, error: 'signature missing' },
  {
    what: 'a malformed signature',
    request: { headers: { 'tier3-rsasha1': '?' } },
    status: 401,
    error: 'signature malformed',
  },
  { what: 'an unknown token', request: { token: 'demo-server-create' }, status: 404, refused: 'unknown_endpoint' },
  { what: 'the hash of a token', request: { token: hashToken(token) }, status: 404, refused: 'unknown_endpoint' },
  { what: 'a path below the token', request: { token: `${token}/x` }, status: 404, refused: 'unknown_endpoint' },
  { what: 'no token', request: { token: '' }, status: 404, refused: 'unknown_endpoint' },
  { what: 'a broken escape', request: { token: 'a%zz' }, status: 404, refused: 'unknown_endpoint' },
  { what: 'GET', request: { method: 'GET' }, status: 405, refused: 'method_not_allowed' },
  { what: 'HEAD', request: { method: 'HEAD' }, status: 405, refused: 'method_not_allowed' },
  { what: 'PUT', request: { method: 'PUT' }, status: 405, refused: 'method_not_allowed' },
  {
    what: 'DELETE of an unknown token',
    request: { method: 'DELETE', token: 'x' },
    status: 405,
    refused: 'method_not_allowed',
  },
  { what: 'a body above 256 kB', request: { body: `${big}x` }, status: 413, refused: 'body_too_large' },
  { what: 'gzip', request: { headers: { 'content-encoding': 'gzip' } }, status: 415, refused: 'content_encoding' },
  {
    what: 'a form',
    request: { headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    status: 415,
    refused: 'media_type',
  },
  {
    what: 'a near miss of JSON',
    request: { headers: { 'content-type': 'application/jsonp' } },
    status: 415,
    refused: 'media_type',
  },
  {
    what: 'an unknown token with a wrong encoding',
    request: { token: 'x', headers: { 'content-encoding': 'gzip' } },
    status: 404,
    refused: 'unknown_endpoint',
  },
];

describe('every request is answered clearly and counted once', () => {
  test.each(cases)('$what: $status $refused', async ({ request, status, refused, error }) => {
    const edge = await startTestEdge();
    const answer = await edge.post(request);
    const text = await answer.text();
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/json');
    const records = deliveriesOf(await edge.log.records());
    if (refused === undefined) {
      expect(records).toHaveLength(1);
      expect(records[0]!.body.toString()).toBe(request.body ?? body);
      expect(await edge.ledger()).toEqual({ requests: 1, journaled: 1, refused: {}, inFlight: 0 });
    } else {
      expect(records).toEqual([]);
      expect(await edge.ledger()).toEqual({ requests: 1, journaled: 0, refused: { [refused]: 1 }, inFlight: 0 });
    }
    if (status === 202) expect(JSON.parse(text)).toEqual({ id: records[0]!.id });
    else if (request.method !== 'HEAD') expect(JSON.parse(text)).toMatchObject({ error: error ?? expect.any(String) });
    if (error) expect(records[0]).toMatchObject({ verdict: 'rejected', verdict_reason: error, key_id: '' });
    expect(answer.headers.get('allow')).toBe(status === 405 ? 'POST' : null);
  });

  test('a request without a media type is taken in', async () => {
    const edge = await startTestEdge();
    const content = new Uint8Array(Buffer.from(body));
    const answer = await fetch(`${edge.url}/in/${token}`, {
      method: 'POST',
      headers: { 'tier3-rsasha1': signature(body) },
      body: content,
    });
    expect(answer.status).toBe(202);
  });
});

test('what is journaled says where it came in, what verification said, and the evidence', async () => {
  const edge = await startTestEdge();
  const headers = { 'x-forwarded-for': '192.0.2.1', authorization: 'Bearer secret', cookie: 'a=secret' };
  await edge.post({ headers: { ...headers, 'user-agent': 'sender/1'.padEnd(2000, '.') } });
  const [delivery] = deliveriesOf(await edge.log.records());
  expect(delivery).toMatchObject({
    tenant: 'northwind',
    endpoint: 'server-created',
    provider: 'centurylink',
    event_name: 'Server.Created',
    account: 'centurylink:NWND',
    origin: 'webhook',
    verdict: 'verified',
    verdict_reason: '',
    key_id: 'demo',
    flags: [],
    position: -1,
  });
  expect(delivery!.headers).toEqual({
    'content-type': 'application/json',
    'content-length': String(body.length),
    'tier3-rsasha1': signature(body),
    'user-agent': 'sender/1'.padEnd(1024, '.'),
    'x-forwarded-for': '192.0.2.1',
  });
});

test('the key of the demo is trusted under demo: true only', async () => {
  const real = tenant({
    name: 'contoso',
    demo: false,
    endpoints: [endpoint({ tokenSha256: hashToken('contoso-token') })],
  });
  const edge = await startTestEdge({ tenants: [tenant(), real] });
  expect((await edge.post()).status).toBe(202);
  expect((await edge.post({ token: 'contoso-token' })).status).toBe(401);
});

test('rejected deliveries are journaled within a quota per endpoint, then only counted', async () => {
  const other = endpoint({ name: 'server-deleted', event: 'Server.Deleted', tokenSha256: hashToken('other-token') });
  const edge = await startTestEdge({ rejectedPerMinuteMax: 2, tenants: [tenant({ endpoints: [endpoint(), other] })] });
  const forge = (to: string) => edge.post({ token: to, headers: { 'tier3-rsasha1': forged } });
  for (let i = 0; i < 5; i++) expect((await forge(token)).status).toBe(401);
  expect((await forge('other-token')).status).toBe(401);
  expect((await edge.post()).status).toBe(202);
  const verdicts = deliveriesOf(await edge.log.records()).map((delivery) => `${delivery.endpoint} ${delivery.verdict}`);
  expect(verdicts).toEqual([
    'server-created rejected',
    'server-created rejected',
    'server-deleted rejected',
    'server-created verified',
  ]);
  expect(await edge.ledger()).toEqual({ requests: 7, journaled: 4, refused: { rejected_over_quota: 3 }, inFlight: 0 });
});

describe('the other routes of the public port', () => {
  test.each([
    { path: '/healthz', status: 200, text: /alive/ },
    { path: '/readyz', status: 200, text: /"ready"/ },
    { path: '/metrics', status: 200, text: /^hookwatch_edge_ready\{service="edge"\} 1$/m },
    { path: '/', status: 404, text: /not found/ },
    { path: '/control', status: 404, text: /not found/ },
  ])('$path: $status', async ({ path, status, text }) => {
    const edge = await startTestEdge();
    const answer = await fetch(edge.url + path);
    expect(answer.status).toBe(status);
    expect(await answer.text()).toMatch(text);
    expect(await edge.ledger()).toEqual({ requests: 0, journaled: 0, refused: {}, inFlight: 0 });
  });
});
