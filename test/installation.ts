import pino from 'pino';
import { expect, onTestFinished } from 'vitest';
import { createStatusApp, serve } from '../services/http.ts';
import { createMemoryCheckpoints } from '../services/ports/checkpoints/memory.ts';
import { createMemoryLog } from '../services/ports/log/memory.ts';
import { createRegistry, workerMetrics } from '../services/telemetry.ts';
import { createKnowledge } from '../services/worker/knowledge.ts';
import { createWorker } from '../services/worker/worker.ts';
import { type EdgeFields, startTestEdge } from './edge/fixture.ts';

/** An edge and a worker with the lanes' page, as `npm start` has them: what commands talk to. Ends with the test. */
export async function startInstallation(fields: EdgeFields = {}) {
  const edge = await startTestEdge(fields);
  const registry = createRegistry('test');
  const outputs = createMemoryLog();
  const worker = createWorker({
    tenants: ['northwind'],
    records: edge.log,
    outputs,
    checkpoints: createMemoryCheckpoints(),
    metrics: workerMetrics(registry),
    logger: pino({ level: 'silent' }),
  });
  const running = worker.run();
  const app = createStatusApp(registry, worker.troubles);
  app.get('/lanes', (c) => c.json(worker.lanes()));
  app.route('/', createKnowledge(worker.stateOf));
  const served = await serve(app, '127.0.0.1', 0);
  onTestFinished(async () => {
    await worker.stop();
    await running;
    await served.close();
  });
  const lane = () => worker.lanes().northwind;
  await expect.poll(() => lane()?.settings).toBeDefined();
  return { edge, lane, outputs, urls: { edgeInternalUrl: edge.internalUrl, lanesUrls: [served.url] } };
}
