import { expect, test } from 'vitest';
import { RunError } from '../../services/reconcile/run-error.ts';
import { keepComparing, type ScheduleOptions } from '../../services/reconcile/schedule.ts';

const hour = 3_600_000;

/** A schedule whose sleeps take no time: how long each would have been is noted. */
async function play(outcomes: (boolean | Error)[], fields: Partial<ScheduleOptions> = {}) {
  let now = 1_000 * hour;
  const ending = new AbortController();
  const compared: number[] = [];
  const failures: string[] = [];
  let last: number | undefined;
  const begun = now;
  await keepComparing({
    everyMs: 24 * hour,
    lastMs: () => last,
    async compare() {
      compared.push((now - begun) / 60_000);
      const outcome = outcomes.shift();
      if (outcomes.length === 0) ending.abort();
      if (outcome instanceof Error) throw outcome;
      if (outcome) last = now;
      return outcome ?? false;
    },
    onFailure: (message) => failures.push(message),
    nowMs: () => now,
    signal: ending.signal,
    retryMs: 60_000,
    async sleep(milliseconds) {
      now += milliseconds;
    },
    ...fields,
  });
  return { minutes: compared, failures };
}

test('whole comparisons come a day after each other; the first at once', async () => {
  expect((await play([true, true, true])).minutes).toEqual([0, 1_440, 2_880]);
});

test('a process that is started again waits for what is left of the day', async () => {
  const lastMs = () => 1_000 * hour - 20 * hour;
  expect((await play([true], { lastMs })).minutes).toEqual([240]);
});

test('what could not go on is tried again soon, then later and later, and no later than every eighth', async () => {
  const failure = new RunError('PROVIDER_UNAVAILABLE', 'no answer');
  const outcomes = [...Array.from({ length: 10 }, () => failure), true];
  const { minutes, failures } = await play(outcomes);
  expect(minutes).toEqual([0, 1, 3, 7, 15, 31, 63, 127, 255, 435, 615]);
  expect(failures).toEqual(Array.from({ length: 10 }, () => 'no answer'));
});

test('one that was not whole is tried again as well', async () => {
  expect((await play([false, true])).minutes).toEqual([0, 1]);
});

test('a mistake of ours is no failure to be tried again', async () => {
  await expect(play([new TypeError('undefined is not a function'), true])).rejects.toThrow(TypeError);
});
