import { expect, test } from 'vitest';
import { createSlots, type Slots } from '../../../../services/ports/warehouse/chdb/slots.ts';

const limits = { running: 2, runningAnalysts: 1, waiting: 2, waitMs: 60_000 };

/** A query that says when it starts and runs until it is told to end. */
function begin(slots: Slots, who: string, log: string[], signal = new AbortController().signal) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = slots.run(who.startsWith('analyst'), signal, () => {
    log.push(who);
    return promise;
  });
  done.catch(() => {});
  return { end: resolve, done };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('analysts leave room for a writer, and writers go first', async () => {
  const slots = createSlots(limits);
  const log: string[] = [];
  const first = begin(slots, 'analyst 1', log);
  begin(slots, 'analyst 2', log);
  const writer = begin(slots, 'writer 1', log);
  begin(slots, 'writer 2', log);
  await settled();
  expect(log).toEqual(['analyst 1', 'writer 1']);
  first.end();
  await settled();
  expect(log).toEqual(['analyst 1', 'writer 1', 'writer 2']);
  writer.end();
  await settled();
  expect(log).toEqual(['analyst 1', 'writer 1', 'writer 2', 'analyst 2']);
});

test('a full line is refused at once, with the code that clients retry on', async () => {
  const slots = createSlots({ ...limits, waiting: 0 });
  begin(slots, 'analyst 1', []);
  await expect(begin(slots, 'analyst 2', []).done).rejects.toMatchObject({
    exceptionCode: 202,
    message: expect.stringContaining('(TOO_MANY_SIMULTANEOUS_QUERIES)'),
  });
});

test('a wait has an end', async () => {
  const slots = createSlots({ ...limits, waitMs: 1 });
  begin(slots, 'analyst 1', []);
  await expect(begin(slots, 'analyst 2', []).done).rejects.toMatchObject({ exceptionCode: 202 });
});

test('who leaves the line gives up his place', async () => {
  const slots = createSlots({ ...limits, waiting: 1 });
  const log: string[] = [];
  const running = begin(slots, 'analyst 1', log);
  const leaving = new AbortController();
  const left = begin(slots, 'analyst 2', log, leaving.signal);
  leaving.abort(new Error('gone'));
  await expect(left.done).rejects.toThrow('gone');
  begin(slots, 'analyst 3', log);
  running.end();
  await settled();
  expect(log).toEqual(['analyst 1', 'analyst 3']);
});

test('a failed query gives its place back', async () => {
  const slots = createSlots(limits);
  const signal = new AbortController().signal;
  await expect(slots.run(true, signal, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  await expect(slots.run(true, signal, async () => 'yes')).resolves.toBe('yes');
});
