import { describe, expect, test } from 'vitest';
import { type Clock, createSystemClock, pace } from '../../services/simulator/pacing.ts';
import { itemOf, scenarioOf } from './fixtures.ts';

/** Time passes only while somebody waits for it. */
function createFakeClock() {
  let nowMs = 5_000;
  const clock: Clock = {
    now: () => nowMs,
    waitUntil: async (timeMs) => {
      nowMs = timeMs;
    },
  };
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { clock, pass };
}

test('each item begins at its time', async () => {
  const { clock } = createFakeClock();
  const begun: number[] = [];
  const items = scenarioOf({ rate: 20, seconds: 5 });
  const send = async () => void begun.push(clock.now());
  const { lateMsMax } = await pace(items, { clock, send, inFlightMax: 10 });
  expect(begun).toEqual(items.map(({ atMs }) => 5_000 + atMs));
  expect(lateMsMax).toBe(0);
});

test('a slow answer does not hold back the next', async () => {
  const { clock } = createFakeClock();
  const answers: (() => void)[] = [];
  const states: number[] = [];
  const running = pace(
    [0, 10, 20].map((atMs) => itemOf({ atMs })),
    {
      clock,
      send: () => new Promise<void>((resolve) => answers.push(resolve)),
      inFlightMax: 3,
      onSent: ({ inFlight }) => states.push(inFlight),
    },
  );
  await expect.poll(() => answers.length).toBe(3);
  for (const answer of answers) answer();
  await running;
  expect(states).toEqual([1, 2, 3]);
});

test('at the bound the next waits for an answer, and its lateness is told', async () => {
  const { clock, pass } = createFakeClock();
  const answers: (() => void)[] = [];
  const running = pace(
    [0, 10].map((atMs) => itemOf({ atMs })),
    {
      clock,
      send: () => new Promise<void>((resolve) => answers.push(resolve)),
      inFlightMax: 1,
    },
  );
  await expect.poll(() => clock.now()).toBe(5_010);
  expect(answers).toHaveLength(1);
  pass(700);
  answers[0]!();
  await expect.poll(() => answers.length).toBe(2);
  answers[1]!();
  expect(await running).toEqual({ lateMsMax: 700 });
});

test('what is late is sent at once', async () => {
  const { clock, pass } = createFakeClock();
  const begun: number[] = [];
  await pace(
    [0, 10, 20, 900].map((atMs) => itemOf({ atMs })),
    {
      clock,
      send: async () => {
        begun.push(clock.now());
        if (begun.length === 1) pass(100);
      },
      inFlightMax: 9,
    },
  );
  expect(begun).toEqual([5_000, 5_100, 5_100, 5_900]);
});

test('an abort begins nothing more and awaits what is in flight', async () => {
  const stop = new AbortController();
  const done: string[] = [];
  const answers: (() => void)[] = [];
  const running = pace([itemOf({ subject: 'first' }), itemOf({ subject: 'second', atMs: 3_600_000 })], {
    clock: createSystemClock(),
    send: async ({ subject }) => {
      await new Promise<void>((resolve) => answers.push(resolve));
      done.push(subject);
    },
    inFlightMax: 9,
    signal: stop.signal,
  });
  stop.abort();
  await expect.poll(() => answers.length).toBe(1);
  answers[0]!();
  await running;
  expect(done).toEqual(['first']);
});

test('a failure of the sender itself ends the run', async () => {
  const { clock } = createFakeClock();
  let begun = 0;
  const send = async () => {
    begun += 1;
    throw new Error('disk full');
  };
  await expect(pace(scenarioOf({ seconds: 2 }), { clock, send, inFlightMax: 4 })).rejects.toThrow('disk full');
  expect(begun).toBeLessThan(5);
});

describe('the system clock', () => {
  test('waits for its time', async () => {
    const clock = createSystemClock();
    const dueMs = clock.now() + 20;
    await clock.waitUntil(dueMs);
    // A timer may fire a fraction of a millisecond early.
    expect(clock.now()).toBeGreaterThan(dueMs - 2);
  });

  test('stops waiting when told to', async () => {
    const stop = new AbortController();
    const waiting = createSystemClock().waitUntil(performance.now() + 3_600_000, stop.signal);
    stop.abort();
    await expect(waiting).resolves.toBeUndefined();
    await expect(createSystemClock().waitUntil(Number.MAX_SAFE_INTEGER, stop.signal)).resolves.toBeUndefined();
  });
});
