import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readText } from '../../../../services/core/providers/backup/text.ts';

/** Separators of 2018 and since 2019. */
const separators = ['  -  ', ' - '] as const;
const reportLabel = 'Account Policy Name: ';
const missedMarker = ' missed a backup expected at ';
const instant = '2018-12-20T17:00:06.476Z';
const id = 'e6ac019b-c646-359a-83a4-b81b5cc1c512';

function reportOf(separator: string, server: string, policy: string): string {
  return [
    'Status: FAILED',
    'Account: TEST',
    `Server: ${server}`,
    reportLabel + policy,
    `Restore Point Id: ${id}`,
    'Finished Date/Time: 2018-12-20 01:39:38 UTC',
  ].join(separator);
}
function missedOf(server: string, policy: string, region = 'US WEST'): string {
  return `${server}${missedMarker}${instant} for policy [${policy}] with server policy id [${id}] and storage region [${region}]`;
}

/** Names as people give them, and as nobody should. */
const pieces = [
  ...[' - ', '  -  ', '-', ' ', ':', '[', ']', '] ', 'web', 'DB 01', '日本', '\n', '"', '0'],
  ...['Server: ', 'Account: TEST', 'Status: SUCCESS', reportLabel, 'Account Policy Name:', `Restore Point Id: ${id}`],
  ...['Finished Date/Time: 2018-12-20 01:39:38 UTC', missedMarker, ' for policy [', `${instant} for policy [x`],
  ...['] with server policy id [', '] and storage region [', instant, ' missed a backup'],
];
const name = fc
  .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary', maxLength: 4 })), {
    minLength: 1,
    maxLength: 8,
  })
  .map((parts) => parts.join(''))
  .filter((text) => text.trim() !== '');

describe('names of any kind are read back as they were written', () => {
  /** Where even people could not tell: the server's name, with what follows, holds the label. */
  const isAmbiguous = (server: string, label: string) => (server + label).indexOf(label) < server.length;

  test.each(separators)('in a report with separators %j', (separator) => {
    const label = separator + reportLabel;
    fc.assert(
      fc.property(name, name, (server, policy) => {
        fc.pre(!isAmbiguous(server, label));
        expect(readText(reportOf(separator, server, policy), {})).toEqual({
          status: 'FAILED',
          account: 'TEST',
          server,
          policy,
          restore_point_id: id,
          finished: '2018-12-20 01:39:38 UTC',
        });
      }),
      { numRuns: 500 },
    );
  });

  test('in the text of a missed backup', () => {
    fc.assert(
      fc.property(name, name, (server, policy) => {
        fc.pre(!server.includes(missedMarker.trimEnd()) && !`${server}${missedMarker}`.startsWith('Status: '));
        expect(readText(missedOf(server, policy), {})).toEqual({
          server,
          policy,
          expected: instant,
          server_policy_id: id,
          region: 'US WEST',
        });
      }),
      { numRuns: 500 },
    );
  });

  test('however ambiguous, where a field says the server', () => {
    fc.assert(
      fc.property(name, name, fc.constantFrom(...separators), (server, policy, separator) => {
        expect(readText(reportOf(separator, server, policy), { server })).toMatchObject({ server, policy });
        expect(readText(missedOf(server, policy), { server })).toMatchObject({ server, policy });
      }),
      { numRuns: 500 },
    );
  });
});

describe('ambiguous text without fields', () => {
  const separator = ' - ';
  const text = reportOf(separator, 'web', `nightly${separator}${reportLabel}of b`);

  test('is split at the first label: the policy has the rest', () => {
    expect(readText(text, {})).toMatchObject({ server: 'web', policy: 'nightly - Account Policy Name: of b' });
  });

  test.each([
    [{ policy: 'of b' }, { server: 'web - Account Policy Name: nightly', policy: 'of b' }],
    [
      { server: 'web - Account Policy Name: nightly' },
      { server: 'web - Account Policy Name: nightly', policy: 'of b' },
    ],
    [
      { server: 'other', policy: 'another' },
      { server: 'web', policy: 'nightly - Account Policy Name: of b' },
    ],
  ])('a field decides: %j', (known, parts) => {
    expect(readText(text, known)).toMatchObject(parts);
  });
});

test.each([
  ['', 'nothing'],
  ['Status: FAILED', 'a status alone'],
  ['The backup of web failed', 'prose'],
  [reportOf(' - ', ' ', 'p'), 'no server'],
  [reportOf(' - ', 's', ''), 'no policy'],
  [reportOf(' -- ', 's', 'p'), 'other separators'],
  [
    `${reportOf(' - ', 's', 'p')} and more than that, much more than a date and a time would ever take`,
    'more behind it',
  ],
  [missedOf('s', 'p').replace(instant, 'noon'), 'no time'],
  [`${missedOf('s', 'p')}.`, 'a full stop'],
])('neither form: %j, %s', (text) => {
  expect(readText(text, {})).toBeUndefined();
});

test('a text made to have a million splits is read in time that grows with its length', () => {
  const label = ` - ${reportLabel}`;
  const many = reportOf(' - ', 's', label.repeat(250_000 / label.length));
  expect(readText(many, { server: 'nowhere' })).toMatchObject({ server: 's' });
  expect(readText(missedOf(missedMarker.repeat(8_000), 'p'), {})).toMatchObject({ policy: 'p' });
});
