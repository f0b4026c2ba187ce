import { expect, test } from 'vitest';
import { controlsOf, createTestTime, deliveriesOf, expectGapless, startTestEdge, type TestEdge } from './fixture.ts';

const body = '{"name":"WA1NWNDWEB01","links":[{"rel":"account","href":"/v2/accounts/NWND"}]}';
const recovered = (fields: Record<string, unknown> = {}) => ({
  tenant: 'northwind',
  provider: 'centurylink',
  event_name: 'Server.Updated',
  account: 'centurylink:NWND',
  host: 'api.ctl.io',
  id: 'fact-1',
  run: 'run-1',
  body,
  ...fields,
});

function bring(edge: TestEdge, content: unknown = recovered(), headers: Record<string, string> = {}) {
  return fetch(`${edge.internalUrl}/deliveries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof content === 'string' ? content : JSON.stringify(content),
  });
}

const written = async (edge: TestEdge) => deliveriesOf(await edge.log.records());

test('a recovered delivery is journaled and numbered like a webhook, and says what it is', async () => {
  const edge = await startTestEdge();
  await edge.post();
  const answer = await bring(edge);
  expect(answer.status).toBe(202);
  const [webhook, delivery] = await written(edge);
  expect(await answer.json()).toEqual({ id: delivery!.id });
  expect(webhook!.origin).toBe('webhook');
  expect(delivery).toMatchObject({
    origin: 'reconcile',
    verdict: 'verified',
    key_id: 'reconcile:api.ctl.io',
    endpoint: 'reconcile',
    event_name: 'Server.Updated',
    account: 'centurylink:NWND',
    headers: { 'content-type': 'application/json', 'hookwatch-id': 'fact-1', 'hookwatch-run': 'run-1' },
    flags: [],
  });
  expect(Buffer.from(delivery!.body).toString()).toBe(body);
  expectGapless(await edge.log.records());
  // No request to an endpoint: the edge's ledger is of those.
  expect(await edge.ledger()).toMatchObject({ requests: 1, journaled: 1 });
  expect(await edge.metricBy('hookwatch_edge_recovered_total', 'event')).toEqual({ 'Server.Updated': 1 });
});

test('a delivery of a bootstrap is marked as one', async () => {
  const edge = await startTestEdge();
  await bring(edge, recovered({ bootstrap: true }));
  expect((await written(edge))[0]!.headers['hookwatch-bootstrap']).toBe('true');
});

test('the same fact is written once, at once or later, in whatever run it is found', async () => {
  const edge = await startTestEdge();
  const both = await Promise.all([bring(edge), bring(edge)]);
  const again = await bring(edge, recovered({ run: 'run-2' }));
  const ids = await Promise.all([...both, again].map((answer) => answer.json()));
  expect(ids).toEqual([ids[0], ids[0], ids[0]]);
  expect(await written(edge)).toHaveLength(1);
});

test('what was not written may be brought again', async () => {
  const edge = await startTestEdge();
  edge.log.fail(1);
  const refused = await bring(edge);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  expect((await bring(edge)).status).toBe(202);
  expect(await written(edge)).toHaveLength(1);
});

test('a full journal takes none, as it takes no webhook', async () => {
  let bytes = 0;
  const edge = await startTestEdge({ journalBytes: () => bytes, journalBytesMax: 1_000 });
  bytes = 1_001;
  edge.tick();
  expect((await bring(edge)).status).toBe(503);
  expect(await written(edge)).toEqual([]);
});

test('a body has the same bound as that of a webhook, however long it is when it is escaped', async () => {
  const edge = await startTestEdge({ limits: { bodyBytesMax: 1_000 } });
  expect((await bring(edge, recovered({ body: '\u0001'.repeat(1_000) }))).status).toBe(202);
  expect((await bring(edge, recovered({ id: 'b', body: 'ä'.repeat(501) }))).status).toBe(413);
  expect((await bring(edge, recovered({ id: 'c', body: '\u0001'.repeat(2_000) }))).status).toBe(413);
  expect(await written(edge)).toHaveLength(1);
});

test('what is written while the clock is suspect says so', async () => {
  const time = createTestTime();
  const edge = await startTestEdge({ time });
  time.jump(60_000);
  edge.tick();
  await bring(edge);
  expect((await written(edge))[0]!.flags).toEqual(['clock_suspect']);
});

test.each([
  ['a browser', {}, { origin: 'http://localhost' }, 403],
  ['a tenant that is not here', { tenant: 'other' }, {}, 404],
  ['a provider that is not known', { provider: 'nobody', account: 'nobody:X' }, {}, 400],
  ['an account of another provider', { account: 'citrix:NWND' }, {}, 400],
  ['no host', { host: undefined }, {}, 400],
  ['a host with a path', { host: 'api.ctl.io/v2' }, {}, 400],
  ['no id', { id: '' }, {}, 400],
  ['a run with spaces', { run: 'run 1' }, {}, 400],
  ['no body', { body: undefined }, {}, 400],
  ['something that is not asked for', { verdict: 'rejected' }, {}, 400],
])('%s is refused', async (_, fields, headers, status) => {
  const edge = await startTestEdge();
  expect((await bring(edge, recovered(fields), headers)).status).toBe(status);
  expect(await written(edge)).toEqual([]);
});

test('what is no JSON is refused', async () => {
  const edge = await startTestEdge();
  expect((await bring(edge, '{')).status).toBe(400);
});

test('the end of a comparison is a control like any other', async () => {
  const edge = await startTestEdge();
  const answer = await fetch(`${edge.internalUrl}/control`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      tenant: 'northwind',
      kind: 'reconciliation',
      idempotency_id: 'reconcile-run-1-begin',
      document: {
        run: 'run-1',
        provider: 'centurylink',
        host: 'api.ctl.io',
        phase: 'begin',
        bootstrap: false,
        scope: 'all',
        started_at: 1,
        reason: '',
        accounts: [],
      },
    }),
  });
  expect(answer.status).toBe(202);
  expect(controlsOf(await edge.log.records()).at(-1)!.kind).toBe('reconciliation');
});
