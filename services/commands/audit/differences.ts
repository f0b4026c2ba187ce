/** Which rows differ, and in what: the second look, at hours whose sums are not the same. */
import type { Output } from '../../core/flow/context.ts';
import type { OutputKind } from '../../core/records/codec.ts';
import type { RecordTypes } from '../../core/records/generated.ts';
import { tableOf, viewOf } from '../../ports/warehouse/tables.ts';
import type { SqlWarehouse } from '../../ports/warehouse/warehouse.ts';
import { fieldsOf, fieldText, fingerprintOf } from './fingerprint.ts';
import { hourOf, type Scope, timeOf } from './scope.ts';
import type { StoredRow } from './stored.ts';

export interface Difference {
  kind: OutputKind;
  id: string;
  /**
   * missing: ClickHouse does not have the row; refused: nor would it take it; unexpected: the lane does not lead to it;
   * older, newer: it has another version; withdrawn: one of both has taken it back; value: fields differ.
   */
  what: 'missing' | 'refused' | 'unexpected' | 'older' | 'newer' | 'withdrawn' | 'value';
  detail: string;
}

type Value = RecordTypes[OutputKind];

interface Found extends StoredRow {
  /** The lane leads to a row of this id. */
  expected: boolean;
}

interface Open {
  version: number;
  withdrawn: boolean;
  /** Kept for the first ones only: values are large. */
  value: Value | undefined;
}

/** Values kept at once, to name the fields that differ. */
const valuesMax = 1_000;

/** Holds rows of one table, as they were found, against what a replay leads to. */
export interface Comparison {
  find(row: StoredRow): void;
  /** Every row must be found before. */
  add(output: Output): void;
  /** Ends it. At most so many differences are told apart; `count` says how many there are. */
  differences(
    warehouse: Pick<SqlWarehouse, 'query' | 'rows'>,
    max: number,
  ): Promise<{ differences: Difference[]; count: number }>;
}

export function createComparison(kind: OutputKind, scope: Scope, hours: ReadonlySet<number>): Comparison {
  const found = new Map<string, Found>();
  /** What the lane leads to and was not found like that. */
  const open = new Map<string, Open>();

  function missed([id, { version, withdrawn }]: [string, Open]): Difference | undefined {
    const row = found.get(id);
    const about = (what: Difference['what'], detail = '') => ({ kind, id, what, detail });
    if (!row) return about('missing');
    if (row.version < version) return about('older', `version ${row.version}; the lane leads to ${version}`);
    // Amended since the audit began.
    if (row.position > scope.until) return undefined;
    if (row.version > version) return about('newer', `version ${row.version}; the lane leads to ${version}`);
    if (row.withdrawn !== withdrawn) return about('withdrawn', `in ${row.withdrawn ? 'ClickHouse' : 'the lane'} only`);
    return about('value');
  }

  return {
    find(row) {
      found.set(row.id, { ...row, expected: false });
    },
    add({ kind: other, value }) {
      if (other !== kind || !hours.has(hourOf(timeOf(kind, value)))) return;
      const row = found.get(value.id);
      if (row) row.expected = true;
      open.delete(value.id);
      if (row?.version === value.version && row.fingerprint === fingerprintOf(kind, value, scope.depth)) return;
      const kept = scope.depth === 'values' && open.size < valuesMax ? value : undefined;
      open.set(value.id, { version: value.version, withdrawn: value.withdrawn, value: kept });
    },
    async differences(warehouse, max) {
      const { after, until } = scope;
      const strangers = [...found.values()].filter(
        ({ expected, position }) => !expected && position > after && position <= until,
      );
      const all = [
        ...[...open].flatMap((entry) => missed(entry) ?? []),
        ...strangers.map(({ id, version }) => ({
          kind,
          id,
          what: 'unexpected' as const,
          detail: `version ${version}`,
        })),
      ];
      all.sort((a, b) => (a.id < b.id ? -1 : 1));
      const told = all.slice(0, max);
      await nameRefused(warehouse, scope.tenant, told);
      await nameFields(warehouse, scope.tenant, told, open);
      return { differences: told, count: all.length };
    },
  };
}

async function nameRefused(
  warehouse: Pick<SqlWarehouse, 'query'>,
  tenant: string,
  differences: readonly Difference[],
): Promise<void> {
  const missing = differences.filter(({ what }) => what === 'missing' || what === 'older');
  if (missing.length === 0) return;
  const table = viewOf[missing[0]!.kind].split('.')[1];
  const rows = await warehouse.query<{ row: string; reason: string }>(
    `SELECT row, any(reason) AS reason FROM ${tableOf('refusal')} FINAL
      WHERE tenant = {tenant:String} AND table = {table:String} AND row IN {ids:Array(String)} GROUP BY row`,
    { tenant, table, ids: missing.map(({ id }) => id) },
  );
  const reasons = new Map(rows.map(({ row, reason }) => [row, reason]));
  for (const difference of missing) {
    const reason = reasons.get(difference.id);
    if (reason !== undefined) Object.assign(difference, { what: 'refused', detail: reason });
  }
}

async function nameFields(
  warehouse: Pick<SqlWarehouse, 'rows'>,
  tenant: string,
  differences: readonly Difference[],
  open: ReadonlyMap<string, Open>,
): Promise<void> {
  const changed = differences.filter(({ what, id }) => what === 'value' && open.get(id)?.value);
  if (changed.length === 0) return;
  const { kind } = changed[0]!;
  const rows: Value[] = await warehouse.rows(kind, { tenant, ids: changed.map(({ id }) => id), limit: changed.length });
  for (const difference of changed) {
    const row = rows.find(({ id }) => id === difference.id);
    if (row) difference.detail = namesOfDiffering(kind, row, open.get(difference.id)!.value!).join(', ');
  }
}

function namesOfDiffering(kind: OutputKind, one: Value, other: Value): string[] {
  return fieldsOf(kind, 'values')
    .filter((field) => {
      const texts = [one, other].map((value) => fieldText(field, value[field.name as keyof Value]));
      return Buffer.compare(Buffer.from(texts[0]!), Buffer.from(texts[1]!)) !== 0;
    })
    .map(({ name }) => name);
}
