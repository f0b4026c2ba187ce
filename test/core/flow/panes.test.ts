/** Panes by example. `told` lists servers by the minute of their creation; rows read `minute: value/rolling`. */
import { expect, test } from 'vitest';
import { step } from '../../../services/core/flow/flow.ts';
import { createState } from '../../../services/core/flow/state.ts';
import { laneOf, serverBody, startMs } from './lane.ts';

const minute = 60_000;

type Told = ['server', name: string, createdMin: number, heardMin?: number] | ['tick', atMin: number];

function rowsOf(told: Told[]): string[] {
  const lane = laneOf();
  for (const entry of told) {
    if (entry[0] === 'tick') lane.tick(entry[1] * minute + 2_000);
    else {
      const [, name, created, heard = created] = entry;
      lane.post('Server.Created', serverBody('ACME', name, created * minute), heard * minute + 1_000);
    }
  }
  const newest = new Map<number, string>();
  for (const { kind, value } of step(createState(), lane.records).outputs) {
    if (kind === 'pane')
      newest.set(value.minute, `${(value.minute - startMs) / minute}: ${value.value}/${value.rolling_1h}`);
  }
  return [...newest].sort(([a], [b]) => a - b).map(([, row]) => row);
}

const eachMinute = (from: number, to: number): Told[] =>
  Array.from({ length: to - from + 1 }, (_, n) => ['tick', from + n] as Told);

test('nothing is said before a tick', () => {
  expect(rowsOf([['server', 'A', 0]])).toEqual([]);
});

test('a row for the minute at once, one for each minute that follows', () => {
  expect(rowsOf([['server', 'A', 0], ...eachMinute(0, 2)])).toEqual(['0: 1/1', '1: 0/1', '2: 0/1']);
});

test('the hour slides: the last row says zero', () => {
  const rows = rowsOf([['server', 'A', 0], ['server', 'B', 2], ...eachMinute(2, 70)]);
  expect(rows).toHaveLength(63);
  expect(rows.slice(0, 4)).toEqual(['0: 1/1', '1: 0/1', '2: 1/2', '3: 0/2']);
  expect(rows.slice(-4)).toEqual(['59: 0/2', '60: 0/1', '61: 0/1', '62: 0/0']);
});

test('ticks that leave out minutes, or hours, lead to the same rows', () => {
  const servers: Told[] = [
    ['server', 'A', 0],
    ['server', 'B', 2],
  ];
  expect(rowsOf([...servers, ['tick', 3], ['tick', 500]])).toEqual(rowsOf([...servers, ...eachMinute(2, 500)]));
});

test('a server counts once a minute and once an hour, however often it is told', () => {
  expect(rowsOf([['server', 'A', 0], ['server', 'A', 0, 0.5], ['server', 'A', 0, 1], ...eachMinute(1, 1)])).toEqual([
    '0: 1/1',
    '1: 0/1',
  ]);
});

test('a late server amends the rows behind it', () => {
  const late = rowsOf([['server', 'A', 0], ...eachMinute(0, 5), ['server', 'B', 1, 5], ['tick', 5]]);
  expect(late).toEqual(['0: 1/1', '1: 1/2', '2: 0/2', '3: 0/2', '4: 0/2', '5: 0/2']);
});
