import { expect, test } from 'vitest';
import { createExpectedSums } from '../../../services/commands/audit/expected.ts';
import { fingerprintOf } from '../../../services/commands/audit/fingerprint.ts';
import { hourOf, type Scope } from '../../../services/commands/audit/scope.ts';
import type { Output } from '../../../services/core/flow/context.ts';
import { fixture } from '../../ports/warehouse/records.ts';

const hour = hourOf(Date.UTC(2026, 0, 5, 9));
const scope: Scope = {
  tenant: 'acme',
  after: -1,
  until: 100,
  depth: 'identity',
  keptSince: { deliveries: hour, persons: hour, facts: hour },
};

const episode = (id: string, version: number, atMs = hour): Output => ({
  kind: 'episode',
  value: fixture('episode', { id, version, first_received_at: atMs }),
});

function sumsOf(outputs: readonly Output[], limit?: number, skipped: string[] = []) {
  const sums = createExpectedSums(scope, new Map([['episode', new Set(skipped)]]), limit);
  for (const output of outputs) sums.add(output);
  return { of: Object.fromEntries(sums.of('episode')), unsure: [...sums.unsure('episode')] };
}

const sum = (...outputs: Output[]) =>
  outputs.reduce((total, { kind, value }) => total ^ fingerprintOf(kind, value, 'identity'), 0n);

test('the highest version of each row counts, by the hour', () => {
  const later = hour + 3_600_000;
  const { of, unsure } = sumsOf([episode('a', 1), episode('b', 1, later), episode('a', 2), episode('a', 3)]);
  expect(of).toEqual({
    [hour]: { rows: 1, sum: sum(episode('a', 3)) },
    [later]: { rows: 1, sum: sum(episode('b', 1, later)) },
  });
  expect(unsure).toEqual([]);
});

test('what ClickHouse no longer keeps, and what has changed there since, is left out', () => {
  expect(sumsOf([episode('old', 1, hour - 1), episode('a', 1), episode('a', 2)], undefined, ['a']).of).toEqual({});
});

test('a row that is amended after it was forgotten makes its hour unsure, and no other', () => {
  const later = hour + 3_600_000;
  const outputs = [episode('a', 1), episode('b', 1), episode('c', 1, later), episode('a', 2)];
  expect(sumsOf(outputs, 2).unsure).toEqual([hour]);
  expect(sumsOf(outputs, 3).unsure).toEqual([]);
});

test('a row whose first version precedes a replay is no reason for doubt', () => {
  expect(sumsOf([episode('a', 5), episode('a', 6)]).unsure).toEqual([]);
});
