import { expect, onTestFinished, test } from 'vitest';
import { createStoredWait } from '../../../services/commands/replay/stored.ts';
import { createStatusApp, serve } from '../../../services/http.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { createRegistry, sinkMetrics } from '../../../services/telemetry.ts';

const record = { key: 'acme', frame: Buffer.from('frame') };

/** What a sink says, by hand, of a log with some outputs. */
async function start(timeoutMs = 10_000, { outputs = 2, now = () => performance.now() } = {}) {
  const log = createMemoryLog();
  await log.append(Array(outputs).fill(record));
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
  const stored = createStoredWait({
    sources,
    metricsUrls: [`${served.url}/metrics`],
    timeoutMs,
    now,
    pollIntervalMs: 1,
  });
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

test('it waits for as long as a sink moves, and says how far it is', async () => {
  const clock = { ms: 0 };
  const { metrics, stored } = await start(60_000, { outputs: 6, now: () => clock.ms });
  metrics.position.set({ source: 'outputs' }, 0);
  const told: number[] = [];
  await stored((outputs) => {
    told.push(outputs);
    clock.ms += 59_000;
    metrics.position.inc({ source: 'outputs' });
  });
  expect(told).toEqual([5, 4, 3, 2, 1]);
});

test('a sink that has moved and stands still is given up', async () => {
  const clock = { ms: 0 };
  const { metrics, stored } = await start(60_000, { outputs: 6, now: () => clock.ms });
  metrics.position.set({ source: 'outputs' }, 0);
  const told: number[] = [];
  const waiting = stored((outputs) => {
    told.push(outputs);
    clock.ms += 25_000;
    if (told.length === 1) metrics.position.inc({ source: 'outputs' });
    // What is not waited for does not count.
    metrics.position.inc({ source: 'empty' });
  });
  const message = expect.stringContaining('outputs, and has not moved for 60 s');
  await expect(waiting).rejects.toMatchObject({ code: 'SINK_BEHIND', message });
  expect(told).toEqual([5, 4, 4, 4]);
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
