import { Hono } from 'hono';
import { expect, onTestFinished, test } from 'vitest';
import { upgradeCommand } from '../../../services/commands/upgrade/command.ts';
import { step } from '../../../services/core/flow/flow.ts';
import { serve } from '../../../services/http.ts';
import { createInstallation } from '../../../services/installation.ts';
import { createMemoryCheckpoints } from '../../../services/ports/checkpoints/memory.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { startTestEdge } from '../../edge/fixture.ts';
import { start } from '../../worker/installation.ts';

/** An edge, and workers of any version of the flow beside each other, each of which tells of its lanes. */
async function install() {
  const edge = await startTestEdge();
  const installation = { records: edge.log, outputs: createMemoryLog(), checkpoints: createMemoryCheckpoints() };
  const lanesUrls: string[] = [];
  const lines: string[] = [];
  const out = { write: (text: string) => void lines.push(text) };

  async function startWorker(hash: string) {
    const tenants = ['northwind'];
    const { worker } = start(installation, { tenants, flow: { hash, step }, reopenIntervalMs: 1 });
    const served = await serve(
      new Hono().get('/lanes', (c) => c.json(worker.lanes())),
      '127.0.0.1',
      0,
    );
    onTestFinished(served.close);
    lanesUrls.push(served.url);
    const state = () => worker.lanes().northwind;
    await expect.poll(state).toBeDefined();
    return { worker, state };
  }

  async function upgrade(flow: string, args: string[] = [], more = {}) {
    const urls = { edgeInternalUrl: edge.internalUrl, lanesUrls };
    return upgradeCommand(args, () => ({ ...urls, tenants: ['northwind'], flow, out, error: out, ...more }));
  }
  const judge = () =>
    createInstallation({ edgeInternalUrl: edge.internalUrl, lanesUrls }).submit({
      tenant: 'northwind',
      kind: 'judgement',
      idempotency_id: 'j1',
      document: {},
    });
  /** Before its first checkpoint a lane is anyone's. */
  const untilSaved = () => expect.poll(() => installation.checkpoints.list('northwind')).not.toEqual([]);
  return { startWorker, untilSaved, upgrade, lines, judge };
}

test('a version that is running takes over, and so does the one before it when it is asked to go back', async () => {
  const { startWorker, untilSaved, upgrade, lines } = await install();
  const old = await startWorker('a');
  await untilSaved();
  const young = await startWorker('b');
  await expect.poll(() => young.state()?.stopped).toMatch(/run "hookwatch upgrade"/);
  expect(await upgrade('b')).toBe(0);
  expect(young.state()).toMatchObject({ epoch: 2, flow: 'b', stopped: '' });
  expect(await upgrade('a')).toBe(0);
  expect(old.state()).toMatchObject({ epoch: 3, flow: 'a', stopped: '' });
  expect(await upgrade('b', ['--to', 'a'])).toBe(0);
  expect(lines).toEqual([
    'northwind: flow b works on it, in epoch 2\n',
    'northwind: flow a works on it, in epoch 3\n',
    'northwind: flow a works on it already\n',
  ]);
});

test('a version that is started after the one before it was stopped takes over at once', async () => {
  const { startWorker, untilSaved, upgrade, lines } = await install();
  const old = await startWorker('a');
  await untilSaved();
  await old.worker.stop();
  const young = await startWorker('b');
  expect(await upgrade('b')).toBe(0);
  expect(young.state()).toMatchObject({ epoch: 2, flow: 'b', stopped: '' });
  expect(lines).toEqual(['northwind: flow b works on it, in epoch 2\n']);
});

test('a version that is not running yet is to be started, and the lane waits for it', async () => {
  const { startWorker, untilSaved, upgrade, lines } = await install();
  await startWorker('a');
  await untilSaved();
  expect(await upgrade('a', ['--to', 'b'], { timeoutMs: 500 })).toBe(0);
  expect(await upgrade('a', ['--to', 'b'], { timeoutMs: 500 })).toBe(0);
  expect(lines[0]).toMatch(/^northwind: flow a has finished at position \d+: start flow b now\n$/);
  expect(lines[1]).toBe(lines[0]);
  const young = await startWorker('b');
  await expect.poll(young.state).toMatchObject({ epoch: 2, flow: 'b', stopped: '' });
});

test('a version whose predecessor died must wait until that has finished, and the exit code says so', async () => {
  const { startWorker, untilSaved, upgrade, lines, judge } = await install();
  const old = await startWorker('a');
  await untilSaved();
  await old.worker.leave();
  // Records that nobody can say whether it has worked on.
  await judge();
  const young = await startWorker('b');
  expect(await upgrade('b', [], { timeoutMs: 500 })).toBe(1);
  expect(lines).toEqual([
    expect.stringMatching(/^northwind: failed: .*flow a\) has not finished: start that once more/),
  ]);
  await startWorker('a');
  await expect.poll(young.state).toMatchObject({ epoch: 2, flow: 'b', stopped: '' });
});

test('wrong usage and a lane of which nobody knows are said', async () => {
  const { startWorker, upgrade, lines } = await install();
  await startWorker('a');
  expect(await upgrade('b', ['--tenant', 'stranger'])).toBe(2);
  expect(lines.splice(0)).toEqual([expect.stringMatching(/^Cannot upgrade tenant stranger/)]);
  expect(await upgrade('b', [], { tenants: ['bolt'] })).toBe(1);
  expect(await upgrade('b', [], { lanesUrls: ['http://127.0.0.1:1'] })).toBe(1);
  expect(lines).toEqual([
    'bolt: failed: nobody says how its lane stands; is a worker down?\n',
    expect.stringMatching(/^northwind: failed: Cannot reach /),
  ]);
});
