import { expect, test } from 'vitest';
import { expand, type Panel } from './macros.ts';

/** Of the examples in the plug-in's documentation. */
const panel: Panel = { from: 1415792726123, to: 1447328726456, intervalMs: 20_000 };
const selection = { tenant: ['acme', "o'neill"], account: 'all' } as const;

test.each([
  ['$__timeFilter(time)', 'time >= toDateTime(1415792726) AND time <= toDateTime(1447328726)'],
  [
    '$__timeFilter_ms(time)',
    'time >= fromUnixTimestamp64Milli(1415792726123) AND time <= fromUnixTimestamp64Milli(1447328726456)',
  ],
  ['$__dateFilter(date)', "date >= toDate('2014-11-12') AND date <= toDate('2015-11-12')"],
  ['$__fromTime', 'toDateTime(1415792726)'],
  ['$__toTime', 'toDateTime(1447328726)'],
  ['$__fromTime_ms', 'fromUnixTimestamp64Milli(1415792726123)'],
  ['$__toTime_ms', 'fromUnixTimestamp64Milli(1447328726456)'],
  ['$__interval_s', '20'],
  ['$__timeInterval(column)', 'toStartOfInterval(toDateTime(column), INTERVAL 20 second)'],
  ['$__timeInterval_ms(column)', 'toStartOfInterval(toDateTime64(column, 3), INTERVAL 20000 millisecond)'],
])('%s', (macro, expected) => {
  expect(expand(`SELECT ${macro}`, panel, selection)).toBe(`SELECT ${expected}`);
});

test('an interval is a second at least', () => {
  expect(expand('$__interval_s', { ...panel, intervalMs: 200 }, {})).toBe('1');
});

test('a condition on a variable stands unless All is selected', () => {
  const sql = (name: string) => `WHERE $__conditionalAll(lower(${name}) IN (\${${name}:singlequote}), $${name})`;
  expect(expand(sql('tenant'), panel, selection)).toBe("WHERE lower(tenant) IN ('acme','o\\'neill')");
  expect(expand(sql('account'), panel, selection)).toBe('WHERE 1=1');
});

test.each([
  ['$__timefilter(time)', 'no such macro'],
  ['$__timeFilter(a, b)', 'it takes 1 arguments, not 2'],
  ['$__timeFilter(a', 'not closed'],
  ['$__interval', 'no such macro'],
  // The plug-in would not see that All is selected.
  [`$__conditionalAll(1, \${account:singlequote})`, 'it takes a condition and a variable'],
  ['$__conditionalAll(1, $region)', 'no such variable'],
  [`\${tenant:csv}`, `Cannot expand \${tenant:csv}`],
  ["'$tenant'", 'no such macro or variable'],
])('%s is refused', (sql, message) => {
  expect(() => expand(sql, panel, selection)).toThrow(message);
});
