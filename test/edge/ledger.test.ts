import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { createLedger } from '../../services/edge/ledger.ts';
import { createRegistry, edgeMetrics } from '../../services/telemetry.ts';
import {
  body,
  createFaultyLog,
  deliveriesOf,
  expectGapless,
  head,
  rawClient,
  signature,
  startTestEdge,
  type TestEdge,
} from './fixture.ts';

/** One thing that happens: a request of some kind, or something that the disk does. */
const step = fc.constantFrom(
  'good',
  'good',
  'good',
  'forged',
  'unknown',
  'get',
  'gzip',
  'too long',
  'goes away',
  'disk fails',
  'disk fails, landed',
  'disk stalls',
  'disk recovers',
);

async function expectBalanced(edge: TestEdge): Promise<void> {
  const { requests, journaled, refused, inFlight } = await edge.ledger();
  const refusals = Object.values(refused).reduce((sum, count) => sum + count, 0);
  expect(requests).toBe(journaled + refusals + inFlight);
}

test('a request counts from its head on, and is in flight until it has an outcome', async () => {
  const log = createFaultyLog();
  const edge = await startTestEdge({ log, limits: { commitDeadlineMs: 60_000 } });
  const client = rawClient(edge.port);
  client.send(head([`Content-Length: ${body.length}`]) + body.slice(1));
  await vi.waitFor(async () => expect(await edge.ledger()).toMatchObject({ requests: 1, inFlight: 1, refused: {} }));
  log.hold();
  const answer = edge.post();
  await vi.waitFor(async () => expect(await edge.ledger()).toMatchObject({ requests: 2, inFlight: 2, journaled: 0 }));
  log.release();
  expect((await answer).status).toBe(202);
  expect(await edge.ledger()).toMatchObject({ requests: 2, inFlight: 1, journaled: 1 });
  client.socket.end();
  await vi.waitFor(async () => expect(await edge.ledger()).toMatchObject({ inFlight: 0, refused: { aborted: 1 } }));
});

test('a request that is forgotten on its way stays in flight, and one with two outcomes leaves too often', async () => {
  const metrics = edgeMetrics(createRegistry('edge'));
  const ledger = createLedger(metrics);
  const inFlight = async () => (await metrics.requestsInFlight.get()).values[0]?.value;
  for (let request = 0; request < 3; request++) ledger.entered();
  ledger.refused('timeout', 1);
  ledger.journaledAfterRefusal();
  expect(await inFlight()).toBe(2);
  for (let outcome = 0; outcome < 3; outcome++) ledger.refused('aborted', 1);
  expect(await inFlight()).toBe(-1);
});

test('requests = journaled + refused + in flight, whatever comes in and whatever the disk does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const log = createFaultyLog();
      const edge = await startTestEdge({ log, rejectedPerMinuteMax: 2, limits: { commitDeadlineMs: 60_000 } });
      const answers: Promise<Response>[] = [];
      let gone = 0;
      for (const name of steps) {
        if (name === 'good') answers.push(edge.post());
        else if (name === 'forged') answers.push(edge.post({ headers: { 'tier3-rsasha1': signature('other') } }));
        else if (name === 'unknown') answers.push(edge.post({ token: 'unknown' }));
        else if (name === 'get') answers.push(edge.post({ method: 'GET' }));
        else if (name === 'gzip') answers.push(edge.post({ headers: { 'content-encoding': 'gzip' } }));
        else if (name === 'too long') answers.push(edge.post({ body: 'x'.repeat(262_145) }));
        else if (name === 'disk fails') log.fail(1);
        else if (name === 'disk fails, landed') log.fail(1, true);
        else if (name === 'disk stalls') log.hold();
        else if (name === 'disk recovers') log.release();
        else {
          const client = rawClient(edge.port);
          client.send(head([`Content-Length: ${body.length}`]) + body.slice(1));
          await vi.waitFor(() => expect(client.socket.bytesWritten).toBeGreaterThan(0));
          client.socket.end();
          gone++;
        }
        await expectBalanced(edge);
      }
      log.release();
      const statuses = (await Promise.all(answers)).map(({ status }) => status);
      await vi.waitFor(async () =>
        expect(await edge.ledger()).toMatchObject({ requests: answers.length + gone, inFlight: 0 }),
      );
      await expectBalanced(edge);
      const { refused } = await edge.ledger();
      expect(refused.aborted ?? 0).toBe(gone);

      const records = await log.records();
      expectGapless(records);
      const verified = deliveriesOf(records).filter(({ verdict }) => verdict === 'verified');
      // Each 202 is in the journal; what was refused may be there, never twice.
      const accepted = statuses.filter((status) => status === 202).length;
      expect(verified.length).toBeGreaterThanOrEqual(accepted);
      expect(verified.length).toBeLessThanOrEqual(accepted + statuses.filter((status) => status === 503).length);
      await edge.stop();
    }),
    { numRuns: 30 },
  );
});

test('reasons that no request has met yet are exported as 0, so that Prometheus sees the first one', async () => {
  const { metricBy } = await startTestEdge();
  const refused = await metricBy('hookwatch_edge_refused_total', 'reason');
  expect(new Set(Object.values(refused))).toEqual(new Set([0]));
  expect(Object.keys(refused)).toEqual(expect.arrayContaining(['journal_full', 'commit_slow', 'aborted']));
});
