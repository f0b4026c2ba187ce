import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { canonicalJson, settingsOf } from '../../services/settings.ts';
import { controlsOf, createTestTime, expectGapless, startTestEdge, type TestEdge, tenant } from './fixture.ts';

const control = (fields: Record<string, unknown> = {}) => ({
  tenant: 'northwind',
  kind: 'judgement',
  idempotency_id: 'one',
  document: { verdict: 'fraud', detection: 'd-1' },
  ...fields,
});

function ask(edge: TestEdge, content: unknown = control(), headers: Record<string, string> = {}) {
  return fetch(`${edge.internalUrl}/control`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(content),
  });
}

/** What was asked for, without the records that open the lane. */
const written = async (edge: TestEdge) => controlsOf(await edge.log.records()).slice(2);

test('a control is journaled and numbered like a delivery', async () => {
  const edge = await startTestEdge();
  await edge.post();
  const document = settingsOf(tenant());
  const answer = await ask(edge, control({ kind: 'settings', predecessor: 'before', document }));
  expect(answer.status).toBe(202);
  const [settings] = await written(edge);
  expect(await answer.json()).toEqual({ id: settings!.id });
  expect(settings).toMatchObject({
    kind: 'settings',
    seq: 3,
    predecessor: 'before',
    idempotency_id: 'one',
    document: canonicalJson(document),
  });
  expectGapless(await edge.log.records());
  expect(await edge.ledger()).toMatchObject({ requests: 1 });
});

test('asking twice, also at once, writes it once and answers the same id', async () => {
  const edge = await startTestEdge();
  const answers = await Promise.all([ask(edge), ask(edge)]);
  const ids = await Promise.all([...answers, await ask(edge)].map((answer) => answer.json()));
  expect(ids).toEqual([ids[0], ids[0], ids[0]]);
  expect(await written(edge)).toHaveLength(1);
  await ask(edge, control({ idempotency_id: 'two' }));
  expect(await written(edge)).toHaveLength(2);
  expect(await edge.metricBy('hookwatch_edge_controls_total', 'kind')).toEqual({ judgement: 2 });
});

test('a control that was not written may be asked for again', async () => {
  const edge = await startTestEdge();
  edge.log.fail(1);
  const refused = await ask(edge);
  expect([refused.status, await refused.json()]).toMatchObject([503, { error: 'journal append failed' }]);
  expect((await ask(edge)).status).toBe(202);
  expect(await written(edge)).toMatchObject([{ kind: 'boot' }, { kind: 'judgement' }]);
});

test('a slow commit answers 503', async () => {
  const time = createTestTime();
  const edge = await startTestEdge({ time, limits: { sweepIntervalMs: 5 } });
  edge.log.hold();
  const asking = ask(edge);
  await expect.poll(() => edge.log.batches.length).toBe(2);
  time.pass(1001);
  expect((await asking).status).toBe(503);
});

test('the oldest idempotency id is forgotten when there are too many', async () => {
  const edge = await startTestEdge({ limits: { idempotencyIdsMax: 2 } });
  for (const id of ['one', 'two', 'three', 'three', 'two', 'one']) await ask(edge, control({ idempotency_id: id }));
  expect((await written(edge)).map(({ idempotency_id }) => idempotency_id)).toEqual(['one', 'two', 'three', 'one']);
});

describe('what is no control', () => {
  test.each([
    { what: 'a kind that only an edge writes', content: control({ kind: 'tick' }), status: 400 },
    { what: 'no idempotency id', content: control({ idempotency_id: undefined }), status: 400 },
    { what: 'a document that is text', content: control({ document: 'x' }), status: 400 },
    { what: 'settings that say nothing', content: control({ kind: 'settings', document: {} }), status: 400 },
    { what: 'a gap of nothing', content: control({ kind: 'gap', document: { edge: 'edge-1' } }), status: 400 },
    {
      what: 'a takeover without an epoch',
      content: control({ kind: 'takeover', document: { flow: 'a' } }),
      status: 400,
    },
    { what: 'a field nobody knows', content: control({ boot: 'x' }), status: 400 },
    { what: 'no object', content: 7, status: 400 },
    { what: 'an unknown tenant', content: control({ tenant: 'contoso' }), status: 404 },
    { what: 'a page in a browser', content: control(), headers: { origin: 'http://localhost' }, status: 403 },
    { what: 'a fetch of a browser', content: control(), headers: { 'sec-fetch-site': 'none' }, status: 403 },
  ])('$what: $status', async ({ content, headers, status }) => {
    const edge = await startTestEdge();
    expect((await ask(edge, content, headers)).status).toBe(status);
    expect(await written(edge)).toEqual([]);
  });

  test('settings that the flow would not take are answered with what is wrong', async () => {
    const edge = await startTestEdge();
    const document = { ...settingsOf(tenant()), slack_ms: -1 };
    const answer = await ask(edge, control({ kind: 'settings', document }));
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({
      error: 'not a document of settings',
      hint: expect.stringContaining('slack_ms'),
    });
  });

  test('a document that is too long: 413', async () => {
    const edge = await startTestEdge({ limits: { controlBytesMax: 1000 } });
    expect((await ask(edge, control({ document: { text: 'x'.repeat(1000) } }))).status).toBe(413);
  });

  test.each([
    { host: 'evil.example:8081', status: 403 },
    { host: 'localhost:8081', status: 202 },
    { host: '[::1]:8081', status: 202 },
  ])('a name in Host that leads here from elsewhere: $host $status', async ({ host, status }) => {
    const edge = await startTestEdge();
    const answered = await new Promise((resolve, reject) => {
      const asking = request(`${edge.internalUrl}/control`, { method: 'POST', headers: { host } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      asking.on('error', reject);
      asking.end(JSON.stringify(control()));
    });
    expect(answered).toBe(status);
  });
});
