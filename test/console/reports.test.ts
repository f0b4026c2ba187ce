import { Hono } from 'hono';
import { expect, onTestFinished, test } from 'vitest';
import { createReports } from '../../services/console/reports.ts';
import { serve } from '../../services/http.ts';

/** A worker that answers with this, or with 404. */
async function worker(report: object | undefined): Promise<string> {
  const app = new Hono();
  app.get('/lanes/:tenant/report', (c) =>
    report ? c.json({ ...report, tenant: c.req.param('tenant') }) : c.json({ error: 'not here' }, 404),
  );
  const served = await serve(app, '127.0.0.1', 0);
  onTestFinished(served.close);
  return served.url;
}

test('whoever works on the lane answers; of two, the one that has come further', async () => {
  const urls = [await worker(undefined), await worker({ position: 3 }), await worker({ position: 7 })];
  const answer = await createReports(async () => urls).request('/lanes/northwind/report');
  expect(await answer.json()).toEqual({ position: 7, tenant: 'northwind' });
});

test('where nobody works on the lane, or nobody is reached, there is no report', async () => {
  const there = await worker(undefined);
  for (const urls of [
    async () => [there],
    async () => ['http://127.0.0.1:1'],
    () => Promise.reject(new Error('no name')),
  ]) {
    expect((await createReports(urls).request('/lanes/northwind/report')).status).toBe(404);
  }
});
