import { expect, test } from 'vitest';
import { type Alarm, planAlarm, takeAlarms } from '../../../services/core/flow/alarms.ts';
import { createState } from '../../../services/core/flow/state.ts';

const hour = 3_600_000;
const alarm = (key: string, at: number): Alarm => ({ of: 'backup', group: 'g', key, at });

test('alarms are taken once each, when they are due and not before', () => {
  const state = createState();
  for (const [key, at] of [
    ['c', 2.5],
    ['a', 0.2],
    ['b', 0.7],
    ['d', 40],
  ] as const)
    planAlarm(state, alarm(key, at * hour)); // prettier-ignore
  const taken = (hours: number) => takeAlarms(state, hours * hour).map(({ key }) => key);
  expect(taken(0.1)).toEqual([]);
  expect(taken(0.2)).toEqual(['a']);
  expect(taken(0.2)).toEqual([]);
  expect(taken(0.69)).toEqual([]);
  expect(taken(2.4)).toEqual(['b']);
  planAlarm(state, alarm('e', 2.45 * hour));
  expect(taken(2.5)).toEqual(['c', 'e']);
  expect(taken(39)).toEqual([]);
  expect(taken(40)).toEqual(['d']);
  expect(state.alarms.size + state.alarmClock.size).toBe(0);
});

test('one of the same thing and hour takes the place of the other', () => {
  const state = createState();
  planAlarm(state, alarm('a', 0.8 * hour));
  planAlarm(state, alarm('a', 0.3 * hour));
  expect(takeAlarms(state, 0.3 * hour)).toEqual([alarm('a', 0.3 * hour)]);
  expect(takeAlarms(state, 5 * hour)).toEqual([]);
});
