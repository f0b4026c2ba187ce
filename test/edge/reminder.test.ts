import { expect, test } from 'vitest';
import { createReminder } from '../../services/edge/reminder.ts';

test('what lasts is said at once, then once a minute', () => {
  let nowMs = 0;
  const reminder = createReminder(() => nowMs);
  const said: number[] = [];
  for (; nowMs <= 130_000; nowMs += 1_000) if (reminder.due()) said.push(nowMs);
  expect(said).toEqual([0, 60_000, 120_000]);
});
