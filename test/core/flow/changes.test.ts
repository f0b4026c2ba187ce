import { expect, test } from 'vitest';
import type { FieldChange } from '../../../services/core/providers/provider.ts';
import type { Change } from '../../../services/core/records/generated.ts';
import { laneOf, startMs } from './lane.ts';
import { plain, rowsOf, work } from './watched.ts';

const account = `${plain}:ACME`;
const change = (parts: Partial<FieldChange> = {}): FieldChange => ({
  field: 'priority',
  before: '0',
  after: '3',
  ...parts,
});

function tell(changes: FieldChange[], agoMs = 0): Change[] {
  const lane = laneOf();
  const body = {
    entity: 'notification',
    action: 'updated',
    account,
    subject: 'n-1',
    actor: 'jane',
    data: '{}',
    changes,
  };
  lane.tick(agoMs);
  lane.post('', { ...body, time: startMs }, agoMs, { provider: plain, account, origin: 'reconcile' });
  return rowsOf(work(lane.records).outputs, 'change');
}

test('each change that a body tells of is a row', () => {
  const rows = tell([change(), change({ field: 'content.title', before: '', after: '"Maintenance"' })]);
  expect(rows.toSorted((a, b) => (a.field < b.field ? 1 : -1))).toMatchObject([
    {
      field: 'priority',
      before: '0',
      after: '3',
      kind: 'field',
      actor: 'jane',
      entity: 'notification',
      subject: 'n-1',
    },
    { field: 'content.title', before: '', after: '"Maintenance"', account, provider: plain, time: startMs, flags: [] },
  ]);
  expect(new Set(rows.map(({ event }) => event)).size).toBe(1);
});

test('one field may be told of twice', () => {
  expect(tell([change(), change({ after: '4' })])).toHaveLength(2);
});

test('so many at most, and it is said that there are more', () => {
  const rows = tell(Array.from({ length: 201 }, (_, n) => change({ field: `f${n}` })));
  expect(rows).toHaveLength(200);
  expect(rows.every(({ flags }) => flags.includes('changes_truncated'))).toBe(true);
});

test.each([
  ['long', `"${'x'.repeat(5_000)}"`],
  ['full of signs that take two characters', `"${'𝒳'.repeat(5_000)}"`],
])('a value that is %s is cut, and JSON still', (_what, after) => {
  const [row] = tell([change({ after })]);
  expect(row!.flags).toEqual(['value_truncated']);
  expect(after.startsWith((JSON.parse(row!.after) as string).slice(0, 4_000))).toBe(true);
  expect((JSON.parse(row!.after) as string).length).toBe(4_096);
  expect((JSON.parse(row!.after) as string).isWellFormed()).toBe(true);
});

test('what comes too late for all else is told as well: it amends nothing', () => {
  const [row] = tell([change()], 100 * 3_600_000);
  expect(row).toMatchObject({ time: startMs, field: 'priority' });
});
