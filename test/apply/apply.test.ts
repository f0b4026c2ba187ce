import pino from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { applyCommand } from '../../services/apply/command.ts';
import { createStatusApp, serve } from '../../services/http.ts';
import { createMemoryCheckpoints } from '../../services/ports/checkpoints/memory.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { createRegistry, workerMetrics } from '../../services/telemetry.ts';
import { createWorker } from '../../services/worker/worker.ts';
import { startTestEdge, tenant } from '../edge/fixture.ts';

/** An edge and a worker with the lanes' page, as `npm start` has them. */
async function start() {
  const edge = await startTestEdge();
  const registry = createRegistry('test');
  const worker = createWorker({
    tenants: ['northwind'],
    records: edge.log,
    outputs: createMemoryLog(),
    checkpoints: createMemoryCheckpoints(),
    metrics: workerMetrics(registry),
    logger: pino({ level: 'silent' }),
  });
  const running = worker.run();
  const app = createStatusApp(registry, worker.troubles);
  app.get('/lanes', (c) => c.json(worker.lanes()));
  const served = await serve(app, '127.0.0.1', 0);
  onTestFinished(async () => {
    await worker.stop();
    await running;
    await served.close();
  });
  await expect.poll(() => worker.lanes().northwind?.settings).toBeDefined();
  const lines: string[] = [];
  const apply = (tenants = [tenant()], more = {}) =>
    applyCommand({
      edgeInternalUrl: edge.internalUrl,
      consoleUrl: served.url,
      tenants,
      out: { write: (text) => void lines.push(text) },
      ...more,
    });
  return { apply, lines, thresholds: () => worker.lanes().northwind?.settings?.rules };
}

const stricter = (servers: number) =>
  tenant({ rules: { 'account-created-then-servers': { servers, within_ms: 600_000 } } });

test('what has not changed writes nothing', async () => {
  const { apply, lines } = await start();
  expect(await apply()).toBe(0);
  expect(lines).toEqual(['northwind: nothing has changed\n']);
});

test('a change is in force when the command ends, and one change can follow another', async () => {
  const { apply, lines, thresholds } = await start();
  for (const servers of [3, 4]) {
    expect(await apply([stricter(servers)])).toBe(0);
    expect(thresholds()).toEqual({ 'account-created-then-servers': { servers, within_ms: 600_000 } });
  }
  expect(lines).toEqual([expect.stringMatching(/are in force\n$/), expect.stringMatching(/are in force\n$/)]);
  expect(await apply([stricter(4)])).toBe(0);
  expect(lines.at(-1)).toBe('northwind: nothing has changed\n');
});

test('what cannot be applied is said, and the exit code says so too', async () => {
  const { apply, lines } = await start();
  expect(await apply([stricter(3)], { edgeInternalUrl: 'http://127.0.0.1:1' })).toBe(1);
  expect(await apply([tenant({ name: 'stranger' })])).toBe(1);
  expect(lines).toEqual([
    expect.stringMatching(/^northwind: failed: Cannot reach .*npm start/),
    expect.stringMatching(/^stranger: failed: its lane has no settings yet/),
  ]);
});
