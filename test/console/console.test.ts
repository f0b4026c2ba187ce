import { Registry } from 'prom-client';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type ConsoleOptions, createConsole } from '../../services/console/console.ts';
import type { Log } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { consoleMetrics } from '../../services/telemetry.ts';
import {
  createLogOf,
  deliveryId,
  eventId,
  frame,
  framePair,
  frameRejected,
  makeDetection,
  makeEvent,
} from './fixtures.ts';
import { readMessages } from './sse.ts';

const host = { Host: 'localhost:8090' };

async function start(outputs: Log, options: Partial<ConsoleOptions> = {}) {
  const console = createConsole({ outputs, pollIntervalMs: 1, flushIntervalMs: 0, ...options });
  await console.start();
  onTestFinished(() => console.stop());
  const get = (path: string, headers: Record<string, string> = {}) =>
    console.app.request(path, { headers: { ...host, ...headers } });
  const listen = async (headers: Record<string, string> = {}) => readMessages(await get('/live', headers));
  return { console, get, listen };
}

describe('the guard', () => {
  test.each([
    { header: 'localhost:8090', status: 200 },
    { header: 'LOCALHOST', status: 200 },
    { header: '127.0.0.1:8090', status: 200 },
    { header: '[::1]:8090', status: 200 },
    { header: 'rebound.example:8090', status: 421 },
    { header: 'localhost.rebound.example', status: 421 },
    { header: '10.0.0.1', status: 421 },
    { header: '', status: 421 },
  ])('Host "$header" is answered $status', async ({ header, status }) => {
    const { get } = await start(createMemoryLog());
    for (const path of ['/', '/live', '/deliveries/x']) {
      const response = await get(path, { Host: header });
      expect(response.status === 421).toBe(status === 421);
      await response.body?.cancel();
    }
  });

  test('other hosts can be allowed', async () => {
    const { get } = await start(createMemoryLog(), { hosts: ['console.example'] });
    expect((await get('/', { Host: 'console.example' })).status).toBe(200);
    expect((await get('/')).status).toBe(421);
  });

  test.each(['/', '/page.js', '/live', '/deliveries/none', '/no-such-page'])('%s carries the headers', async (path) => {
    const { get } = await start(createMemoryLog());
    const response = await get(path);
    expect(response.headers.get('Content-Security-Policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    });
    await response.body?.cancel();
  });
});

describe('the page', () => {
  test.each([
    { path: '/', type: 'text/html; charset=utf-8' },
    { path: '/style.css', type: 'text/css; charset=utf-8' },
    { path: '/page.js', type: 'text/javascript; charset=utf-8' },
  ])('$path is $type, and not sent again when unchanged', async ({ path, type }) => {
    const { get } = await start(createMemoryLog());
    const response = await get(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('Content-Type')).toBe(type);
    const again = await get(path, { 'If-None-Match': response.headers.get('ETag')! });
    expect(again.status).toBe(304);
    expect(await again.text()).toBe('');
  });

  test.each(['/tsconfig.json', '/../console.ts', '/%2e%2e/console.ts'])('%s is not served', async (path) => {
    const { get } = await start(createMemoryLog());
    expect((await get(path)).status).toBe(404);
  });

  test('no script or style stands in the document, and nothing comes from elsewhere', async () => {
    const { get } = await start(createMemoryLog());
    const html = await (await get('/')).text();
    expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc="\/)/i);
    expect(html).not.toMatch(/(?:src|href)="(?!\/|data:|#)/i);
  });
});

describe('/live', () => {
  test('starts with the present state, then sends what changes', async () => {
    const log = await createLogOf(framePair({ seq: 1 }));
    const { listen } = await start(log);
    const stream = await listen();
    expect(await stream.next()).toMatchObject({ event: 'reset', id: '1', changes: { rows: [{ id: eventId(1) }] } });
    await log.append(framePair({ seq: 2 }));
    const update = await stream.next();
    expect(update).toMatchObject({ event: 'update', id: '3', changes: { totals: { events: 2 } } });
    expect(update?.changes.rows.map(({ id }) => id)).toEqual([eventId(2)]);
  });

  test('lists carry no payload', async () => {
    const secret = Buffer.from('{"name":"only-in-the-body"}');
    const log = await createLogOf(framePair({ seq: 1, data: secret.toString() }, { body: secret }));
    const { listen } = await start(log);
    expect(JSON.stringify(await (await listen()).next())).not.toContain('only-in-the-body');
  });

  test('an empty log: a state without an id', async () => {
    const { listen } = await start(createMemoryLog());
    expect(await (await listen()).next()).toMatchObject({ event: 'reset', id: '', changes: { rows: [] } });
  });

  test.each([
    { name: 'goes on after Last-Event-ID', at: '3', event: 'update', seqs: [3] },
    { name: 'an id ahead of the log starts anew', at: '99', event: 'reset', seqs: [1, 2, 3] },
    { name: 'an id that is none of ours starts anew', at: 'x-1', event: 'reset', seqs: [1, 2, 3] },
  ])('$name', async ({ at, event, seqs }) => {
    const log = await createLogOf(framePair({ seq: 1 }), framePair({ seq: 2 }), framePair({ seq: 3 }));
    const { listen } = await start(log);
    const message = await (await listen({ 'Last-Event-ID': at })).next();
    expect(message).toMatchObject({ event, id: '5' });
    expect(message?.changes.rows.map(({ id }) => id).sort()).toEqual(seqs.map(eventId));
  });

  test('goes on across a restart of the console, but starts anew where the backlog does not reach', async () => {
    const log = await createLogOf(...[1, 2, 3, 4].map((seq) => framePair({ seq })));
    const { listen } = await start(log, { backlogRecords: 4 });
    expect(await (await listen({ 'Last-Event-ID': '5' })).next()).toMatchObject({ event: 'update', id: '7' });
    const reset = await (await listen({ 'Last-Event-ID': '1' })).next();
    expect(reset).toMatchObject({ event: 'reset', changes: { rows: [{ id: eventId(3) }, { id: eventId(4) }] } });
  });

  test('a withdrawal reaches whoever stood before it', async () => {
    const log = await createLogOf(framePair({ seq: 1 }));
    const { listen } = await start(log);
    const stream = await listen();
    await stream.next();
    await log.append([frame('event', makeEvent({ seq: 1, version: 2, withdrawn: true }))]);
    expect(await stream.next()).toMatchObject({ event: 'update', changes: { rows: [], withdrawn: [eventId(1)] } });
  });

  test('a reader that does not read costs one message: what it missed comes in one step', async () => {
    const log = createMemoryLog();
    const { listen, get } = await start(log, { limits: { rowsPerColumn: 20 } });
    const stream = await listen();
    await stream.next();
    for (let seq = 1; seq <= 500; seq++) await log.append(framePair({ seq }));
    await vi.waitFor(async () => expect((await get(`/deliveries/${deliveryId(500)}`)).status).toBe(200));
    const seen = new Set<string>();
    let messages = 0;
    for (let total = 0; total < 500; messages++) {
      const message = await stream.next();
      total = message!.changes.totals.events;
      for (const { id } of message!.changes.rows) seen.add(id);
    }
    // What the pipe between server and reader holds already, and the newest state.
    expect(messages).toBeLessThan(10);
    expect(seen).toContain(eventId(500));
    expect(seen.size).toBeLessThan(100);
  });

  test('a comment keeps a silent stream open', async () => {
    const { listen } = await start(createMemoryLog(), { heartbeatIntervalMs: 1 });
    const stream = await listen();
    await stream.next();
    const end = stream.next();
    await vi.waitFor(() => expect(stream.comments).toContain(': heartbeat'));
    await stream.leave();
    expect(await end).toBeUndefined();
  });

  test('the number of readers is bounded, and one that leaves makes room', async () => {
    const { get, listen } = await start(createMemoryLog(), { readersMax: 1 });
    const stream = await listen();
    await stream.next();
    expect((await get('/live')).status).toBe(503);
    await stream.leave();
    const response = await get('/live');
    expect(response.status).toBe(200);
    await response.body?.cancel();
  });

  test('stopping ends the streams', async () => {
    const { console, listen } = await start(createMemoryLog());
    const stream = await listen();
    await stream.next();
    const end = stream.next();
    await console.stop();
    expect(await end).toBeUndefined();
  });
});

test('metrics: open streams, entries held, resets of streams that fell behind', async () => {
  const registry = new Registry();
  const log = await createLogOf(framePair({ seq: 1 }));
  const { listen } = await start(log, { metrics: consoleMetrics(registry) });
  const value = async (name: string) => (await registry.getSingleMetric(name)!.get()).values[0]?.value;
  const streams = [await listen(), await listen({ 'Last-Event-ID': '1' }), await listen({ 'Last-Event-ID': '99' })];
  for (const stream of streams) void stream.next();
  await expect.poll(() => value('hookwatch_console_viewers')).toBe(3);
  expect(await value('hookwatch_console_entries')).toBe(1);
  await expect.poll(() => value('hookwatch_console_resets')).toBe(1);
  for (const stream of streams) await stream.leave();
  expect(await value('hookwatch_console_viewers')).toBe(0);
});

describe('the feed', () => {
  test('leaves out a frame that cannot be decoded, says so and goes on', async () => {
    const log = await createLogOf([{ key: 'northwind', frame: Buffer.from('rubbish') }], framePair({ seq: 1 }));
    const onError = vi.fn();
    const { listen } = await start(log, { onError });
    expect((await (await listen()).next())?.changes.rows).toHaveLength(1);
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'FRAME_INVALID' }));
  });

  test('tries again when the log cannot be read', async () => {
    const log = await createLogOf(framePair({ seq: 1 }));
    const onError = vi.fn();
    const { listen } = await start(log, { onError });
    const stream = await listen();
    await stream.next();
    const fault = new Error('disk');
    vi.spyOn(log, 'read').mockRejectedValueOnce(fault);
    await log.append(framePair({ seq: 2 }));
    expect((await stream.next())?.changes.rows).toMatchObject([{ id: eventId(2) }]);
    expect(onError).toHaveBeenCalledExactlyOnceWith(fault);
  });

  test('goes on behind what was trimmed unread, and makes its readers start anew', async () => {
    const log = await createLogOf(framePair({ seq: 1 }));
    const { listen } = await start(log);
    const stream = await listen();
    await stream.next();
    const read = log.read;
    const blocked = vi.spyOn(log, 'read').mockResolvedValue([]);
    await log.append([...framePair({ seq: 2 }), ...framePair({ seq: 3 })]);
    await log.trim(4);
    blocked.mockImplementation(read);
    expect(await stream.next()).toMatchObject({ event: 'reset', id: '5' });
  });

  test('reads a backlog of many batches before it is started', async () => {
    const log = await createLogOf(...Array.from({ length: 3_000 }, (_, seq) => framePair({ seq })));
    const { listen } = await start(log);
    expect((await (await listen()).next())?.changes.totals.events).toBe(3_000);
  });
});

