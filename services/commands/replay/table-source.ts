import type { LaneRecord } from '../../core/flow/flow.ts';
import { takeoverOf } from '../../core/flow/takeover.ts';
import type { Control, Delivery } from '../../core/records/generated.ts';
import { tableOf } from '../../ports/warehouse/tables.ts';
import { type SqlWarehouse, WarehouseError } from '../../ports/warehouse/warehouse.ts';
import { isGenesis, type LaneSource, type Survey } from './lane-source.ts';

/** Positions, and so rows of a table at most, that are asked for at once. */
const span = { begin: 200, max: 5_000 };
const bytesPerPage = 8 * 1024 * 1024;

/**
 * The lane of a tenant as its deliveries and controls lie in the warehouse: every record that the flow admitted, which
 * is every record that had an effect. It holds what was there when it was surveyed.
 */
export function createTableSource(warehouse: Pick<SqlWarehouse, 'rows' | 'query'>, tenant: string): LaneSource {
  let last: number | undefined;
  let positions = span.begin;

  async function recordsOf(after: number, upTo: number): Promise<LaneRecord[]> {
    const filter = { tenant, positions: { after, upTo }, limit: upTo - after };
    const [deliveries, controls] = await Promise.all([
      warehouse.rows('delivery', filter),
      warehouse.rows('control', filter),
    ]);
    return [...deliveries.map(deliveryRecord), ...controls.map(controlRecord)].sort((a, b) => a.position - b.position);
  }

  return {
    async survey() {
      const bounds = await boundsOf(warehouse, tenant);
      last = bounds?.last ?? -1;
      const survey: Survey = { first: bounds?.first ?? 0, last, begin: undefined, takeovers: [] };
      const [begin] = bounds ? await recordsOf(bounds.first - 1, bounds.first) : [];
      if (!begin) return survey;
      const { boot, seq, id, received_at: receivedAt } = begin.record.value as Delivery | Control;
      const kind = begin.record.kind as 'delivery' | 'control';
      const place = { kind, tenant, boot, seq, id, receivedAt };
      survey.begin = { ...place, position: begin.position, genesis: isGenesis(begin.record) };
      for (const { position, record } of await takeoverRecords(warehouse, tenant)) {
        const takeover = takeoverOf(record);
        if (takeover) survey.takeovers.push({ ...takeover, position });
      }
      return survey;
    },
    async read(after) {
      last ??= (await boundsOf(warehouse, tenant))?.last ?? -1;
      if (after >= last) return { records: [], upTo: after };
      for (;;) {
        const upTo = Math.min(last, after + positions);
        try {
          const records = await recordsOf(after, upTo);
          positions = nextSpan(positions, records);
          return { records, upTo };
        } catch (error) {
          // Large bodies: ClickHouse limits what it answers at once.
          if (!(error instanceof WarehouseError) || error.code !== 'WAREHOUSE_DATA' || positions === 1) throw error;
          positions = Math.ceil(positions / 4);
        }
      }
    },
  };
}

/** As many positions as would have filled a page, but never many more than before. */
function nextSpan(positions: number, records: readonly LaneRecord[]): number {
  const bytes = records.reduce(
    (sum, { record }) => sum + 500 + ('body' in record.value ? record.value.body.length : 0),
    1,
  );
  return Math.max(1, Math.min(span.max, positions * 2, Math.floor((positions * bytesPerPage) / bytes)));
}

async function boundsOf(
  warehouse: Pick<SqlWarehouse, 'query'>,
  tenant: string,
): Promise<{ first: number; last: number } | undefined> {
  const bounds = (kind: 'delivery' | 'control') =>
    `SELECT min(position) AS low, max(position) AS high, count() AS records FROM ${tableOf(kind)}
      WHERE tenant = {tenant:String} HAVING records > 0`;
  const sql = `SELECT min(low) AS first, max(high) AS last, sum(records) AS records
    FROM (${bounds('delivery')} UNION ALL ${bounds('control')}) HAVING records > 0`;
  const [row] = await warehouse.query<{ first: number; last: number }>(sql, { tenant });
  return row && { first: row.first, last: row.last };
}

async function takeoverRecords(warehouse: Pick<SqlWarehouse, 'rows' | 'query'>, tenant: string): Promise<LaneRecord[]> {
  const sql = `SELECT DISTINCT id FROM ${tableOf('control')} WHERE tenant = {tenant:String} AND kind = 'takeover'`;
  const ids = (await warehouse.query<{ id: string }>(sql, { tenant })).map(({ id }) => id);
  const rows = ids.length === 0 ? [] : await warehouse.rows('control', { tenant, ids, limit: ids.length });
  return rows.map(controlRecord).sort((a, b) => a.position - b.position);
}

/** What the flow adds to a record is taken off again: it is as its edge wrote it. */
function deliveryRecord(row: Delivery): LaneRecord {
  return { position: row.position, record: { kind: 'delivery', value: { ...row, position: -1, version: 0 } } };
}

function controlRecord(row: Control): LaneRecord {
  return {
    position: row.position,
    record: { kind: 'control', value: { ...row, position: -1, version: 0, remark: '' } },
  };
}
