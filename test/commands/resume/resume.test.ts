import { Hono } from 'hono';
import { expect, onTestFinished, test } from 'vitest';
import { resumeCommand } from '../../../services/commands/resume/command.ts';
import { serve } from '../../../services/http.ts';
import { createInstallation } from '../../../services/installation.ts';
import type { Log, LogRecord } from '../../../services/ports/log/log.ts';
import { createMemoryLog } from '../../../services/ports/log/memory.ts';
import { startTestEdge } from '../../edge/fixture.ts';
import { type Installation, install, start } from '../../worker/installation.ts';

/** An edge whose lane is worked on by a worker, from a log that may be another one than the edge's. */
async function installed() {
  const edge = await startTestEdge();
  const lanesUrls: string[] = [];
  const lines: string[] = [];
  const out = { write: (text: string) => void lines.push(text) };
  const installation: Installation = { ...install(), records: edge.log };

  async function startWorker(records: Log = edge.log) {
    const tenants = ['northwind'];
    const { worker } = start({ ...installation, records }, { tenants, reopenIntervalMs: 1 });
    const served = await serve(
      new Hono().get('/lanes', (c) => c.json(worker.lanes())),
      '127.0.0.1',
      0,
    );
    onTestFinished(served.close);
    lanesUrls.splice(0, 1, served.url);
    await expect.poll(() => worker.lanes().northwind).toBeDefined();
    return worker;
  }
  const urls = { edgeInternalUrl: edge.internalUrl, lanesUrls };
  const judge = (id: string) =>
    createInstallation(urls).submit({ tenant: 'northwind', kind: 'judgement', idempotency_id: id, document: {} });
  const resume = (args: string[], more = {}) =>
    resumeCommand(args, () => ({ ...urls, tenants: ['northwind'], out, error: out, ...more }));
  return { edge, installation, startWorker, judge, resume, lines };
}

test('a lane whose log has lost what was worked on goes on, once the log has come past it', async () => {
  const { edge, installation, startWorker, judge, resume, lines } = await installed();
  await judge('j1');
  const worker = await startWorker();
  await expect.poll(() => worker.lanes().northwind?.position).toBe((await edge.log.bounds()).next - 1);
  expect(await resume(['--tenant', 'northwind'])).toBe(0);
  await worker.stop();
  const position = (await installation.checkpoints.newest('northwind'))!.position;
  // The same log without its last record: what comes next stands in its place.
  const records = createMemoryLog();
  let copied = 0;
  let following: Promise<unknown> = Promise.resolve();
  const copy = async () => {
    const behind: readonly LogRecord[] = await edge.log.read(copied, { records: 1e6, bytes: 1e9 });
    await records.append(behind.filter((record) => record.position !== position));
    copied += behind.length;
  };
  const follow = () => {
    following = following.then(copy);
    return following;
  };
  await follow();
  const other = await startWorker({ ...records, bounds: () => follow().then(records.bounds) });
  await expect.poll(() => other.lanes().northwind?.lost).toEqual({ from: -1, ready: false });
  expect(await resume(['--tenant', 'northwind'])).toBe(1);
  await judge('j2');
  await expect.poll(() => other.lanes().northwind?.lost).toEqual({ from: -1, ready: true });
  expect(await resume(['--tenant', 'northwind'])).toBe(0);
  expect(other.lanes().northwind).toMatchObject({ epoch: 2, stopped: '' });
  expect(lines).toEqual([
    'northwind: it is worked on already, in epoch 1\n',
    `northwind: failed: its log has yet to come past position ${position}: try again later\n`,
    'northwind: it goes on from the beginning of its log, in epoch 2\n',
  ]);
});

test('a lane that stands still for another reason, or nobody knows, is left alone, and so is wrong usage', async () => {
  const { startWorker, resume, lines } = await installed();
  expect(await resume([])).toBe(2);
  expect(await resume(['--tenant', 'stranger'])).toBe(2);
  expect(lines.splice(0)).toEqual(Array(2).fill(expect.stringMatching(/^Cannot resume a lane without its tenant/)));
  const records = createMemoryLog();
  await records.append([{ key: 'northwind', frame: Buffer.from('garbage') }]);
  await startWorker(records);
  expect(await resume(['--tenant', 'northwind'])).toBe(1);
  expect(await resume(['--tenant', 'bolt'], { tenants: ['bolt'] })).toBe(1);
  expect(lines).toEqual([
    expect.stringMatching(/^northwind: failed: its log has lost nothing: Cannot decode frame/),
    'bolt: failed: nobody says how its lane stands; is a worker down?\n',
  ]);
});
