import { Hono } from 'hono';

const patienceMs = 5_000;

/**
 * The route of a lane's report where workers are processes of their own: whoever works on the lane answers.
 *
 * @param workerUrls where they can be asked
 */
export function createReports(workerUrls: () => Promise<readonly string[]>): Hono {
  return new Hono().get('/lanes/:tenant/report', async (c) => {
    const path = `/lanes/${encodeURIComponent(c.req.param('tenant'))}/report`;
    const urls = await workerUrls().catch(() => []);
    const asked = urls.map(async (url) => {
      const answer = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(patienceMs) });
      if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
      return (await answer.json()) as { position: number };
    });
    const answers = await Promise.allSettled(asked);
    const reports = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    // One that has lost the lane may still hold it: the one that has come further knows better.
    const newest = reports.sort((a, b) => b.position - a.position)[0];
    return newest ? c.json(newest) : c.json({ error: 'no worker that is reached works on the lane' }, 404);
  });
}
