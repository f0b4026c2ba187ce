import { viewOf } from '../ports/warehouse/tables.ts';
import type { LaneAudit, TableAudit } from './audit.ts';
import type { Depth } from './fingerprint.ts';

/** Whether ClickHouse has what the lane leads to. */
export function isEqual({ tables }: LaneAudit): boolean {
  return tables.every(({ count, hoursLeft }) => count === 0 && hoursLeft === 0);
}

/**
 * ```
 * northwind: equal: 51235 records, positions 0 to 51234, from the lane's first record
 *   deliveries        4800 rows  positions 3 to 51230
 *   events            4799 rows  1 differs
 *     0199c2d0a7b1-5e…  missing
 * ```
 */
export function formatAudit(audit: LaneAudit, depth: Depth): string {
  const { tenant, from, after, until, records, gaps, tables } = audit;
  if (until <= after) return `${tenant}: nothing to compare: ${emptiness(audit)}\n`;
  const begin = from === 'genesis' ? "from the lane's first record" : `behind the checkpoint at ${after}`;
  const verdict = isEqual(audit) ? `equal${depth === 'values' ? ' in every value' : ''}` : 'ClickHouse differs';
  return [
    `${tenant}: ${verdict}: ${records} records, positions ${after + 1} to ${until}, ${begin}`,
    ...gaps.map(
      ({ boot, edge, missing }) => `  the lane itself lacks ${missing} of ${edge || 'an edge'}, boot ${boot}`,
    ),
    ...tables.flatMap(formatTable),
    '',
  ].join('\n');
}

function emptiness({ from, until }: LaneAudit): string {
  if (until < 0) return 'its worker has saved no checkpoint yet';
  return from === 'empty' ? 'the log holds none of its records' : `its only checkpoint is at ${until}`;
}

function formatTable({ kind, rows, positions, differences, count, hoursLeft }: TableAudit): string[] {
  const name = viewOf[kind].split('.')[1]!;
  const differing = [
    ...(count > 0 ? [`${count} ${count === 1 ? 'differs' : 'differ'}`] : []),
    ...(rows.lane === rows.stored ? [] : [`the lane leads to ${rows.lane}`]),
    ...(hoursLeft > 0 ? [`${hoursLeft} more hours with differences`] : []),
  ];
  const where = kind === 'delivery' && positions ? [`positions ${positions.first} to ${positions.last}`] : [];
  const notes = [...where, ...(count > 0 || hoursLeft > 0 ? differing : [])].join(', ');
  return [
    `  ${name.padEnd(10)} ${String(rows.stored).padStart(10)} rows${notes === '' ? '' : `  ${notes}`}`,
    ...differences.map(({ id, what, detail }) => `    ${id}  ${what}${detail === '' ? '' : `: ${detail}`}`),
    ...(count > differences.length ? [`    and ${count - differences.length} more`] : []),
  ];
}
