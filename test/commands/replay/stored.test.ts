import { expect, onTestFinished, test } from 'vitest';
import { createStoredWait } from '../../../services/commands/replay/stored.ts';
import { createStatusApp, serve } from '../../../services/http.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { createRegistry, sinkMetrics } from '../../../services/telemetry.ts';

const record = { key: 'acme', frame: Buffer.from('frame') };

/** What a sink says, by hand, of a log with two outputs. */
async function start(timeoutMs = 10_000) {
  const log = createMemoryLog();
  await log.append([record, record]);
  const registry = createRegistry('test');
  const metrics = sinkMetrics(registry);
  const served = await serve(
    createStatusApp(registry, () => []),
    '127.0.0.1',
    0,
  );
  onTestFinished(() => served.close());
  const sources = [
    { name: 'outputs', log },
    { name: 'empty', log: createMemoryLog() },
  ];
  const stored = createStoredWait({ sources, metricsUrls: [`${served.url}/metrics`], timeoutMs, pollIntervalMs: 1 });
  return { log, metrics, stored };
}

test('it waits for the sink to come to the end that there was', async () => {
  const { log, metrics, stored } = await start();
  metrics.position.set({ source: 'outputs' }, 0);
  let done = false;
  const waiting = stored().then(() => {
    done = true;
  });
  await expect.poll(async () => (await log.bounds()).next).toBe(2);
  expect(done).toBe(false);
  metrics.position.set({ source: 'outputs' }, 1);
  await log.append([record]);
  await waiting;
});

test('it gives up in the end, and says of what', async () => {
  const { metrics, stored } = await start(1);
  metrics.position.set({ source: 'outputs' }, 0);
  await expect(stored()).rejects.toMatchObject({ code: 'SINK_BEHIND', message: expect.stringContaining('outputs') });
});

test('it says that no sink is there', async () => {
  const sources = [{ name: 'outputs', log: createMemoryLog() }];
  const stored = createStoredWait({ sources, metricsUrls: ['http://127.0.0.1:1/metrics'] });
  await expect(stored()).rejects.toMatchObject({ code: 'SINK_BEHIND', message: expect.stringContaining('Cannot ask') });
});
