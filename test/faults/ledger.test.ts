import { expect, test } from 'vitest';
import { findContradictions, type SenderLedger, type StoredDelivery } from './ledger.ts';

/** Delivery 1 was answered, 2 had no answer, 3 was refused. */
const ledger: SenderLedger = {
  sent: new Map([
    [1, 'aa'],
    [2, 'bb'],
    [3, 'cc'],
  ]),
  answered: new Map([
    [1, { status: 202, id: 'first' }],
    [3, { status: 401, id: '-' }],
  ]),
  failed: new Map([[2, 'ECONNRESET']]),
};
const first: StoredDelivery = { id: 'first', sha256: 'aa' };

test.each<[string, StoredDelivery[], string[]]>([
  ['the answered one alone', [first], []],
  ['the one in doubt has arrived', [first, { id: 'second', sha256: 'bb' }], []],
  ['an answered one is lost', [], ['1 was answered 202 first: 0 rows have that id']],
  [
    'an answered one is there twice',
    [first, first],
    ['1 was answered 202 first: 2 rows have that id', '1 was sent once: 2 rows have its body'],
  ],
  [
    'the one in doubt is there twice',
    [first, { id: 'second', sha256: 'bb' }, { id: 'third', sha256: 'bb' }],
    ['2 was sent once: 2 rows have its body'],
  ],
  ['another body under its id', [{ ...first, sha256: 'bb' }], ['1 was answered 202 first: the row has another body']],
  ['one that nobody sent', [first, { id: 'ghost', sha256: 'dd' }], ['ghost was never sent']],
])('%s', (_, rows, contradictions) => {
  expect(findContradictions(ledger, rows)).toEqual(contradictions);
});
