import type { Output } from '../../core/flow/context.ts';
import { type OutputKind, outputKinds } from '../../core/records/codec.ts';
import { fingerprintOf } from './fingerprint.ts';
import { firstHour, hourOf, type Scope, timeOf } from './scope.ts';

/** The rows of a table that were received first within an hour. */
export interface HourSum {
  rows: number;
  /** Their fingerprints, added without carry. */
  sum: bigint;
}

/** Hours by their start, epoch milliseconds. */
export type TableSums = Map<number, HourSum>;

export interface ExpectedSums {
  add(output: Output): void;
  of(kind: OutputKind): TableSums;
  /** Hours of which the sum may be wrong: rows were amended after they had been forgotten here. */
  unsure(kind: OutputKind): ReadonlySet<number>;
}

/** Rows that may be amended yet, remembered per kind: about 50 MB in all. */
const rememberedMax = 100_000;
/** Kinds whose rows have a single version. */
const final: ReadonlySet<OutputKind> = new Set(['delivery', 'control', 'reject']);

interface Remembered {
  hour: number;
  fingerprint: bigint;
}

/**
 * Adds up what a replay leads to, a row's highest version only, in bounded memory.
 * @param skipped ids per kind that are left out, since they have changed in ClickHouse since
 */
export function createExpectedSums(
  scope: Scope,
  skipped: ReadonlyMap<OutputKind, ReadonlySet<string>>,
  limit = rememberedMax,
): ExpectedSums {
  const tables = new Map(
    outputKinds.map((kind) => {
      const remembered = new Map<string, Remembered>();
      return [kind, { sums: new Map() as TableSums, unsure: new Set<number>(), remembered, forgot: false }];
    }),
  );

  function change(sums: TableSums, hour: number, rows: number, fingerprint: bigint): void {
    const before = sums.get(hour) ?? { rows: 0, sum: 0n };
    sums.set(hour, { rows: before.rows + rows, sum: before.sum ^ fingerprint });
  }

  return {
    add({ kind, value }) {
      const hour = hourOf(timeOf(kind, value));
      if (hour < firstHour(kind, scope) || skipped.get(kind)?.has(value.id)) return;
      const table = tables.get(kind)!;
      const { sums, remembered } = table;
      const fingerprint = fingerprintOf(kind, value, scope.depth);
      const before = remembered.get(value.id);
      if (before) change(sums, hour, -1, before.fingerprint);
      else if (table.forgot && revisionOf(value.version) > 1) table.unsure.add(hour);
      change(sums, hour, 1, fingerprint);
      if (final.has(kind)) return;
      // Put at the end: what has not changed for longest is forgotten first.
      remembered.delete(value.id);
      remembered.set(value.id, { hour, fingerprint });
      if (remembered.size <= limit) return;
      table.forgot = true;
      remembered.delete(remembered.keys().next().value!);
    },
    of: (kind) => tables.get(kind)!.sums,
    unsure: (kind) => tables.get(kind)!.unsure,
  };
}

function revisionOf(version: number): number {
  return version % 2 ** 32;
}
