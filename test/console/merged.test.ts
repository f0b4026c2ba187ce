/** The live page over outputs that are in several logs, as they are with Kafka. */
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createConsole } from '../../services/console/console.ts';
import type { Log } from '../../services/ports/log/log.ts';
import { createMemoryLog } from '../../services/ports/log/memory.ts';
import { createMergedLog } from '../../services/ports/log/merged.ts';
import { deliveryId, eventId, frame, framePair, makeEvent } from './fixtures.ts';
import { readMessages } from './sse.ts';

const startedAtMs = Date.UTC(2026, 0, 5, 9);

/** A console of its own start over these logs. */
async function open(logs: Log[], afterMs = 0) {
  const outputs = createMergedLog(logs, { startedAtMs: startedAtMs + afterMs, backlogRecords: 100, waitMs: 0 });
  const console = createConsole({ outputs, pollIntervalMs: 1, flushIntervalMs: 0 });
  await console.start();
  onTestFinished(() => console.stop());
  const get = (path: string, headers: Record<string, string> = {}) =>
    console.app.request(path, { headers: { Host: 'localhost', ...headers } });
  return {
    get,
    listen: async (cursor?: string) =>
      readMessages(await get('/live', cursor === undefined ? {} : { 'Last-Event-ID': cursor })),
  };
}

/** Deliveries and events in a log each. */
async function logsOf(...seqs: number[]) {
  const [deliveries, events] = [createMemoryLog(), createMemoryLog()];
  const add = async (seq: number) => {
    const [delivery, event] = framePair({ seq });
    // The event is there before its delivery.
    await events.append([event!]);
    await deliveries.append([delivery!]);
  };
  for (const seq of seqs) await add(seq);
  return { logs: [events, deliveries], events, add };
}

test('an event that comes before its delivery finds it', async () => {
  const { logs, add } = await logsOf(1);
  const { get, listen } = await open(logs);
  const stream = await listen();
  expect((await stream.next())?.changes.rows).toMatchObject([{ id: eventId(1), verdict: 'verified' }]);
  await add(2);
  await vi.waitFor(async () => {
    const detail = await get(`/deliveries/${deliveryId(2)}`);
    expect(await detail.json()).toMatchObject({ delivery: { id: deliveryId(2) }, event: { id: eventId(2) } });
  });
});

describe('a page that was connected to an earlier start', () => {
  test.each([
    { name: 'is given everything anew', afterMs: 60_000 },
    { name: 'also where the clock went back', afterMs: -60_000 },
  ])('$name', async ({ afterMs }) => {
    const { logs } = await logsOf(1, 2, 3);
    const { id } = (await (await (await open(logs)).listen()).next())!;
    const message = await (await (await open(logs, afterMs)).listen(id)).next();
    expect(message?.event).toBe('reset');
    expect(message?.changes.rows).toHaveLength(3);
  });

  test('and goes on where it stood, while it is the same start', async () => {
    const { logs, events } = await logsOf(1, 2);
    const page = await open(logs);
    const { id } = (await (await page.listen()).next())!;
    await events.append([frame('event', makeEvent({ seq: 3 }))]);
    const message = await vi.waitFor(async () => {
      const next = await (await page.listen(id)).next();
      expect(next?.changes.rows).toHaveLength(1);
      return next;
    });
    expect(message).toMatchObject({ event: 'update', changes: { rows: [{ id: eventId(3) }] } });
  });
});

test('what was let go unread makes its readers start anew', async () => {
  const { logs, events } = await logsOf(1);
  const { listen } = await open(logs);
  const stream = await listen();
  await stream.next();
  const read = events.read;
  const blocked = vi.spyOn(events, 'read').mockResolvedValue([]);
  await events.append([2, 3, 4].map((seq) => frame('event', makeEvent({ seq }))));
  await events.trim(3);
  blocked.mockImplementation(read);
  await vi.waitFor(async () => expect(await stream.next()).toMatchObject({ event: 'reset' }));
});
