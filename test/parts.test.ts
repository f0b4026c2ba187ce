import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test, vi } from 'vitest';
import { loadConfig } from '../services/config.ts';
import { runEdge } from '../services/parts.ts';
import { temporaryFolder } from './edge/fixture.ts';

function configOf() {
  return loadConfig({
    HOOKWATCH_DATA: temporaryFolder(),
    HOOKWATCH_CONFIG: new URL('../hookwatch.yaml', import.meta.url).pathname,
    HOOKWATCH_EDGE_PORT: '0',
    HOOKWATCH_EDGE_INTERNAL_PORT: '0',
    HOOKWATCH_LOG_LEVEL: 'silent',
  });
}

test('an edge whose journal can no longer be written says so, and is started again', async () => {
  const config = configOf();
  const post = vi.spyOn(Worker.prototype, 'postMessage');
  onTestFinished(() => void post.mockRestore());
  const edge = await runEdge(config);
  onTestFinished(edge.close);
  expect(await Promise.race([edge.failed, Promise.resolve('works')])).toBe('works');
  await (post.mock.contexts[0] as Worker).terminate();
  await expect(edge.failed).rejects.toThrow('Cannot write to the log: its thread has ended');
});

test('an edge tells what is wrong behind its journal, and asks what that may let go of when it fills up', async () => {
  const config = configOf();
  const acknowledged = vi.fn(() => 0);
  const edge = await runEdge({ ...config, journal: { ...config.journal, bytesMax: 1 } }, async () => ({
    covered: async () => 0,
    acknowledged,
    remarks: () => ['nothing is forwarded'],
    close: async () => {},
  }));
  onTestFinished(edge.close);
  expect(await (await fetch(`${edge.urls.edge}/readyz`)).json()).toMatchObject({ remarks: ['nothing is forwarded'] });
  await vi.waitFor(() => expect(acknowledged).toHaveBeenCalled(), { timeout: 15_000 });
});
