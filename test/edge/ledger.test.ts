import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import {
  body,
  createFaultyLog,
  deliveriesOf,
  expectGapless,
  head,
  rawClient,
  signature,
  startTestEdge,
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

test('requests = journaled + refused, whatever comes in and whatever the disk does', async () => {
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
      }
      log.release();
      const statuses = (await Promise.all(answers)).map(({ status }) => status);
      await vi.waitFor(async () => expect((await edge.ledger()).requests).toBe(answers.length + gone));
      const { requests, journaled, refused } = await edge.ledger();
      expect(journaled + Object.values(refused).reduce((sum, count) => sum + count, 0)).toBe(requests);
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