describe('details', () => {
  test('a delivery: payload, signature, key, event', async () => {
    const log = await createLogOf(framePair({ seq: 1 }, { body: Buffer.from('{"n":1.0}'), key_id: 'k1' }));
    const { get } = await start(log);
    expect(await (await get(`/deliveries/${deliveryId(1)}`)).json()).toMatchObject({
      delivery: {
        id: deliveryId(1),
        verdict: 'verified',
        key_id: 'k1',
        endpoint: 'server-updated',
        position: 1,
        headers: { 'content-type': 'application/json' },
        body: { encoding: 'utf-8', json: true, text: '{\n  "n": 1.0\n}', bytes: 9 },
      },
      signature: { header: 'tier3-rsasha1', value: 'c2lnbmF0dXJl' },
      event: { id: eventId(1) },
      reject: null,
    });
  });

  test('a rejected delivery: the reason, and base64 for what is no text', async () => {
    const rejected = frameRejected({ seq: 1, detail: 'no active key' }, { body: Buffer.from([0xff]), headers: {} });
    const { get } = await start(await createLogOf(rejected));
    expect(await (await get(`/deliveries/${deliveryId(1)}`)).json()).toMatchObject({
      delivery: {
        verdict: 'rejected',
        verdict_reason: 'signature mismatch',
        body: { encoding: 'base64', text: '/w==' },
      },
      signature: null,
      event: null,
      reject: { reason: 'signature mismatch', detail: 'no active key' },
    });
  });

  test('a detection: with its evidence', async () => {
    const detection = makeDetection({ events: [eventId(1)] });
    const { get } = await start(await createLogOf(framePair({ seq: 1 }), [frame('detection', detection)]));
    expect(await (await get(`/detections/${detection.id}`)).json()).toMatchObject({
      detection: { id: detection.id, threshold: 5 },
      evidence: [{ event: eventId(1), delivery: deliveryId(1), subject: 'WA1NWNDWEB01' }],
    });
  });

  test.each([
    {
      path: `/deliveries/${deliveryId(7)}`,
      sql: `SELECT * FROM hookwatch.deliveries WHERE id = '${deliveryId(7)}' FORMAT Vertical`,
    },
    { path: '/detections/0-d', sql: "SELECT * FROM hookwatch.detections WHERE id = '0-d' FORMAT Vertical" },
    { path: "/deliveries/x'%20OR%201=1%20--", sql: undefined },
  ])('$path is not in memory: 404, and how to ask ClickHouse', async ({ path, sql }) => {
    const { get } = await start(createMemoryLog());
    const response = await get(path);
    expect(response.status).toBe(404);
    expect(((await response.json()) as { sql?: string }).sql).toBe(sql);
  });
});
