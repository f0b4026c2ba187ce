import { expect, onTestFinished, test } from 'vitest';
import { createConsole } from '../services/console/console.ts';
import { createStatusApp } from '../services/http.ts';
import { createMemoryLog } from '../services/ports/log/memory.ts';
import { createRegistry } from '../services/telemetry.ts';

/** The pipeline's app, with one lane. */
function compose(troubles: string[] = []) {
  const page = createConsole({ outputs: createMemoryLog(), lanes: () => ({ northwind: { position: 7 } }) });
  onTestFinished(page.stop);
  const app = createStatusApp(createRegistry('pipeline'), () => troubles, page.app);
  return (path: string, host: string) => app.request(path, { headers: { Host: host } });
}

test.each([
  { path: '/healthz', elsewhere: 200 },
  { path: '/readyz', elsewhere: 200 },
  { path: '/metrics', elsewhere: 200 },
  { path: '/lanes', elsewhere: 421 },
  { path: '/', elsewhere: 421 },
])('$path answers here, and $elsewhere under a name that somebody made lead here', async ({ path, elsewhere }) => {
  const get = compose();
  expect((await get(path, 'localhost:8090')).status).toBe(200);
  const answer = await get(path, 'evil.example');
  expect(answer.status).toBe(elsewhere);
  expect(await answer.text()).not.toContain('northwind');
});

test('/lanes carries the lanes and the headers of the page', async () => {
  const answer = await compose()('/lanes', 'localhost');
  expect(await answer.json()).toEqual({ northwind: { position: 7 } });
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
});

test('/readyz says what is wrong', async () => {
  const answer = await compose(['sink: ClickHouse does not answer'])('/readyz', 'balancer.example');
  expect([answer.status, await answer.text()]).toEqual([503, 'sink: ClickHouse does not answer\n']);
});
